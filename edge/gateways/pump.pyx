# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=False, autotestdict=False
"""The pump thread and its Python side; see pump.pxd and pump.pyi."""

import _thread

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset
from edge.engine.peer cimport PEER_TEXT_MAX, peer_text, sockaddr, sockaddr_storage
from edge.engine.memory cimport mem_alloc, mem_calloc, mem_free
from edge.engine.state cimport LISTENERS_MAX
from edge.gateways.frames cimport FRAME_HEADER_BYTES_MAX
from edge.gateways.openssl cimport (
    SSL, SSL_CTX, SSL_CTX_free, SSL_CTX_up_ref, SSL_free, SSL_new, SSL_set_accept_state, SSL_set_fd,
)
from edge.gateways.tls cimport TlsContext
from edge.gateways.tunnel cimport (
    CHUNK_BYTES, PumpState, Tunnel, tunnel_bury, tunnel_kill, tunnel_new, tunnel_on_client, tunnel_on_deadline,
    tunnel_on_inner,
)
from edge.gateways.upgrade cimport UpgradeRules

cdef extern from "<sys/epoll.h>" nogil:
    ctypedef union epoll_data_t:
        uint64_t u64
    struct epoll_event:
        uint32_t events
        epoll_data_t data
    int epoll_create1(int)
    int epoll_ctl(int, int, int, epoll_event*)
    int epoll_wait(int, epoll_event*, int, int)
    int EPOLL_CLOEXEC
    int EPOLLIN
    int EPOLL_CTL_ADD
    int EPOLL_CTL_DEL

cdef extern from "<sys/eventfd.h>" nogil:
    int eventfd(unsigned int, int)
    int EFD_NONBLOCK
    int EFD_CLOEXEC

cdef extern from "<sys/socket.h>" nogil:
    int accept4(int, sockaddr*, unsigned int*, int)
    int setsockopt(int, int, int, const void*, unsigned int)
    int SOCK_NONBLOCK
    int SOCK_CLOEXEC

cdef extern from "<netinet/in.h>" nogil:
    int IPPROTO_TCP

cdef extern from "<netinet/tcp.h>" nogil:
    int TCP_NODELAY

cdef extern from "<fcntl.h>" nogil:
    int c_fcntl "fcntl"(int, int, int)
    int F_DUPFD_CLOEXEC

cdef extern from "<unistd.h>" nogil:
    int c_close "close"(int)
    ssize_t c_read "read"(int, void*, size_t)
    ssize_t c_write "write"(int, const void*, size_t)

cdef extern from "<pthread.h>" nogil:
    ctypedef struct pthread_mutex_t:
        pass
    int pthread_mutex_init(pthread_mutex_t*, void*)
    int pthread_mutex_destroy(pthread_mutex_t*)
    int pthread_mutex_lock(pthread_mutex_t*)
    int pthread_mutex_unlock(pthread_mutex_t*)

cdef extern from "<time.h>" nogil:
    struct timespec:
        long tv_sec
        long tv_nsec
    int clock_gettime(int, timespec*)
    int CLOCK_MONOTONIC

cdef enum:
    EVENTS_PER_TURN = 128
    ACCEPTS_PER_TURN = 32
    TICK_MS = 250                   # precision of deadlines, while there are any

# What epoll reports: a Tunnel (even: client, odd: engine's side), a listener, or the wake-up.
# Tunnels are aligned, so bits 1 and 2 are free to tell them apart.
cdef enum:
    TAG_LISTENER = 2
    TAG_WAKE = 4

ctypedef struct PumpListener:
    int fd
    SSL_CTX* context                # NULL: plain WebSocket
    uint8_t websocket
    uint8_t proxy_header
    uint32_t connections_max
    UpgradeRules rules
    char* texts                     # what `rules` points into

ctypedef struct Shared:
    pthread_mutex_t mutex
    int wake_fd
    uint8_t stopping
    PumpListener* listeners[4096]


cdef int64_t now() noexcept nogil:
    cdef timespec time
    clock_gettime(CLOCK_MONOTONIC, &time)
    return <int64_t>time.tv_sec * 1000 + time.tv_nsec / 1000000


