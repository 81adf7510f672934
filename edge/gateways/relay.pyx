# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=False, autotestdict=False
# distutils: libraries = ssl crypto
"""Moving bytes between a client and the engine; see relay.pxd."""

from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcpy, memmove
from edge.gateways.frames cimport FRAME_HEADER_BYTES_MAX, frame_header, frames_read
from edge.gateways.greet cimport greet_proxy, greet_tls, greet_upgrade
from edge.gateways.tunnel cimport (
    CHUNK_BYTES, FILED_PARTING, HELD_BYTES_MAX, LAST_WORDS_MS, STAGE_CLOSING,
    STAGE_DEAD, STAGE_OPEN, STAGE_PROXY, STAGE_UPGRADE, tunnel_file, tunnel_flush_down,
    tunnel_flush_up, tunnel_kill, tunnel_may_read, tunnel_part, tunnel_say, tunnel_settle, tunnel_tell,
)

cdef extern from "<sys/epoll.h>" nogil:
    int epoll_ctl(int, int, int, void*)
    int EPOLLIN
    int EPOLLOUT
    int EPOLLHUP
    int EPOLLERR
    int EPOLL_CTL_DEL

cdef extern from "<sys/socket.h>" nogil:
    ssize_t recv(int, void*, size_t, int)

cdef enum Opcode:
    OPCODE_BINARY = 2
    OPCODE_CLOSE = 8
    OPCODE_PONG = 10

cdef enum CloseCode:
    NORMAL = 1000
    GOING_AWAY = 1001


# ---------------------------------------------------------------- client to engine

cdef void unframe(PumpState* pump, Tunnel* tunnel, uint8_t* data, uint32_t length) noexcept nogil:
    """Take the payload of WebSocket frames to the engine; answer pings and the client's Close.

    Answers are gathered and said at once. They are never longer than the frames they answer, so `back` has room.
    """
    cdef uint8_t* answers = pump.back
    cdef uint32_t answers_len = 0
    cdef uint32_t at = 0
    cdef uint32_t joined = 0
    cdef uint32_t got
    cdef uint32_t used
    while True:
        got = frames_read(tunnel.frames, data + at, length - at, &used)
        if at != joined:
            memmove(data + joined, data + at, got)
        joined += got
        at += used
        if not tunnel.frames.pong_wanted:
            break
        tunnel.frames.pong_wanted = 0
        answers_len += frame_header(answers + answers_len, OPCODE_PONG, tunnel.frames.control_len)
        memcpy(answers + answers_len, tunnel.frames.control, tunnel.frames.control_len)
        answers_len += tunnel.frames.control_len
    tunnel_tell(pump, tunnel, data, joined)
    if tunnel.frames.closed:
        answers_len += frame_header(answers + answers_len, OPCODE_CLOSE, 2)
        answers[answers_len] = <uint8_t>(tunnel.frames.close_code >> 8)
        answers[answers_len + 1] = <uint8_t>(tunnel.frames.close_code & 0xFF)
        answers_len += 2
        # The engine hears the end behind everything that came before, and need not hurry to answer it.
        tunnel.client_eof = 1
        tunnel.down_closed = 1
        tunnel_file(pump, tunnel, FILED_PARTING, pump.now_ms + LAST_WORDS_MS)
    if answers_len:
        tunnel_say(pump, tunnel, answers, answers_len)


cdef void take(PumpState* pump, Tunnel* tunnel, uint8_t* data, uint32_t length) noexcept nogil:
    """Lead fresh bytes through the layers as far as they go."""
    if tunnel.stage == STAGE_PROXY and not greet_proxy(pump, tunnel, &data, &length):
        return
    if tunnel.listener.context != NULL and not greet_tls(pump, tunnel, &data, &length):
        return
    if tunnel.stage == STAGE_UPGRADE and not greet_upgrade(pump, tunnel, &data, &length):
        return
    if tunnel.frames != NULL:
        unframe(pump, tunnel, data, length)
    else:
        tunnel_tell(pump, tunnel, data, length)


