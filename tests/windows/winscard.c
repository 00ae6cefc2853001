/* A WinSCard.dll for tests under Wine, whose own is a stub: one reader, in which `sim-card` puts its card.
 *
 * It is what vsmartcard's driver is to pcscd: it listens, the card connects, the connection is the insertion. Frames are a big-endian
 * 16-bit length and a payload both ways; one byte is a control (0 off, 1 on, 2 reset, 4 ask for the ATR), anything longer an APDU.
 * Only what the daemon calls is here; everything else of the real library is not exported, so that a new call shows at once.
 */
#define WINSCARDAPI /* ours, not imported */
#include <winsock2.h>
#include <windows.h>
#include <winscard.h>
#include <string.h>

#define READER "Fake JPKI Reader 0"
#define PORT 35963
#define CONTEXTS 16

#define EXPORT __declspec(dllexport)

/* Named by what imports the real library. */
EXPORT const SCARD_IO_REQUEST g_rgSCardT0Pci = {SCARD_PROTOCOL_T0, sizeof(SCARD_IO_REQUEST)};
EXPORT const SCARD_IO_REQUEST g_rgSCardT1Pci = {SCARD_PROTOCOL_T1, sizeof(SCARD_IO_REQUEST)};
EXPORT const SCARD_IO_REQUEST g_rgSCardRawPci = {SCARD_PROTOCOL_RAW, sizeof(SCARD_IO_REQUEST)};

static CRITICAL_SECTION lock;      /* over everything below */
static SOCKET card = INVALID_SOCKET;
static DWORD events;               /* insertions and removals */
static BOOL in_use;
static BOOL open_contexts[CONTEXTS];
static BOOL cancelled[CONTEXTS];

static BOOL read_all(SOCKET socket, unsigned char *bytes, int length) {
    while (length > 0) {
        int got = recv(socket, (char *)bytes, length, 0);
        if (got <= 0) return FALSE;
        bytes += got;
        length -= got;
    }
    return TRUE;
}

static BOOL send_frame(const unsigned char *bytes, DWORD length) {
    unsigned char head[2] = {(unsigned char)(length >> 8), (unsigned char)length};
    return length <= 0xffff && send(card, (char *)head, 2, 0) == 2 && send(card, (const char *)bytes, (int)length, 0) == (int)length;
}

static BOOL control(unsigned char what) { return send_frame(&what, 1); }

static void taken_out(void) {
    closesocket(card);
    card = INVALID_SOCKET;
    in_use = FALSE;
    events++;
}

/* Waits for cards, and for their removal: a card says nothing by itself, so what is readable is the end. */
static DWORD WINAPI watch(LPVOID unused) {
    WSADATA data;
    SOCKET listener;
    struct sockaddr_in address = {0};
    (void)unused;
    WSAStartup(MAKEWORD(2, 2), &data);
    listener = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_family = AF_INET;
    address.sin_port = htons(PORT);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1)) return 1;
    for (;;) {
        SOCKET arrived = accept(listener, NULL, NULL);
        BOOL there = TRUE;
        EnterCriticalSection(&lock);
        card = arrived;
        events++;
        LeaveCriticalSection(&lock);
        while (there) {
            Sleep(20);
            EnterCriticalSection(&lock);
            if (card == INVALID_SOCKET) {
                there = FALSE;
            } else {
                fd_set readable;
                struct timeval now = {0, 0};
                FD_ZERO(&readable);
                FD_SET(card, &readable);
                if (select(0, &readable, NULL, NULL, &now) > 0) {
                    taken_out();
                    there = FALSE;
                }
            }
            LeaveCriticalSection(&lock);
        }
    }
}

BOOL WINAPI DllMain(HINSTANCE instance, DWORD reason, LPVOID reserved) {
    (void)instance;
    (void)reserved;
    if (reason == DLL_PROCESS_ATTACH) InitializeCriticalSection(&lock);
    return TRUE;
}

EXPORT LONG WINAPI SCardEstablishContext(DWORD scope, LPCVOID a, LPCVOID b, LPSCARDCONTEXT context) {
    static BOOL watching;
    int i;
    (void)scope; (void)a; (void)b;
    EnterCriticalSection(&lock);
    if (!watching) {
        watching = TRUE;
        CloseHandle(CreateThread(NULL, 0, watch, NULL, 0, NULL));
    }
    for (i = 1; i < CONTEXTS && open_contexts[i]; i++) {}
    if (i < CONTEXTS) {
        open_contexts[i] = TRUE;
        cancelled[i] = FALSE;
        *context = (SCARDCONTEXT)i;
    }
    LeaveCriticalSection(&lock);
    return i < CONTEXTS ? SCARD_S_SUCCESS : SCARD_E_NO_MEMORY;
}