cdef void accept_from(PumpState* pump, Shared* shared, uint32_t index) noexcept nogil:
    """Accept a few connections; the listener may not change meanwhile, so the lock is held."""
    cdef PumpListener* listener
    cdef sockaddr_storage address
    cdef unsigned int address_len
    cdef SSL* ssl
    cdef char text[80]
    cdef int one = 1
    cdef int fd
    cdef int i
    pthread_mutex_lock(&shared.mutex)
    listener = shared.listeners[index]
    for i in range(ACCEPTS_PER_TURN):
        if listener == NULL or listener.fd < 0:
            break
        memset(&address, 0, sizeof(address))
        address_len = sizeof(address)
        fd = accept4(listener.fd, <sockaddr*>&address, &address_len, SOCK_NONBLOCK | SOCK_CLOEXEC)
        if fd < 0:
            break
        if listener.connections_max and pump.open_counts[index] >= listener.connections_max:
            pump.refused += 1
            c_close(fd)
            continue
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one))
        peer_text(&address, text, PEER_TEXT_MAX)
        ssl = NULL
        if listener.context != NULL:
            ssl = SSL_new(listener.context)
            if ssl == NULL:
                pump.refused += 1
                c_close(fd)
                continue
            SSL_set_fd(ssl, fd)
            SSL_set_accept_state(ssl)
        pump.accepted += 1
        tunnel_new(pump, fd, <uint16_t>index, text, ssl, listener.websocket, listener.proxy_header, &listener.rules)
    pthread_mutex_unlock(&shared.mutex)


cdef void check_deadlines(PumpState* pump) noexcept nogil:
    cdef Tunnel* tunnel = pump.deadlines.next
    cdef Tunnel* following
    while tunnel != &pump.deadlines:
        following = tunnel.next
        if pump.now_ms >= tunnel.deadline_ms:
            tunnel_on_deadline(pump, tunnel)
        tunnel = following


cdef void run(PumpState* pump, Shared* shared) noexcept nogil:
    cdef epoll_event events[128]
    cdef uint64_t data
    cdef uint64_t count64
    cdef Tunnel* tunnel
    cdef int64_t next_check_ms = 0
    cdef int count
    cdef int i
    while True:
        count = epoll_wait(pump.epoll_fd, events, EVENTS_PER_TURN,
                           TICK_MS if pump.deadlines.next != &pump.deadlines else -1)
        pump.now_ms = now()
        for i in range(count):
            data = events[i].data.u64
            if data & TAG_WAKE:
                c_read(shared.wake_fd, &count64, 8)
                pthread_mutex_lock(&shared.mutex)
                count64 = shared.stopping
                pthread_mutex_unlock(&shared.mutex)
                if count64:
                    while pump.everybody.all_next != &pump.everybody:
                        tunnel_kill(pump, pump.everybody.all_next)
                    tunnel_bury(pump)
                    return
            elif data & TAG_LISTENER:
                accept_from(pump, shared, <uint32_t>(data >> 3))
            else:
                tunnel = <Tunnel*><size_t>(data & ~<uint64_t>1)
                if data & 1:
                    tunnel_on_inner(pump, tunnel, events[i].events)
                else:
                    tunnel_on_client(pump, tunnel, events[i].events)
        if pump.now_ms >= next_check_ms:
            next_check_ms = pump.now_ms + TICK_MS
            check_deadlines(pump)
        if pump.grave_count:
            tunnel_bury(pump)


cdef void listener_free(PumpListener* listener) noexcept nogil:
    if listener == NULL:
        return
    if listener.fd >= 0:
        c_close(listener.fd)
    if listener.context != NULL:
        SSL_CTX_free(listener.context)
    mem_free(listener.texts)
    mem_free(listener)


