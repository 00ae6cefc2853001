/* Stands before the C library (LD_PRELOAD) and sees every call that changes a file below one directory: counts them,
 * makes the N-th fail or the process die there, and records what reached the files, for rebuilding what a power loss
 * could leave behind. Changes nothing else. The environment says what to do:
 *
 *   IOFAULT_DIR      the directory
 *   IOFAULT_COUNTER  a file of 8 bytes that holds the number of calls so far
 *   IOFAULT_AT       the number of the first call that fails; 0 or absent: none
 *   IOFAULT_SPAN     how many calls fail from there; 0: all
 *   IOFAULT_WHILE    a file: while it exists, every call fails with EIO
 *   IOFAULT_KIND     eio, enospc, short (half is written, the next call finds the disk full), kill (before the call),
 *                    killafter
 *   IOFAULT_LOG      a file to which the records are appended
 *   IOFAULT_ACKS     a file; what the process writes to it is recorded between the calls
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(result, name, ...)                                                                                        \
    static result (*name)(__VA_ARGS__);                                                                                \
    if (!name)                                                                                                         \
    name = (result(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name + 5)

enum kind { EIO_KIND, ENOSPC_KIND, SHORT_KIND, KILL_KIND, KILL_AFTER_KIND };
enum decision { PASS, FAIL, HALF, DIE_AFTER };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char directory[PATH_MAX], acks[PATH_MAX], during[PATH_MAX];
static size_t directory_length;
static uint64_t own_counter, *counter = &own_counter;
static uint64_t at, span = 1;
static enum kind kind;
static int log_fd = -1;

static ssize_t write_real(int fd, const void *data, size_t length)
{
    REAL(ssize_t, real_write, int, const void *, size_t);
    return real_write(fd, data, length);
}

static int open_real(const char *path, int flags, mode_t mode)
{
    REAL(int, real_open64, const char *, int, ...);
    return real_open64(path, flags, mode);
}

static void give_up(const char *what)
{
    dprintf(2, "iofault: %s: %s\n", what, strerror(errno));
    _exit(99);
}

__attribute__((constructor)) static void begin(void)
{
    const char *value = getenv("IOFAULT_DIR");
    if (!value)
        return;
    snprintf(directory, sizeof directory, "%s", value);
    directory_length = strlen(directory);
    if ((value = getenv("IOFAULT_ACKS")))
        snprintf(acks, sizeof acks, "%s", value);
    if ((value = getenv("IOFAULT_WHILE")))
        snprintf(during, sizeof during, "%s", value);
    if ((value = getenv("IOFAULT_AT")))
        at = strtoull(value, NULL, 10);
    if ((value = getenv("IOFAULT_SPAN")))
        span = strtoull(value, NULL, 10);
    if ((value = getenv("IOFAULT_KIND"))) {
        const char *kinds[] = {"eio", "enospc", "short", "kill", "killafter"};
        for (int index = 0; index < 5; index++)
            if (strcmp(value, kinds[index]) == 0)
                kind = (enum kind)index;
    }
    if ((value = getenv("IOFAULT_LOG"))) {
        log_fd = open_real(value, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (log_fd < 0)
            give_up(value);
    }
    if ((value = getenv("IOFAULT_COUNTER"))) {
        int fd = open_real(value, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        const char zeros[8] = {0};
        if (fd < 0 || write_real(fd, zeros, 8) != 8)
            give_up(value);
        counter = mmap(NULL, 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (counter == MAP_FAILED)
            give_up(value);
        close(fd);
    }
}

/* Whether a path is the directory or lies below it. */
static int is_below(const char *path)
{
    return directory_length && strncmp(path, directory, directory_length) == 0 &&
           (path[directory_length] == '/' || path[directory_length] == 0);
}

/* The path of a descriptor; whether it is below the directory. */
static int watched(int fd, char *path)
{
    char link[64];
    path[0] = 0;
    if (!directory_length)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return is_below(path);
}

/* Counts a call and says what becomes of it; `*error` is what a failure returns. */
static enum decision decide(int writes, int *error)
{
    uint64_t number = ++*counter;
    if (during[0] && access(during, F_OK) == 0) {
        *error = EIO;
        return FAIL;
    }
    if (!at || number < at)
        return PASS;
    if (kind == KILL_KIND || kind == KILL_AFTER_KIND) {
        if (number > at)
            return PASS;
        if (kind == KILL_KIND)
            kill(getpid(), SIGKILL);
        return DIE_AFTER;
    }
    if (kind == SHORT_KIND) {
        *error = number == at ? EIO : ENOSPC;
        if (number > at + 1)
            return PASS;
        return number == at && writes ? HALF : FAIL;
    }
    if (span && number >= at + span)
        return PASS;
    *error = kind == EIO_KIND ? EIO : ENOSPC;
    return FAIL;
}