cdef void read_client(PumpState* pump, Tunnel* tunnel) noexcept nogil:
    """One batch from the client, unless the last one is still held."""
    cdef uint8_t* data = pump.raw + HELD_BYTES_MAX
    cdef ssize_t got
    if not tunnel_may_read(tunnel):
        return
    got = recv(tunnel.client_fd, data, CHUNK_BYTES, 0)
    if got < 0:
        if errno != EAGAIN and errno != EINTR:
            tunnel_kill(pump, tunnel)
    elif got == 0:
        tunnel.client_eof = tunnel.client_fin = 1
    elif tunnel.stage != STAGE_CLOSING:
        take(pump, tunnel, data, <uint32_t>got)


cdef void relay_client(PumpState* pump, Tunnel* tunnel, uint32_t events) noexcept nogil:
    if tunnel.stage == STAGE_DEAD:
        return
    if events & (EPOLLOUT | EPOLLHUP | EPOLLERR):
        if not tunnel_flush_down(pump, tunnel):
            return
        if tunnel.inner_gone:
            read_inner(pump, tunnel)
    if events & (EPOLLIN | EPOLLHUP | EPOLLERR) and tunnel.stage != STAGE_DEAD:
        read_client(pump, tunnel)
    tunnel_settle(pump, tunnel)


# ---------------------------------------------------------------- engine to client

cdef void read_inner(PumpState* pump, Tunnel* tunnel) noexcept nogil:
    """One batch from the engine; all of them if it has closed. Its end is our goodbye."""
    cdef uint8_t* data = pump.back + FRAME_HEADER_BYTES_MAX
    cdef uint8_t header[10]
    cdef uint32_t header_len = 0
    cdef ssize_t got
    while tunnel.stage == STAGE_OPEN and tunnel.down.data == NULL:
        got = recv(tunnel.inner_fd, data, CHUNK_BYTES, 0)
        if got < 0 and (errno == EAGAIN or errno == EINTR):
            if pump.stop_at_ms and errno == EAGAIN:
                tunnel_part(pump, tunnel, GOING_AWAY)
            return
        if got <= 0:
            tunnel_part(pump, tunnel, NORMAL)
            return
        if not tunnel.down_closed:
            pump.stats.bytes_down += got
            if tunnel.frames != NULL:
                header_len = frame_header(header, OPCODE_BINARY, <uint64_t>got)
                memcpy(data - header_len, header, header_len)
            if not tunnel_say(pump, tunnel, data - header_len, <uint32_t>got + header_len):
                return
        if not tunnel.inner_gone:
            return


cdef void relay_inner(PumpState* pump, Tunnel* tunnel, uint32_t events) noexcept nogil:
    if tunnel.stage != STAGE_OPEN:
        return
    if events & (EPOLLOUT | EPOLLHUP | EPOLLERR):
        tunnel_flush_up(pump, tunnel)
    if events & EPOLLHUP and tunnel.down.data != NULL and not tunnel.inner_gone:
        # Closed, with words that the client has yet to take: epoll would report it for ever.
        tunnel.inner_gone = 1
        epoll_ctl(pump.epoll_fd, EPOLL_CTL_DEL, tunnel.inner_fd, NULL)
        tunnel_file(pump, tunnel, FILED_PARTING, pump.now_ms + LAST_WORDS_MS)
    elif events & (EPOLLIN | EPOLLHUP | EPOLLERR):
        read_inner(pump, tunnel)
    tunnel_settle(pump, tunnel)


cdef void relay_last_words(PumpState* pump, Tunnel* tunnel) noexcept nogil:
    if tunnel.stage < STAGE_OPEN:
        tunnel_kill(pump, tunnel)
        return
    if tunnel.stage == STAGE_OPEN:
        if not tunnel.inner_gone:
            tunnel.inner_gone = 1
            epoll_ctl(pump.epoll_fd, EPOLL_CTL_DEL, tunnel.inner_fd, NULL)
        read_inner(pump, tunnel)
    tunnel_settle(pump, tunnel)
