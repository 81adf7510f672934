# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=False, autotestdict=False
"""Reading from connections; see input.pxd."""

from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy, memmove
from edge.engine.connection cimport connection_fail, connection_kill, connection_schedule
from edge.engine.dispatch cimport dispatch, dispatch_may_go_on
from edge.engine.mailbox cimport PEER_CLOSED, PROTOCOL_BROKEN, QUOTA_PASSED
from edge.engine.memory cimport mem_alloc, mem_free, mem_realloc, mem_used
from edge.engine.output cimport output_is_clogged
from edge.engine.poll cimport connection_poll
from edge.engine.types cimport CONNECTION_DEAD, CONNECTION_NEW
from edge.gateways.proxy_header cimport ProxyHeader, proxy_header_parse

cdef extern from "<sys/socket.h>" nogil:
    ssize_t recv(int, void*, size_t, int)

cdef enum:
    STASH_DIRECT_MIN = 16384        # a packet from this size on is received where it is kept
    SERVER_BUSY = 0x89              # Reason Code
    ANSWERS_BYTES_MAX = 131072      # own output above output_bytes_max that stops reading
    ANSWERS_BYTES_BUSY = 65536      # the same while the memory budget is used up


cdef void stash_keep(EngineState* state, Connection* connection, const uint8_t* data, uint32_t length) noexcept nogil:
    """Keep unconsumed bytes; `data` may lie inside the stash."""
    if length == 0:
        if connection.stash != NULL:
            mem_free(connection.stash)
            connection.stash = NULL
            connection.stash_capacity = 0
        connection.stash_len = 0
        return
    if length > connection.stash_capacity:
        # `data` cannot lie inside a stash that is too small for it.
        mem_free(connection.stash)
        connection.stash = <uint8_t*>mem_alloc(length)
        connection.stash_capacity = length
    memmove(connection.stash, data, length)
    connection.stash_len = length


cdef uint32_t take_proxy_header(EngineState* state, Connection* connection, const uint8_t* data, uint32_t length) noexcept nogil:
    """Bytes of the PROXY header at the start; 0 if it is incomplete (or broken, then the connection is dead)."""
    cdef ProxyHeader header
    cdef int used = proxy_header_parse(data, length, &header)
    cdef uint32_t text_len = 0
    if used < 0:
        connection_kill(state, connection, PROTOCOL_BROKEN)
        return 0
    if used == 0:
        return 0
    connection.expects_proxy = 0
    while header.source[text_len]:
        text_len += 1
    if text_len and not header.is_local:
        mem_free(connection.peer)
        connection.peer = <uint8_t*>mem_alloc(text_len)
        memcpy(connection.peer, header.source, text_len)
        connection.peer_len = text_len
    return <uint32_t>used


cdef void feed(EngineState* state, Connection* connection, const uint8_t* data, uint32_t length) noexcept nogil:
    """Hand bytes to the dispatcher and keep what it leaves."""
    cdef uint32_t used = 0
    cdef bint was_partial = connection.packet_started_ms != 0
    if connection.expects_proxy:
        used = take_proxy_header(state, connection, data, length)
    if not connection.expects_proxy:
        used += dispatch(state, connection, data + used, length - used)
    if connection.state == CONNECTION_DEAD or connection.finishing:
        return
    stash_keep(state, connection, data + used, length - used)
    if length == used or not dispatch_may_go_on(connection):
        connection.packet_started_ms = 0
    elif used or not was_partial:
        connection.packet_started_ms = state.now_ms
        if state.limits.packet_timeout_ms:
            connection_schedule(state, connection)


cdef bint over_budget(EngineState* state) noexcept nogil:
    return state.limits.memory_bytes_max != 0 and mem_used() > state.limits.memory_bytes_max


cdef bint is_clogged(EngineState* state, Connection* connection) noexcept nogil:
    return (output_is_clogged(state, connection, state.limits.output_bytes_max + ANSWERS_BYTES_MAX)
            or (over_budget(state) and output_is_clogged(state, connection, ANSWERS_BYTES_BUSY)))