struct head {
    uint64_t operation, inode, offset, length;
    uint32_t path, second;
};

static void record(char operation, uint64_t inode, uint64_t offset, uint64_t length, const char *path,
                   const char *second, const void *data)
{
    if (log_fd < 0)
        return;
    struct head head = {(uint64_t)operation, inode, offset, length, (uint32_t)strlen(path), (uint32_t)strlen(second)};
    struct iovec parts[] = {{&head, sizeof head},
                            {(void *)path, head.path},
                            {(void *)second, head.second},
                            {(void *)data, data ? length : 0}};
    size_t whole = 0;
    for (int index = 0; index < 4; index++)
        whole += parts[index].iov_len;
    REAL(ssize_t, real_writev, int, const struct iovec *, int);
    if (real_writev(log_fd, parts, 4) != (ssize_t)whole)
        give_up("the log");
}

static uint64_t inode_of(int fd)
{
    struct stat found;
    return fstat(fd, &found) == 0 ? found.st_ino : 0;
}

/* Runs `call` (an int: 0 and more is success) under the decision; `success` records it. */
#define GUARDED(call, success)                                                                                         \
    int error = 0, result = -1;                                                                                        \
    pthread_mutex_lock(&lock);                                                                                         \
    enum decision decision = decide(0, &error);                                                                        \
    if (decision != FAIL) {                                                                                            \
        result = (call);                                                                                               \
        error = errno;                                                                                                 \
        if (result >= 0) {                                                                                             \
            success;                                                                                                   \
        }                                                                                                              \
    }                                                                                                                  \
    if (decision == DIE_AFTER)                                                                                         \
        kill(getpid(), SIGKILL);                                                                                       \
    pthread_mutex_unlock(&lock);                                                                                       \
    errno = error;                                                                                                     \
    return result

static int open_watched(const char *path, int flags, mode_t mode)
{
    int changes = (flags & (O_CREAT | O_TRUNC)) || (flags & O_ACCMODE) != O_RDONLY;
    if (!changes || !is_below(path))
        return open_real(path, flags, mode);
    struct stat before;
    int existed = lstat(path, &before) == 0;
    GUARDED(open_real(path, flags, mode), {
        if (!existed)
            record('C', inode_of(result), 0, 0, path, "", NULL);
        else if (flags & O_TRUNC)
            record('T', inode_of(result), 0, 0, path, "", NULL);
    });
}

#define MODE(flags, mode)                                                                                              \
    mode_t mode = 0;                                                                                                   \
    if ((flags) & (O_CREAT | O_TMPFILE)) {                                                                             \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        mode = va_arg(rest, mode_t);                                                                                   \
        va_end(rest);                                                                                                  \
    }

