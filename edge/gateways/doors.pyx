# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=False, autotestdict=False
# distutils: libraries = ssl crypto
"""Listening for clients of the pump; see doors.pxd."""

from libc.errno cimport ECONNABORTED, EINTR, EMFILE, ENFILE, ENOBUFS, ENOMEM, errno
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset
from edge.engine.peer cimport PEER_TEXT_MAX, peer_text, sockaddr, sockaddr_storage
from edge.gateways.openssl cimport SSL_CTX_free
from edge.gateways.tunnel cimport (
    STAGE_OPEN, Tunnel, listener_release, tunnel_kill, tunnel_new,
)

cdef extern from "<sys/epoll.h>" nogil:
    ctypedef union epoll_data_t:
        uint64_t u64
    struct epoll_event:
        uint32_t events
        epoll_data_t data
    int epoll_ctl(int, int, int, epoll_event*)
    int EPOLLIN
    int EPOLL_CTL_ADD
    int EPOLL_CTL_DEL

cdef extern from "<sys/socket.h>" nogil:
    int accept4(int, sockaddr*, unsigned int*, int)
    int setsockopt(int, int, int, const void*, unsigned int)
    int SOCK_NONBLOCK
    int SOCK_CLOEXEC
    int AF_INET
    int AF_INET6

cdef extern from "<netinet/in.h>" nogil:
    int IPPROTO_TCP

cdef extern from "<netinet/tcp.h>" nogil:
    int TCP_NODELAY

cdef extern from "<fcntl.h>" nogil:
    int c_open "open"(const char*, int)
    int O_RDONLY
    int O_CLOEXEC

cdef extern from "<unistd.h>" nogil:
    int c_close "close"(int)

cdef enum:
    # Few, because each brings a handshake: those under way go first, and the backlog is the queue.
    ACCEPTS_PER_TURN = 32


cdef void listen(PumpState* pump, PumpListener* listener) noexcept nogil:
    cdef epoll_event event
    listener.resting = 0
    event.events = EPOLLIN
    event.data.u64 = <uint64_t><size_t>listener | 2
    epoll_ctl(pump.epoll_fd, EPOLL_CTL_ADD, listener.fd, &event)


cdef void doors_add(PumpState* pump, PumpListener* listener) noexcept nogil:
    listener.next = pump.listeners
    pump.listeners = listener
    if pump.crowded:
        listener.resting = 1
    else:
        listen(pump, listener)


cdef void close_door(PumpState* pump, PumpListener* listener) noexcept nogil:
    """Accept nobody any more, and forget those who are still shaking hands."""
    cdef Tunnel* tunnel = pump.tunnels
    cdef Tunnel* following
    while tunnel != NULL:
        following = tunnel.next
        if tunnel.listener == listener and tunnel.stage < STAGE_OPEN:
            tunnel_kill(pump, tunnel)
        tunnel = following
    if not listener.resting:
        epoll_ctl(pump.epoll_fd, EPOLL_CTL_DEL, listener.fd, NULL)
    c_close(listener.fd)
    listener.removed = 1
    listener_release(listener)


cdef void doors_remove(PumpState* pump, uint16_t index) noexcept nogil:
    cdef PumpListener** link = &pump.listeners
    cdef PumpListener* listener
    while link[0] != NULL:
        listener = link[0]
        if listener.index == index:
            link[0] = listener.next
            close_door(pump, listener)
            return
        link = &listener.next


cdef void doors_remove_all(PumpState* pump) noexcept nogil:
    while pump.listeners != NULL:
        doors_remove(pump, pump.listeners.index)


cdef void doors_reload(PumpState* pump, uint16_t index, SSL_CTX* context) noexcept nogil:
    cdef PumpListener* listener = pump.listeners
    cdef SSL_CTX* old
    while listener != NULL:
        if listener.index == index and listener.context != NULL:
            # Connections keep the context that they began with, each by a reference of its own.
            old = listener.context
            listener.context = context
            context = old
            break
        listener = listener.next
    SSL_CTX_free(context)


cdef void refuse_one(PumpState* pump, PumpListener* listener) noexcept nogil:
    """No descriptor left: give up the spare one for a moment, or epoll would report the same client for ever."""
    cdef int fd
    if pump.spare_fd >= 0:
        c_close(pump.spare_fd)
    fd = accept4(listener.fd, NULL, NULL, SOCK_CLOEXEC)
    if fd >= 0:
        c_close(fd)
        pump.stats.refused += 1
    pump.spare_fd = c_open(b"/dev/null", O_RDONLY | O_CLOEXEC)


cdef void accept_some(PumpState* pump, PumpListener* listener) noexcept nogil:
    cdef sockaddr_storage address
    cdef unsigned int address_len
    cdef char text[80]
    cdef int one = 1
    cdef int fd
    cdef int _i
    for _i in range(ACCEPTS_PER_TURN):
        if pump.stats.greeting >= HANDSHAKES_MAX:
            return
        memset(&address, 0, sizeof(address))
        address_len = sizeof(address)
        fd = accept4(listener.fd, <sockaddr*>&address, &address_len, SOCK_NONBLOCK | SOCK_CLOEXEC)
        if fd < 0:
            if errno == EMFILE or errno == ENFILE or errno == ENOBUFS or errno == ENOMEM:
                refuse_one(pump, listener)
            elif errno == EINTR or errno == ECONNABORTED:
                continue
            return
        if listener.connections_max and listener.tunnel_count >= listener.connections_max:
            pump.stats.refused += 1
            c_close(fd)
            continue
        if address.ss_family == AF_INET or address.ss_family == AF_INET6:
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one))
        peer_text(&address, text, PEER_TEXT_MAX)
        tunnel_new(pump, listener, fd, text)


cdef void doors_turn(PumpState* pump) noexcept nogil:
    cdef PumpListener* listener = pump.listeners
    if pump.any_ready:
        pump.any_ready = 0
        while listener != NULL:
            if listener.ready:
                listener.ready = 0
                accept_some(pump, listener)
            listener = listener.next
    if pump.crowded == (pump.stats.greeting >= HANDSHAKES_MAX):
        return
    pump.crowded = not pump.crowded
    listener = pump.listeners
    while listener != NULL:
        if pump.crowded:
            listener.resting = 1
            epoll_ctl(pump.epoll_fd, EPOLL_CTL_DEL, listener.fd, NULL)
        else:
            listen(pump, listener)
        listener = listener.next
