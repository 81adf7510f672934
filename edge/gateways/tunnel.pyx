# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=False, autotestdict=False
# distutils: libraries = ssl crypto
"""The life of a tunnel and its four ends; see tunnel.pxd."""

from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdio cimport snprintf
from libc.string cimport memcpy, memmove, strlen
from edge.engine.engine cimport engine_adopt
from edge.engine.memory cimport mem_alloc, mem_calloc, mem_free, mem_realloc
from edge.gateways.frames cimport frame_header
from edge.gateways.openssl cimport SSL_CTX_free
from edge.gateways.tls cimport tls_identity
from edge.gateways.tls_wire cimport WIRE_OPEN, wire_close, wire_encrypt, wire_say_goodbye

cdef extern from "<sys/epoll.h>" nogil:
    ctypedef union epoll_data_t:
        uint64_t u64
    struct epoll_event:
        uint32_t events
        epoll_data_t data
    int epoll_ctl(int, int, int, epoll_event*)
    int EPOLLIN
    int EPOLLOUT
    int EPOLL_CTL_ADD
    int EPOLL_CTL_DEL
    int EPOLL_CTL_MOD

cdef extern from "<sys/socket.h>" nogil:
    ssize_t send(int, const void*, size_t, int)
    int socketpair(int, int, int, int*)
    ssize_t recv(int, void*, size_t, int)
    int shutdown(int, int)
    int AF_UNIX
    int SOCK_STREAM
    int SOCK_NONBLOCK
    int SOCK_CLOEXEC
    int SHUT_WR
    int MSG_NOSIGNAL
    int MSG_PEEK

cdef extern from "<unistd.h>" nogil:
    int c_close "close"(int)

cdef enum:
    PEER_BYTES_MAX = 2048           # address, common name and subject
    OPCODE_CLOSE = 8


# ---------------------------------------------------------------- what is held

cdef void held_keep(Held* held, const uint8_t* data, uint32_t length) noexcept nogil:
    """Hold `length` more bytes, behind those that are held already."""
    cdef uint32_t left = held.end - held.start
    if length == 0:
        return
    if held.start:
        memmove(held.data, held.data + held.start, left)
    held.data = <uint8_t*>mem_realloc(held.data, left + length)
    memcpy(held.data + left, data, length)
    held.start = 0
    held.end = left + length


cdef void held_drop(Held* held) noexcept nogil:
    mem_free(held.data)
    held.data = NULL
    held.start = held.end = 0


# ---------------------------------------------------------------- deadlines

cdef void tunnel_file(PumpState* pump, Tunnel* tunnel, Filed where, int64_t deadline_ms) noexcept nogil:
    """File under a deadline, or under none. Deadlines come nearly in order: the place is found from the end."""
    cdef Deadlines* list
    cdef Tunnel* before
    if tunnel.filed != FILED_NOWHERE:
        list = &pump.greeting if tunnel.filed == FILED_GREETING else &pump.parting
        if tunnel.earlier != NULL:
            tunnel.earlier.later = tunnel.later
        else:
            list.first = tunnel.later
        if tunnel.later != NULL:
            tunnel.later.earlier = tunnel.earlier
        else:
            list.last = tunnel.earlier
        if tunnel.filed == FILED_GREETING:
            pump.stats.greeting -= 1
    tunnel.filed = where
    tunnel.deadline_ms = deadline_ms
    tunnel.earlier = tunnel.later = NULL
    if where == FILED_NOWHERE:
        return
    if where == FILED_GREETING:
        pump.stats.greeting += 1
        list = &pump.greeting
    else:
        list = &pump.parting
    before = list.last
    while before != NULL and before.deadline_ms > deadline_ms:
        before = before.earlier
    tunnel.earlier = before
    if before != NULL:
        tunnel.later = before.later
        before.later = tunnel
    else:
        tunnel.later = list.first
        list.first = tunnel
    if tunnel.later != NULL:
        tunnel.later.earlier = tunnel
    else:
        list.last = tunnel


# ---------------------------------------------------------------- birth and death