int open(const char *path, int flags, ...)
{
    MODE(flags, mode)
    return open_watched(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    MODE(flags, mode)
    return open_watched(path, flags, mode);
}

int openat(int base, const char *path, int flags, ...)
{
    MODE(flags, mode)
    if (base == AT_FDCWD || path[0] == '/')
        return open_watched(path, flags, mode);
    REAL(int, real_openat, int, const char *, int, ...);
    return real_openat(base, path, flags, mode);
}

int openat64(int base, const char *path, int flags, ...)
{
    MODE(flags, mode)
    if (base == AT_FDCWD || path[0] == '/')
        return open_watched(path, flags, mode);
    REAL(int, real_openat64, int, const char *, int, ...);
    return real_openat64(base, path, flags, mode);
}

/* One write of any kind; `at_offset` below 0: where the descriptor stands. */
static ssize_t write_watched(int fd, const void *data, size_t length, off64_t at_offset)
{
    REAL(ssize_t, real_pwrite64, int, const void *, size_t, off64_t);
    char path[PATH_MAX];
    int below = watched(fd, path);
    if (!below && !(acks[0] && directory_length && strcmp(path, acks) == 0))
        return at_offset < 0 ? write_real(fd, data, length) : real_pwrite64(fd, data, length, at_offset);
    int error = 0;
    ssize_t result = -1;
    pthread_mutex_lock(&lock);
    enum decision decision = below ? decide(length > 1, &error) : PASS;
    if (decision == HALF)
        length /= 2;
    if (decision != FAIL) {
        result = at_offset < 0 ? write_real(fd, data, length) : real_pwrite64(fd, data, length, at_offset);
        error = errno;
        if (result > 0) {
            uint64_t offset = (uint64_t)(at_offset < 0 ? lseek64(fd, 0, SEEK_CUR) - result : at_offset);
            record(below ? 'W' : 'A', inode_of(fd), offset, (uint64_t)result, "", "", data);
        }
    }
    if (decision == DIE_AFTER)
        kill(getpid(), SIGKILL);
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}

ssize_t write(int fd, const void *data, size_t length)
{
    return write_watched(fd, data, length, -1);
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset)
{
    return write_watched(fd, data, length, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset)
{
    return write_watched(fd, data, length, offset);
}

/* As the first part alone: short writes are allowed. */
ssize_t writev(int fd, const struct iovec *parts, int count)
{
    REAL(ssize_t, real_writev, int, const struct iovec *, int);
    char path[PATH_MAX];
    int ours = watched(fd, path) || (acks[0] && directory_length && strcmp(path, acks) == 0);
    if (!ours || count < 1)
        return real_writev(fd, parts, count);
    return write_watched(fd, parts[0].iov_base, parts[0].iov_len, -1);
}

static int sync_watched(int fd, int (*real)(int))
{
    char path[PATH_MAX];
    struct stat found;
    if (!watched(fd, path) || fstat(fd, &found) != 0)
        return real(fd);
    char operation = S_ISDIR(found.st_mode) ? 'D' : 'S';
    int error = 0, result = -1;
    pthread_mutex_lock(&lock);
    enum decision decision = decide(0, &error);
    if (decision != FAIL) {
        result = real(fd);
        error = errno;
    }
    /* A failed sync is recorded in small letters: what was to be written may be lost for good. */
    record(result == 0 ? operation : (char)(operation + 32), found.st_ino, 0, 0, path, "", NULL);
    if (decision == DIE_AFTER)
        kill(getpid(), SIGKILL);
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}

int fsync(int fd)
{
    REAL(int, real_fsync, int);
    return sync_watched(fd, real_fsync);
}

int fdatasync(int fd)
{
    REAL(int, real_fdatasync, int);
    return sync_watched(fd, real_fdatasync);
}

static uint64_t size_of(int fd)
{
    struct stat found;
    return fstat(fd, &found) == 0 ? (uint64_t)found.st_size : 0;
}

static int truncate_watched(int fd, off64_t length)
{
    REAL(int, real_ftruncate64, int, off64_t);
    char path[PATH_MAX];
    if (!watched(fd, path))
        return real_ftruncate64(fd, length);
    GUARDED(real_ftruncate64(fd, length), record('T', inode_of(fd), 0, (uint64_t)length, path, "", NULL));
}

int ftruncate(int fd, off_t length)
{
    return truncate_watched(fd, length);
}

int ftruncate64(int fd, off64_t length)
{
    return truncate_watched(fd, length);
}

static int allocate_watched(int fd, int mode, off64_t offset, off64_t length)
{
    REAL(int, real_fallocate64, int, int, off64_t, off64_t);
    char path[PATH_MAX];
    if (!watched(fd, path))
        return real_fallocate64(fd, mode, offset, length);
    GUARDED(real_fallocate64(fd, mode, offset, length), record('T', inode_of(fd), 0, size_of(fd), path, "", NULL));
}

int fallocate(int fd, int mode, off_t offset, off_t length)
{
    return allocate_watched(fd, mode, offset, length);
}

int fallocate64(int fd, int mode, off64_t offset, off64_t length)
{
    return allocate_watched(fd, mode, offset, length);
}

/* Returns the error itself. */
int posix_fallocate(int fd, off_t offset, off_t length)
{
    return allocate_watched(fd, 0, offset, length) == 0 ? 0 : errno;
}

int posix_fallocate64(int fd, off64_t offset, off64_t length)
{
    return allocate_watched(fd, 0, offset, length) == 0 ? 0 : errno;
}

int rename(const char *from, const char *to)
{
    REAL(int, real_rename, const char *, const char *);
    if (!is_below(from) && !is_below(to))
        return real_rename(from, to);
    GUARDED(real_rename(from, to), record('R', 0, 0, 0, from, to, NULL));
}

int unlink(const char *path)
{
    REAL(int, real_unlink, const char *);
    if (!is_below(path))
        return real_unlink(path);
    GUARDED(real_unlink(path), record('U', 0, 0, 0, path, "", NULL));
}

int mkdir(const char *path, mode_t mode)
{
    REAL(int, real_mkdir, const char *, mode_t);
    if (!is_below(path))
        return real_mkdir(path, mode);
    GUARDED(real_mkdir(path, mode), record('M', 0, 0, 0, path, "", NULL));
}

int fchmod(int fd, mode_t mode)
{
    REAL(int, real_fchmod, int, mode_t);
    char path[PATH_MAX];
    if (!watched(fd, path))
        return real_fchmod(fd, mode);
    GUARDED(real_fchmod(fd, mode), (void)0);
}

int chmod(const char *path, mode_t mode)
{
    REAL(int, real_chmod, const char *, mode_t);
    if (!is_below(path))
        return real_chmod(path, mode);
    GUARDED(real_chmod(path, mode), (void)0);
}
