/* A PC/SC driver (IFD handler) of virtual readers for tests: single-slot readers, as many as are configured.
 *
 * A reader is configured with DEVICENAME PATH, an existing file. The driver listens on the unix socket PATH.sock; whoever
 * connects is the card, and the end of the connection is its removal. The frames are those of vpcd: a big-endian 16-bit
 * length and a payload both ways; one byte of payload is a control (00 off, 01 on, 02 reset, 04 ask for the ATR, the only
 * one with an answer), anything longer a command.
 *
 * While the file PATH.unplugged exists the reader does not answer, as one that was pulled out of its USB port.
 *
 * Unlike vpcd it tells pcscd at once about a change, as readers with an interrupt endpoint do, and it reports every
 * removal, however quickly the next card follows.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <ifdhandler.h>
#include <poll.h>
#include <pthread.h>
#include <reader.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define READERS 16
#define LOOK_MS 10 /* how often PATH.unplugged is looked for */

static struct reader {
    pthread_mutex_t mutex; /* one exchange at a time; held while the card changes */
    char path[90];
    int listener, card;    /* -1: none */
    int away;              /* was pulled out when it was last looked at */
    int gone;              /* a card has left, and pcscd's watching thread is yet to ask for this often */
    volatile int stop;
    unsigned char atr[MAX_ATR_SIZE];
    DWORD atr_length;
} readers[READERS];

static struct reader *of(DWORD lun) { return &readers[(lun >> 16) % READERS]; }

static int unplugged(const struct reader *r) {
    char name[110];
    snprintf(name, sizeof name, "%s.unplugged", r->path);
    return access(name, F_OK) == 0;
}

static int has_left(int card) {
    struct pollfd p = { .fd = card, .events = POLLRDHUP };
    return poll(&p, 1, 0) != 0;
}

static int is_waiting(int listener) {
    struct pollfd p = { .fd = listener, .events = POLLIN };
    return poll(&p, 1, 0) > 0;
}

static int send_frame(int card, const unsigned char *bytes, size_t length) {
    unsigned char frame[2 + 65535];
    frame[0] = length >> 8;
    frame[1] = length;
    memcpy(frame + 2, bytes, length);
    return send(card, frame, length + 2, MSG_NOSIGNAL) == (ssize_t)(length + 2) ? 0 : -1;
}

/* Returns the length of the payload, or -1. */
static long receive_frame(int card, unsigned char *bytes, size_t room) {
    unsigned char head[2];
    if (recv(card, head, 2, MSG_WAITALL) != 2) return -1;
    size_t length = (size_t)head[0] << 8 | head[1];
    if (length > room) return -1;
    return recv(card, bytes, length, MSG_WAITALL) == (ssize_t)length ? (long)length : -1;
}

RESPONSECODE IFDHCreateChannelByName(DWORD lun, LPSTR name) {
    struct reader *r = of(lun);
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    memset(r, 0, sizeof *r);
    pthread_mutex_init(&r->mutex, NULL);
    snprintf(r->path, sizeof r->path, "%s", name);
    snprintf(address.sun_path, sizeof address.sun_path, "%s.sock", r->path);
    unlink(address.sun_path);
    r->card = -1;
    r->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (r->listener < 0 || bind(r->listener, (struct sockaddr *)&address, sizeof address) < 0
        || listen(r->listener, 8) < 0) {
        return IFD_COMMUNICATION_ERROR;
    }
    return IFD_SUCCESS;
}

RESPONSECODE IFDHCreateChannel(DWORD lun, DWORD channel) {
    (void)lun, (void)channel;
    return IFD_COMMUNICATION_ERROR; /* only readers with a DEVICENAME */
}

RESPONSECODE IFDHCloseChannel(DWORD lun) {
    struct reader *r = of(lun);
    close(r->listener);
    if (r->card >= 0) close(r->card);
    r->card = r->listener = -1;
    return IFD_SUCCESS;
}

/* Returns when there may be something new; pcscd then asks IFDHICCPresence. */
static RESPONSECODE wait_for_change(DWORD lun, int timeout) {
    struct reader *r = of(lun);
    if (r->gone > 0 && --r->gone > 0) return IFD_SUCCESS;
    for (int waited = 0; waited < timeout && !r->stop; waited += LOOK_MS) {
        int card = r->card; /* only IFDHICCPresence changes it, on this same thread */
        struct pollfd p = { .fd = card >= 0 ? card : r->listener, .events = card >= 0 ? POLLRDHUP : POLLIN };
        if (poll(&p, 1, LOOK_MS) != 0 || unplugged(r) != r->away) break;
    }
    r->stop = 0;
    return IFD_SUCCESS;
}

static RESPONSECODE stop_waiting(DWORD lun) {
    of(lun)->stop = 1;
    return IFD_SUCCESS;
}