cdef Tunnel* tunnel_new(PumpState* pump, PumpListener* listener, int fd, const char* peer) noexcept nogil:
    """Take an accepted socket; it is owned from here on."""
    cdef Tunnel* tunnel = <Tunnel*>mem_calloc(1, sizeof(Tunnel))
    cdef size_t peer_bytes = strlen(peer) + 1
    tunnel.client_fd = fd
    tunnel.inner_fd = -1
    tunnel.listener = listener
    listener.tunnel_count += 1
    tunnel.peer = <char*>mem_alloc(peer_bytes)
    memcpy(tunnel.peer, peer, peer_bytes)
    if listener.proxy_header:
        tunnel.stage = STAGE_PROXY
    else:
        tunnel.stage = STAGE_HANDSHAKE if listener.context != NULL else STAGE_UPGRADE
    tunnel.next = pump.tunnels
    if tunnel.next != NULL:
        tunnel.next.previous = tunnel
    pump.tunnels = tunnel
    pump.stats.accepted += 1
    pump.stats.open += 1
    tunnel_file(pump, tunnel, FILED_GREETING, pump.now_ms + pump.handshake_ms)
    tunnel_settle(pump, tunnel)
    return tunnel


cdef void tunnel_kill(PumpState* pump, Tunnel* tunnel) noexcept nogil:
    """Close both ends now. The struct lives on until the end of the turn: events of it may still come."""
    if tunnel.stage == STAGE_DEAD:
        return
    tunnel.stage = STAGE_DEAD
    tunnel_file(pump, tunnel, FILED_NOWHERE, 0)
    # The descriptors are nobody else's, so closing takes them out of the epoll too.
    c_close(tunnel.client_fd)
    if tunnel.inner_fd >= 0:
        c_close(tunnel.inner_fd)
    if tunnel.previous != NULL:
        tunnel.previous.next = tunnel.next
    else:
        pump.tunnels = tunnel.next
    if tunnel.next != NULL:
        tunnel.next.previous = tunnel.previous
    tunnel.next = pump.graves
    pump.graves = tunnel
    pump.stats.open -= 1


cdef void listener_release(PumpListener* listener) noexcept nogil:
    if listener.removed and listener.tunnel_count == 0:
        if listener.context != NULL:
            SSL_CTX_free(listener.context)
        mem_free(listener.texts)
        mem_free(listener)


cdef void tunnel_bury(PumpState* pump) noexcept nogil:
    """Free those who died in this turn."""
    cdef Tunnel* tunnel = pump.graves
    cdef Tunnel* following
    while tunnel != NULL:
        following = tunnel.next
        wire_close(tunnel.ssl)
        tunnel.listener.tunnel_count -= 1
        listener_release(tunnel.listener)
        mem_free(tunnel.frames)
        mem_free(tunnel.peer)
        held_drop(&tunnel.up)
        held_drop(&tunnel.down)
        mem_free(tunnel)
        tunnel = following
    pump.graves = NULL


cdef void tunnel_fail(PumpState* pump, Tunnel* tunnel, const char* words) noexcept nogil:
    """Count a handshake that came to nothing, and remember the words for the operator."""
    pump.stats.handshakes_failed += 1
    if tunnel.peer != NULL:
        snprintf(pump.stats.last_failure, sizeof(pump.stats.last_failure), b"%s: %s", tunnel.peer, words)


# ---------------------------------------------------------------- to the client

cdef bint send_down(PumpState* pump, Tunnel* tunnel, const uint8_t* data, uint32_t length) noexcept nogil:
    """Send, hold the rest. False: the client is gone, and with it the tunnel."""
    cdef ssize_t put = 0
    if tunnel.down.data == NULL and length:
        put = send(tunnel.client_fd, data, length, MSG_NOSIGNAL)
        if put < 0:
            if errno != EAGAIN and errno != EINTR:
                tunnel_kill(pump, tunnel)
                return False
            put = 0
    held_keep(&tunnel.down, data + put, length - <uint32_t>put)
    return True


cdef bint tunnel_say_wire(PumpState* pump, Tunnel* tunnel) noexcept nogil:
    cdef uint32_t length = pump.wire.output_len
    pump.wire.output_len = 0
    return send_down(pump, tunnel, pump.wire.output, length)


cdef bint tunnel_say(PumpState* pump, Tunnel* tunnel, const uint8_t* data, uint32_t length) noexcept nogil:
    if tunnel.ssl == NULL:
        return send_down(pump, tunnel, data, length)
    if wire_encrypt(&pump.wire, tunnel.ssl, data, length) != WIRE_OPEN:
        tunnel_kill(pump, tunnel)
        return False
    return tunnel_say_wire(pump, tunnel)