static BOOL is_open(SCARDCONTEXT context) { return context > 0 && context < CONTEXTS && open_contexts[context]; }

EXPORT LONG WINAPI SCardIsValidContext(SCARDCONTEXT context) { return is_open(context) ? SCARD_S_SUCCESS : SCARD_E_INVALID_HANDLE; }

EXPORT LONG WINAPI SCardReleaseContext(SCARDCONTEXT context) {
    if (!is_open(context)) return SCARD_E_INVALID_HANDLE;
    open_contexts[context] = FALSE;
    return SCARD_S_SUCCESS;
}

EXPORT LONG WINAPI SCardCancel(SCARDCONTEXT context) {
    if (!is_open(context)) return SCARD_E_INVALID_HANDLE;
    cancelled[context] = TRUE;
    return SCARD_S_SUCCESS;
}

EXPORT LONG WINAPI SCardListReadersA(SCARDCONTEXT context, LPCSTR groups, LPSTR readers, LPDWORD length) {
    static const char names[] = READER "\0";
    DWORD room = *length;
    (void)groups;
    if (!is_open(context)) return SCARD_E_INVALID_HANDLE;
    *length = sizeof names;
    if (readers == NULL) return SCARD_S_SUCCESS;
    if (room < sizeof names) return SCARD_E_INSUFFICIENT_BUFFER;
    memcpy(readers, names, sizeof names);
    return SCARD_S_SUCCESS;
}

static DWORD state_now(void) {
    DWORD state = card == INVALID_SOCKET ? SCARD_STATE_EMPTY : SCARD_STATE_PRESENT;
    if (in_use) state |= SCARD_STATE_INUSE | SCARD_STATE_EXCLUSIVE;
    return state | (events & 0xffff) << 16;
}

EXPORT LONG WINAPI SCardGetStatusChangeA(SCARDCONTEXT context, DWORD timeout, LPSCARD_READERSTATEA states, DWORD count) {
    ULONGLONG begun = GetTickCount64();
    if (!is_open(context)) return SCARD_E_INVALID_HANDLE;
    for (;;) {
        BOOL changed = FALSE, told;
        DWORD i;
        EnterCriticalSection(&lock);
        for (i = 0; i < count; i++) {
            DWORD now;
            if (strcmp(states[i].szReader, "\\\\?PnP?\\Notification") == 0) {
                states[i].dwEventState = states[i].dwCurrentState & ~SCARD_STATE_CHANGED;
                continue;
            }
            if (strcmp(states[i].szReader, READER) != 0) {
                LeaveCriticalSection(&lock);
                return SCARD_E_UNKNOWN_READER;
            }
            now = state_now();
            if (now != (states[i].dwCurrentState & ~SCARD_STATE_CHANGED)) {
                now |= SCARD_STATE_CHANGED;
                changed = TRUE;
            }
            states[i].dwEventState = now;
        }
        told = cancelled[context];
        cancelled[context] = FALSE;
        LeaveCriticalSection(&lock);
        if (changed) return SCARD_S_SUCCESS;
        if (told) return SCARD_E_CANCELLED;
        if (timeout != INFINITE && GetTickCount64() - begun >= timeout) return SCARD_E_TIMEOUT;
        Sleep(5);
    }
}

EXPORT LONG WINAPI SCardConnectA(SCARDCONTEXT context, LPCSTR reader, DWORD mode, DWORD protocols, LPSCARDHANDLE handle, LPDWORD protocol) {
    LONG outcome = SCARD_S_SUCCESS;
    (void)mode; (void)protocols;
    if (!is_open(context)) return SCARD_E_INVALID_HANDLE;
    if (strcmp(reader, READER) != 0) return SCARD_E_UNKNOWN_READER;
    EnterCriticalSection(&lock);
    if (card == INVALID_SOCKET) {
        outcome = SCARD_E_NO_SMARTCARD;
    } else if (in_use) {
        outcome = SCARD_E_SHARING_VIOLATION;
    } else if (!control(1)) {
        taken_out();
        outcome = SCARD_W_REMOVED_CARD;
    } else {
        in_use = TRUE;
        *handle = (SCARDHANDLE)(events + 1);
        *protocol = SCARD_PROTOCOL_T1;
    }
    LeaveCriticalSection(&lock);
    return outcome;
}

/* Holds for the card event in which it was connected. */
static BOOL is_connected(SCARDHANDLE handle) { return card != INVALID_SOCKET && in_use && handle == (SCARDHANDLE)(events + 1); }