RESPONSECODE IFDHICCPresence(DWORD lun) {
    struct reader *r = of(lun);
    RESPONSECODE presence = IFD_ICC_NOT_PRESENT;
    pthread_mutex_lock(&r->mutex);
    r->away = unplugged(r);
    if (r->card >= 0 && (r->away || has_left(r->card))) {
        close(r->card);
        r->card = -1;
        /* No next card until the watching thread has asked: pcscd also asks before it powers a card on, and would take
         * the next card for this one. */
        r->gone = 2;
    } else if (r->card < 0 && !r->away && !r->gone && is_waiting(r->listener)) {
        r->card = accept4(r->listener, NULL, NULL, SOCK_CLOEXEC);
    }
    if (r->away) presence = IFD_NO_SUCH_DEVICE;
    else if (r->card >= 0) presence = IFD_ICC_PRESENT;
    pthread_mutex_unlock(&r->mutex);
    return presence;
}

RESPONSECODE IFDHGetCapabilities(DWORD lun, DWORD tag, PDWORD length, PUCHAR value) {
    struct reader *r = of(lun);
    void *function = NULL;
    switch (tag) {
    case TAG_IFD_ATR:
    case SCARD_ATTR_ATR_STRING:
        *length = r->atr_length;
        memcpy(value, r->atr, r->atr_length);
        return IFD_SUCCESS;
    case TAG_IFD_SIMULTANEOUS_ACCESS: *value = READERS; break;
    case TAG_IFD_SLOTS_NUMBER:
    case TAG_IFD_THREAD_SAFE: *value = 1; break;
    case TAG_IFD_POLLING_THREAD_KILLABLE: *value = 0; break;
    case TAG_IFD_POLLING_THREAD_WITH_TIMEOUT: function = (void *)wait_for_change; break;
    case TAG_IFD_STOP_POLLING_THREAD: function = (void *)stop_waiting; break;
    default: return IFD_ERROR_TAG;
    }
    *length = 1;
    if (function) {
        *length = sizeof function;
        memcpy(value, &function, sizeof function);
    }
    return IFD_SUCCESS;
}

RESPONSECODE IFDHSetCapabilities(DWORD lun, DWORD tag, DWORD length, PUCHAR value) {
    (void)lun, (void)tag, (void)length, (void)value;
    return IFD_ERROR_TAG;
}

RESPONSECODE IFDHSetProtocolParameters(DWORD lun, DWORD protocol, UCHAR flags, UCHAR pts1, UCHAR pts2, UCHAR pts3) {
    (void)lun, (void)protocol, (void)flags, (void)pts1, (void)pts2, (void)pts3;
    return IFD_SUCCESS;
}

RESPONSECODE IFDHPowerICC(DWORD lun, DWORD action, PUCHAR atr, PDWORD atr_length) {
    struct reader *r = of(lun);
    unsigned char control = action == IFD_POWER_UP ? 1 : action == IFD_RESET ? 2 : 0;
    RESPONSECODE result = IFD_ERROR_POWER_ACTION;
    pthread_mutex_lock(&r->mutex);
    r->atr_length = 0;
    if (r->card >= 0 && !unplugged(r) && send_frame(r->card, &control, 1) == 0) {
        long length = control == 0 ? 0 : send_frame(r->card, (unsigned char *)"\4", 1)
            ? -1 : receive_frame(r->card, r->atr, sizeof r->atr);
        if (length >= 0) {
            r->atr_length = length;
            result = IFD_SUCCESS;
        }
    }
    memcpy(atr, r->atr, r->atr_length);
    *atr_length = r->atr_length;
    pthread_mutex_unlock(&r->mutex);
    return result;
}

RESPONSECODE IFDHTransmitToICC(DWORD lun, SCARD_IO_HEADER send_pci, PUCHAR command, DWORD length, PUCHAR answer,
                               PDWORD answer_length, PSCARD_IO_HEADER receive_pci) {
    struct reader *r = of(lun);
    RESPONSECODE result = IFD_COMMUNICATION_ERROR;
    (void)send_pci, (void)receive_pci;
    pthread_mutex_lock(&r->mutex);
    if (unplugged(r)) {
        result = IFD_NO_SUCH_DEVICE;
    } else if (r->card >= 0 && length < 65536 && send_frame(r->card, command, length) == 0) {
        long received = receive_frame(r->card, answer, *answer_length);
        if (received >= 0) {
            *answer_length = received;
            result = IFD_SUCCESS;
        }
    }
    if (result != IFD_SUCCESS) *answer_length = 0;
    pthread_mutex_unlock(&r->mutex);
    return result;
}

RESPONSECODE IFDHControl(DWORD lun, DWORD code, PUCHAR sent, DWORD sent_length, PUCHAR received, DWORD room,
                         LPDWORD received_length) {
    (void)lun, (void)code, (void)sent, (void)sent_length, (void)received, (void)room;
    *received_length = 0;
    return IFD_ERROR_NOT_SUPPORTED;
}