cdef bint tunnel_flush_down(PumpState* pump, Tunnel* tunnel) noexcept nogil:
    """Send what is held. False: the tunnel is dead."""
    cdef ssize_t put
    if tunnel.down.data == NULL:
        return True
    put = send(tunnel.client_fd, tunnel.down.data + tunnel.down.start, tunnel.down.end - tunnel.down.start, MSG_NOSIGNAL)
    if put < 0:
        if errno == EAGAIN or errno == EINTR:
            return True
        tunnel_kill(pump, tunnel)
        return False
    tunnel.down.start += <uint32_t>put
    if tunnel.down.start == tunnel.down.end:
        held_drop(&tunnel.down)
    return True


# ---------------------------------------------------------------- to the engine

cdef void engine_is_deaf(Tunnel* tunnel) noexcept nogil:
    """The engine has closed its end. Its last words may still wait there, so only this direction ends."""
    held_drop(&tunnel.up)
    tunnel.client_eof = 1
    tunnel.up_closed = 1


cdef void tunnel_tell(PumpState* pump, Tunnel* tunnel, const uint8_t* data, uint32_t length) noexcept nogil:
    cdef ssize_t put = 0
    if length == 0 or tunnel.up_closed:
        return
    pump.stats.bytes_up += length
    if tunnel.up.data == NULL:
        put = send(tunnel.inner_fd, data, length, MSG_NOSIGNAL)
        if put < 0:
            if errno != EAGAIN and errno != EINTR:
                engine_is_deaf(tunnel)
                return
            put = 0
    held_keep(&tunnel.up, data + put, length - <uint32_t>put)


cdef void tunnel_flush_up(PumpState* pump, Tunnel* tunnel) noexcept nogil:
    """Send what is held."""
    cdef ssize_t put
    if tunnel.up.data == NULL:
        return
    put = send(tunnel.inner_fd, tunnel.up.data + tunnel.up.start, tunnel.up.end - tunnel.up.start, MSG_NOSIGNAL)
    if put < 0:
        if errno != EAGAIN and errno != EINTR:
            engine_is_deaf(tunnel)
        return
    tunnel.up.start += <uint32_t>put
    if tunnel.up.start == tunnel.up.end:
        held_drop(&tunnel.up)


# ---------------------------------------------------------------- opening

cdef void adopt_by_python(PumpState* pump, uint16_t index, int fd, const uint8_t* peer, uint32_t peer_len) noexcept with gil:
    """Tests take the engine's end in Python."""
    (<object>pump.adopt)(index, fd, (<char*>peer)[:peer_len])


cdef bint tunnel_open(PumpState* pump, Tunnel* tunnel) noexcept nogil:
    cdef int pair[2]
    cdef uint8_t peer[2048]
    cdef uint32_t peer_len = <uint32_t>strlen(tunnel.peer) + 1
    cdef epoll_event event
    if socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0:
        pump.stats.refused += 1
        tunnel_kill(pump, tunnel)
        return False
    memcpy(peer, tunnel.peer, peer_len)
    if tunnel.ssl != NULL:
        peer_len += tls_identity(tunnel.ssl, peer + peer_len, PEER_BYTES_MAX - peer_len)
    else:
        peer[peer_len] = 0
        peer_len += 1
    mem_free(tunnel.peer)
    tunnel.peer = NULL
    tunnel.inner_fd = pair[0]
    tunnel.inner_events = EPOLLIN
    event.events = EPOLLIN
    event.data.u64 = <uint64_t><size_t>tunnel | 1
    epoll_ctl(pump.epoll_fd, EPOLL_CTL_ADD, tunnel.inner_fd, &event)
    tunnel.stage = STAGE_OPEN
    tunnel_file(pump, tunnel, FILED_NOWHERE, 0)
    if pump.engine != NULL:
        engine_adopt(pump.engine, tunnel.listener.index, pair[1], peer, peer_len)
    else:
        adopt_by_python(pump, tunnel.listener.index, pair[1], peer, peer_len)
    return True


# ---------------------------------------------------------------- closing