EXPORT LONG WINAPI SCardReconnect(SCARDHANDLE handle, DWORD mode, DWORD protocols, DWORD disposition, LPDWORD protocol) {
    LONG outcome = SCARD_W_REMOVED_CARD;
    (void)mode; (void)protocols;
    EnterCriticalSection(&lock);
    if (is_connected(handle)) {
        outcome = disposition == SCARD_LEAVE_CARD || control(2) ? SCARD_S_SUCCESS : SCARD_W_REMOVED_CARD;
        *protocol = SCARD_PROTOCOL_T1;
    }
    LeaveCriticalSection(&lock);
    return outcome;
}

EXPORT LONG WINAPI SCardDisconnect(SCARDHANDLE handle, DWORD disposition) {
    EnterCriticalSection(&lock);
    if (is_connected(handle)) {
        if (disposition != SCARD_LEAVE_CARD && !control(disposition == SCARD_RESET_CARD ? 2 : 0)) taken_out();
        in_use = FALSE;
    }
    LeaveCriticalSection(&lock);
    return SCARD_S_SUCCESS;
}

EXPORT LONG WINAPI SCardBeginTransaction(SCARDHANDLE handle) { (void)handle; return SCARD_S_SUCCESS; }

EXPORT LONG WINAPI SCardEndTransaction(SCARDHANDLE handle, DWORD disposition) { (void)handle; (void)disposition; return SCARD_S_SUCCESS; }

/* Sends a frame and takes the answer; the lock is held, so that the watching thread does not take the answer for the end. */
static LONG exchange(const BYTE *command, DWORD length, BYTE *answer, LPDWORD room) {
    unsigned char head[2];
    DWORD size;
    if (!send_frame(command, length) || !read_all(card, head, 2)) goto removed;
    size = (DWORD)head[0] << 8 | head[1];
    if (size > *room) return SCARD_E_INSUFFICIENT_BUFFER;
    if (!read_all(card, answer, (int)size)) goto removed;
    *room = size;
    return SCARD_S_SUCCESS;
removed:
    taken_out();
    return SCARD_W_REMOVED_CARD;
}

EXPORT LONG WINAPI SCardTransmit(SCARDHANDLE handle, LPCSCARD_IO_REQUEST send_pci, LPCBYTE command, DWORD length, LPSCARD_IO_REQUEST receive_pci, LPBYTE answer, LPDWORD room) {
    LONG outcome = SCARD_W_REMOVED_CARD;
    (void)send_pci; (void)receive_pci;
    EnterCriticalSection(&lock);
    if (is_connected(handle)) outcome = exchange(command, length, answer, room);
    LeaveCriticalSection(&lock);
    return outcome;
}

EXPORT LONG WINAPI SCardStatusA(SCARDHANDLE handle, LPSTR reader, LPDWORD length, LPDWORD state, LPDWORD protocol, LPBYTE atr, LPDWORD room) {
    static const char names[] = READER "\0";
    LONG outcome = SCARD_W_REMOVED_CARD;
    BYTE ask = 4;
    EnterCriticalSection(&lock);
    if (is_connected(handle)) {
        outcome = SCARD_S_SUCCESS;
        if (reader != NULL && *length >= sizeof names) memcpy(reader, names, sizeof names);
        if (length != NULL) *length = sizeof names;
        if (state != NULL) *state = SCARD_SPECIFIC;
        if (protocol != NULL) *protocol = SCARD_PROTOCOL_T1;
        if (atr != NULL && room != NULL) outcome = exchange(&ask, 1, atr, room);
    }
    LeaveCriticalSection(&lock);
    return outcome;
}

EXPORT LONG WINAPI SCardGetAttrib(SCARDHANDLE handle, DWORD id, LPBYTE bytes, LPDWORD length) {
    (void)handle; (void)id; (void)bytes; (void)length;
    return SCARD_E_UNSUPPORTED_FEATURE;
}

EXPORT LONG WINAPI SCardSetAttrib(SCARDHANDLE handle, DWORD id, LPCBYTE bytes, DWORD length) {
    (void)handle; (void)id; (void)bytes; (void)length;
    return SCARD_E_UNSUPPORTED_FEATURE;
}

EXPORT LONG WINAPI SCardControl(SCARDHANDLE handle, DWORD code, LPCVOID in, DWORD in_length, LPVOID out, DWORD out_length, LPDWORD returned) {
    (void)handle; (void)code; (void)in; (void)in_length; (void)out; (void)out_length; (void)returned;
    return SCARD_E_UNSUPPORTED_FEATURE;
}