cdef class Pump:

    def __cinit__(self, Engine engine not None, *, uint32_t handshake_timeout_ms=10000):
        cdef epoll_event event
        cdef Shared* shared = <Shared*>mem_calloc(1, sizeof(Shared))
        cdef PumpState* state = <PumpState*>mem_calloc(1, sizeof(PumpState))
        self.engine = engine
        self.shared = shared
        self.state = state
        self.thread = None
        pthread_mutex_init(&shared.mutex, NULL)
        shared.wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)
        state.engine = engine.state
        state.epoll_fd = epoll_create1(EPOLL_CLOEXEC)
        state.scratch = <uint8_t*>mem_alloc(FRAME_HEADER_BYTES_MAX + CHUNK_BYTES)
        state.open_counts = <uint32_t*>mem_calloc(LISTENERS_MAX, sizeof(uint32_t))
        state.deadlines.next = state.deadlines.previous = &state.deadlines
        state.everybody.all_next = state.everybody.all_previous = &state.everybody
        state.handshake_ms = handshake_timeout_ms
        state.now_ms = now()
        event.events = EPOLLIN
        event.data.u64 = TAG_WAKE
        epoll_ctl(state.epoll_fd, EPOLL_CTL_ADD, shared.wake_fd, &event)

    def __dealloc__(self):
        cdef Shared* shared = <Shared*>self.shared
        if shared == NULL or self.thread is not None:
            return
        for i in range(LISTENERS_MAX):
            listener_free(shared.listeners[i])
        c_close(shared.wake_fd)
        c_close(self.state.epoll_fd)
        pthread_mutex_destroy(&shared.mutex)
        mem_free(self.state.scratch)
        mem_free(self.state.open_counts)
        mem_free(self.state.graves)
        mem_free(self.state)
        mem_free(shared)

    def add_listener(self, uint32_t index, int fd, *, bint proxy_header, TlsContext tls, websocket,
                     uint32_t connections_max):
        cdef Shared* shared = <Shared*>self.shared
        cdef PumpListener* listener
        cdef epoll_event event
        cdef bytes path = b""
        cdef bytes origins = b""
        if index >= LISTENERS_MAX or shared.listeners[index] != NULL:
            raise ValueError(f"listener {index} cannot be added")
        if tls is None and websocket is None:
            raise ValueError("a listener of the pump has TLS or WebSocket")
        if websocket is not None:
            path = websocket.path.encode()
            origins = b"".join([origin.encode() + b"\0" for origin in websocket.origins])
        listener = <PumpListener*>mem_calloc(1, sizeof(PumpListener))
        listener.fd = c_fcntl(fd, F_DUPFD_CLOEXEC, 3)
        if listener.fd < 0:
            mem_free(listener)
            raise OSError("cannot duplicate the listening socket")
        listener.websocket = websocket is not None
        listener.proxy_header = proxy_header
        listener.connections_max = connections_max
        listener.texts = <char*>mem_alloc(len(path) + len(origins) + 2)
        memcpy(listener.texts, <char*>path, len(path) + 1)
        memcpy(listener.texts + len(path) + 1, <char*>origins, len(origins) + 1)
        listener.rules.path = listener.texts
        listener.rules.origins = listener.texts + len(path) + 1
        if tls is not None:
            SSL_CTX_up_ref(tls.context)
            listener.context = tls.context
        pthread_mutex_lock(&shared.mutex)
        shared.listeners[index] = listener
        pthread_mutex_unlock(&shared.mutex)
        event.events = EPOLLIN
        event.data.u64 = (<uint64_t>index << 3) | TAG_LISTENER
        epoll_ctl(self.state.epoll_fd, EPOLL_CTL_ADD, listener.fd, &event)

    def reload_tls(self, uint32_t index, TlsContext tls not None):
        cdef Shared* shared = <Shared*>self.shared
        cdef SSL_CTX* old = NULL
        SSL_CTX_up_ref(tls.context)
        pthread_mutex_lock(&shared.mutex)
        if index < LISTENERS_MAX and shared.listeners[index] != NULL:
            old = shared.listeners[index].context
            shared.listeners[index].context = tls.context
        else:
            old = tls.context
        pthread_mutex_unlock(&shared.mutex)
        if old != NULL:
            SSL_CTX_free(old)

    def stop_listening(self):
        cdef Shared* shared = <Shared*>self.shared
        pthread_mutex_lock(&shared.mutex)
        for i in range(LISTENERS_MAX):
            if shared.listeners[i] != NULL and shared.listeners[i].fd >= 0:
                epoll_ctl(self.state.epoll_fd, EPOLL_CTL_DEL, shared.listeners[i].fd, NULL)
                c_close(shared.listeners[i].fd)
                shared.listeners[i].fd = -1
        pthread_mutex_unlock(&shared.mutex)

    def _run(self, ended):
        with nogil:
            run(self.state, <Shared*>self.shared)
        ended.release()

    def start(self):
        if self.thread is None:
            self.thread = _thread.allocate_lock()
            self.thread.acquire()
            _thread.start_new_thread(self._run, (self.thread,))

    def stop(self):
        cdef Shared* shared = <Shared*>self.shared
        cdef uint64_t one = 1
        if self.thread is None:
            return
        pthread_mutex_lock(&shared.mutex)
        shared.stopping = 1
        pthread_mutex_unlock(&shared.mutex)
        c_write(shared.wake_fd, &one, 8)
        self.thread.acquire()
        self.thread = None

    def stats(self):
        return {
            "accepted": self.state.accepted, "refused": self.state.refused,
            "handshakes_failed": self.state.handshakes_failed, "open": self.state.open,
            "bytes_up": self.state.bytes_up, "bytes_down": self.state.bytes_down,
        }