cdef void tunnel_part(PumpState* pump, Tunnel* tunnel, uint16_t close_code) noexcept nogil:
    cdef uint8_t frame[4]
    if tunnel.stage >= STAGE_CLOSING:
        return
    if tunnel.frames != NULL and not tunnel.down_closed:
        frame_header(frame, OPCODE_CLOSE, 2)
        frame[2] = <uint8_t>(close_code >> 8)
        frame[3] = <uint8_t>(close_code & 0xFF)
        if not tunnel_say(pump, tunnel, frame, 4):
            return
    if tunnel.ssl != NULL:
        wire_say_goodbye(&pump.wire, tunnel.ssl)
        if not tunnel_say_wire(pump, tunnel):
            return
        wire_close(tunnel.ssl)
        tunnel.ssl = NULL
    if tunnel.inner_fd >= 0:
        c_close(tunnel.inner_fd)
        tunnel.inner_fd = -1
    held_drop(&tunnel.up)
    mem_free(tunnel.frames)
    tunnel.frames = NULL
    tunnel.stage = STAGE_CLOSING
    tunnel_file(pump, tunnel, FILED_PARTING, pump.now_ms + LAST_WORDS_MS)


cdef bint has_unread(const Tunnel* tunnel) noexcept nogil:
    cdef uint8_t byte
    return recv(tunnel.client_fd, &byte, 1, MSG_PEEK) > 0


cdef void finish(PumpState* pump, Tunnel* tunnel) noexcept nogil:
    """CLOSING: FIN once everything is sent, and the end once the client has sent its own.

    Closing while bytes of the client are unread would send a reset, which may overtake our last words. When
    the pump stops, it is enough that none are.
    """
    if tunnel.down.data == NULL and not tunnel.goodbye_said:
        tunnel.goodbye_said = 1
        shutdown(tunnel.client_fd, SHUT_WR)
        tunnel_file(pump, tunnel, FILED_PARTING, pump.now_ms + CLOSING_MS)
    if tunnel.goodbye_said and (tunnel.client_fin or (pump.stop_at_ms and not has_unread(tunnel))):
        tunnel_kill(pump, tunnel)


cdef bint tunnel_may_read(const Tunnel* tunnel) noexcept nogil:
    """Whether the client is listened to now."""
    if tunnel.stage == STAGE_CLOSING:
        return not tunnel.client_fin
    if tunnel.stage == STAGE_OPEN and tunnel.up.data != NULL:
        return False
    return not tunnel.client_eof and tunnel.down.end - tunnel.down.start < DOWN_BYTES_MAX


cdef void watch(PumpState* pump, Tunnel* tunnel) noexcept nogil:
    """Tell epoll what the tunnel waits for, if that changed."""
    cdef epoll_event event
    cdef uint32_t wanted = 0
    cdef int how
    if tunnel_may_read(tunnel):
        wanted = EPOLLIN
    if tunnel.down.data != NULL:
        wanted |= EPOLLOUT
    if wanted != tunnel.client_events:
        # A socket that nothing is awaited from leaves the epoll, or its hang-up would be reported for ever.
        how = EPOLL_CTL_DEL if wanted == 0 else EPOLL_CTL_ADD if tunnel.client_events == 0 else EPOLL_CTL_MOD
        tunnel.client_events = wanted
        event.events = wanted
        event.data.u64 = <uint64_t><size_t>tunnel
        epoll_ctl(pump.epoll_fd, how, tunnel.client_fd, &event)
    if tunnel.inner_fd < 0 or tunnel.inner_gone:
        return
    # The engine's end stays in the epoll even if nothing is awaited: its hang-up bounds the wait for the client.
    wanted = (EPOLLIN if tunnel.down.data == NULL else 0) | (EPOLLOUT if tunnel.up.data != NULL else 0)
    if wanted != tunnel.inner_events:
        tunnel.inner_events = wanted
        event.events = wanted
        event.data.u64 = <uint64_t><size_t>tunnel | 1
        epoll_ctl(pump.epoll_fd, EPOLL_CTL_MOD, tunnel.inner_fd, &event)


cdef void tunnel_settle(PumpState* pump, Tunnel* tunnel) noexcept nogil:
    if tunnel.stage < STAGE_OPEN:
        if tunnel.client_eof:
            tunnel_kill(pump, tunnel)
    elif tunnel.stage == STAGE_OPEN:
        if tunnel.client_eof and tunnel.up.data == NULL and not tunnel.up_closed:
            tunnel.up_closed = 1
            shutdown(tunnel.inner_fd, SHUT_WR)
    elif tunnel.stage == STAGE_CLOSING:
        finish(pump, tunnel)
    if tunnel.stage != STAGE_DEAD:
        watch(pump, tunnel)
