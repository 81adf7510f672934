# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=False, autotestdict=False
"""Accepting connections; see listener.pxd."""

from libc.errno cimport EMFILE, ENFILE, errno
from libc.stdint cimport uint8_t, uint16_t, uint64_t
from libc.string cimport memset
from edge.engine.connection cimport connection_new
from edge.engine.mailbox cimport mailbox_is_crowded
from edge.engine.memory cimport mem_calloc, mem_free
from edge.engine.peer cimport PEER_TEXT_MAX, peer_text, sockaddr, sockaddr_storage
from edge.engine.state cimport LISTENERS_MAX

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
    ACCEPTS_PER_TURN = 64           # a flood of connects must not starve those who are connected


cdef void listener_add(EngineState* state, const Command* command) noexcept nogil:
    """Start listening; a negative descriptor makes a listener that only gateways feed."""
    cdef Listener* listener
    cdef epoll_event event
    cdef uint32_t i
    if command.number >= LISTENERS_MAX:
        return
    listener_remove(state, <uint32_t>command.number)
    listener = <Listener*>mem_calloc(1, sizeof(Listener))
    listener.fd = <int>command.signed_number
    listener.index = <uint16_t>command.number
    listener.proxy_header = <uint8_t>command.flags
    listener.connections_max = command.terms.keep_alive_s
    listener.packet_bytes_max = command.terms.packet_bytes_max
    # Connections of an earlier listener of this index stayed.
    for i in range(state.slot_capacity):
        if state.slots[i] != NULL and state.slots[i].listener_index == listener.index:
            listener.connection_count += 1
    state.listeners[listener.index] = listener
    if listener.fd >= 0:
        event.events = EPOLLIN
        event.data.u64 = listener.index
        epoll_ctl(state.epoll_fd, EPOLL_CTL_ADD, listener.fd, &event)


cdef void listener_remove(EngineState* state, uint32_t index) noexcept nogil:
    """Stop listening; connections that came this way stay."""
    cdef Listener* listener
    if index >= LISTENERS_MAX or state.listeners[index] == NULL:
        return
    listener = state.listeners[index]
    if listener.fd >= 0:
        epoll_ctl(state.epoll_fd, EPOLL_CTL_DEL, listener.fd, NULL)
        c_close(listener.fd)
    mem_free(listener)
    state.listeners[index] = NULL


cdef void listener_remove_all(EngineState* state) noexcept nogil:
    cdef uint32_t i
    for i in range(LISTENERS_MAX):
        listener_remove(state, i)


cdef void refuse_one(EngineState* state, Listener* listener) noexcept nogil:
    """No descriptor left: give up the spare one for a moment, or epoll would report the same connection for ever."""
    cdef int fd
    if state.spare_fd < 0:
        state.spare_fd = c_open(b"/dev/null", O_RDONLY | O_CLOEXEC)
        if state.spare_fd < 0:
            return
    c_close(state.spare_fd)
    fd = accept4(listener.fd, NULL, NULL, SOCK_CLOEXEC)
    if fd >= 0:
        c_close(fd)
        state.stats.accept_refused += 1
    state.spare_fd = c_open(b"/dev/null", O_RDONLY | O_CLOEXEC)


cdef void listener_accept(EngineState* state, Listener* listener) noexcept nogil:
    """Take the connections that wait, up to a share of the turn."""
    cdef sockaddr_storage address
    cdef unsigned int address_len
    cdef char text[80]
    cdef uint32_t text_len
    cdef int _i
    cdef int fd
    cdef int one = 1
    cdef bint crowded = mailbox_is_crowded(&state.mailbox)
    for _i in range(ACCEPTS_PER_TURN):
        memset(&address, 0, sizeof(address))
        address_len = sizeof(address)
        fd = accept4(listener.fd, <sockaddr*>&address, &address_len, SOCK_NONBLOCK | SOCK_CLOEXEC)
        if fd < 0:
            if errno == EMFILE or errno == ENFILE:
                refuse_one(state, listener)
            return
        if crowded or (state.limits.connections_max and state.connection_count >= state.limits.connections_max) or (
                listener.connections_max and listener.connection_count >= listener.connections_max):
            state.stats.accept_refused += 1
            c_close(fd)
            continue
        if address.ss_family == AF_INET or address.ss_family == AF_INET6:
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one))
        text_len = peer_text(&address, text, PEER_TEXT_MAX)
        connection_new(state, listener, fd, <const uint8_t*>text, text_len, listener.proxy_header)