cdef void input_unclog(EngineState* state, Connection* connection) noexcept nogil:
    """The socket took some output: read on if that was most of it."""
    if connection.clogged and not output_is_clogged(state, connection, ANSWERS_BYTES_BUSY / 2):
        connection.clogged = 0
        input_resume(state, connection)


cdef void read_into_stash(EngineState* state, Connection* connection) noexcept nogil:
    """Go on with one large packet in place. Its room grows with what really arrives, not with what is announced."""
    cdef uint32_t capacity
    cdef ssize_t got
    if connection.stash_capacity - connection.stash_len < READ_BYTES / 2 and connection.stash_capacity < connection.stash_need:
        if over_budget(state):
            connection_fail(state, connection, SERVER_BUSY, QUOTA_PASSED)
            return
        capacity = connection.stash_capacity * 2
        if capacity < READ_BYTES:
            capacity = READ_BYTES
        if capacity > connection.stash_need:
            capacity = connection.stash_need
        connection.stash = <uint8_t*>mem_realloc(connection.stash, capacity)
        connection.stash_capacity = capacity
    got = recv(connection.fd, connection.stash + connection.stash_len,
               connection.stash_capacity - connection.stash_len, 0)
    state.stats.receives += 1
    if got <= 0:
        received_nothing(state, connection, got)
        return
    state.stats.bytes_received += got
    connection.bytes_in += got
    connection.stash_len += <uint32_t>got
    if connection.stash_len >= connection.stash_need:
        resume_stash(state, connection)


cdef void received_nothing(EngineState* state, Connection* connection, ssize_t got) noexcept nogil:
    if got == 0 or (errno != EAGAIN and errno != EINTR):
        connection_kill(state, connection, PEER_CLOSED)


cdef void resume_stash(EngineState* state, Connection* connection) noexcept nogil:
    """Look at the kept bytes again. They are taken out first: a handler may need the stash for itself."""
    cdef uint8_t* data = connection.stash
    cdef uint32_t length = connection.stash_len
    connection.stash = NULL
    connection.stash_len = connection.stash_capacity = 0
    feed(state, connection, data, length)
    mem_free(data)


cdef void input_readable(EngineState* state, Connection* connection) noexcept nogil:
    """The socket has something: read once and handle every complete packet."""
    cdef uint32_t have
    cdef ssize_t got
    if connection.finishing:
        # Our side is done. What still comes is thrown away until the peer closes too.
        got = recv(connection.fd, state.read_buffer, state.read_capacity, 0)
        if got <= 0:
            received_nothing(state, connection, got)
        return
    if connection.want_out and is_clogged(state, connection):
        # It asks and does not take our answers. They would pile up without a bound if we went on reading.
        connection.clogged = 1
    if not dispatch_may_go_on(connection):
        if not connection.disarmed:
            connection.disarmed = 1
            connection_poll(state, connection)
        return
    if connection.stash_need >= STASH_DIRECT_MIN:
        read_into_stash(state, connection)
        return
    have = connection.stash_len
    if state.read_capacity - have < READ_BYTES:
        state.read_capacity = have + READ_BYTES
        state.read_buffer = <uint8_t*>mem_realloc(state.read_buffer, state.read_capacity)
    if have:
        memcpy(state.read_buffer, connection.stash, have)
    got = recv(connection.fd, state.read_buffer + have, READ_BYTES, 0)
    state.stats.receives += 1
    if got <= 0:
        received_nothing(state, connection, got)
        return
    state.stats.bytes_received += got
    connection.bytes_in += got
    if connection.state == CONNECTION_NEW and over_budget(state):
        connection_kill(state, connection, QUOTA_PASSED)
        return
    feed(state, connection, state.read_buffer, have + <uint32_t>got)


cdef void input_resume(EngineState* state, Connection* connection) noexcept nogil:
    """A pause is over: go on with what was kept, then with the socket."""
    if not dispatch_may_go_on(connection):
        return
    if connection.disarmed:
        connection.disarmed = 0
        connection_poll(state, connection)
    if connection.stash_len:
        resume_stash(state, connection)
    if connection.state != CONNECTION_DEAD and not connection.finishing:
        connection_schedule(state, connection)
