# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=False, autotestdict=False
"""The life of a Network Connection; see connection.pxd."""

from libc.stdint cimport INT64_MAX, int64_t
from libc.string cimport memcpy
from edge.engine.alias cimport alias_release
from edge.engine.mailbox cimport (
    EventNode, KEEP_ALIVE_PASSED, KIND_CLOSED, PROTOCOL_BROKEN, TIMED_OUT, WRITE_FAILED,
    event_new, mailbox_post,
)
from edge.engine.memory cimport mem_alloc, mem_calloc, mem_free, mem_realloc
from edge.engine.output cimport output_commit, output_flush, output_release, output_reserve
from edge.engine.poll cimport connection_handle, connection_poll
from edge.engine.rate cimport bucket_init, rate_leave
from edge.engine.session cimport session_detach
from edge.engine.topic_map cimport mapping_release
from edge.engine.types cimport (
    CONNECTION_CONNECTING, CONNECTION_DEAD, CONNECTION_LINGER, CONNECTION_LIVE, CONNECTION_NEW,
)
from edge.engine.wheel cimport wheel_remove, wheel_set
from edge.engine.window cimport session_pump

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
    int shutdown(int, int)
    int SHUT_WR

cdef extern from "<unistd.h>" nogil:
    int c_close "close"(int)

cdef enum:
    FINISH_MS = 5000                # to take what is left to send before an orderly close
    LINGER_MS = 2000                # to answer our FIN with one
    DISCONNECT_V5 = 0xE0
    KEEP_ALIVE_TIMEOUT = 0x8D       # Reason Code
    PACKET_BYTES_UNLIMITED = 0xFFFFFFFF


cdef Connection* connection_new(EngineState* state, Listener* listener, int fd, const uint8_t* peer,
                                uint32_t peer_len, bint proxy_header) noexcept nogil:
    """Take a connected, non-blocking socket into service; it must complete a CONNECT in time."""
    cdef Connection* connection = <Connection*>mem_calloc(1, sizeof(Connection))
    cdef uint32_t i
    cdef uint32_t capacity
    cdef epoll_event event
    if state.free_count == 0:
        capacity = state.slot_capacity * 2 if state.slot_capacity else 64
        state.slots = <Connection**>mem_realloc(state.slots, capacity * sizeof(Connection*))
        state.free_slots = <uint32_t*>mem_realloc(state.free_slots, capacity * sizeof(uint32_t))
        for i in range(capacity - state.slot_capacity):
            state.slots[capacity - 1 - i] = NULL
            state.free_slots[i] = capacity - 1 - i
        state.free_count = capacity - state.slot_capacity
        state.slot_capacity = capacity
    state.free_count -= 1
    state.generation += 1
    if state.generation == 0:
        state.generation = 1        # handles with generation 0 are listeners, see poll.pxd
    connection.slot = state.free_slots[state.free_count]
    connection.generation = state.generation
    connection.fd = fd
    connection.state = CONNECTION_NEW
    connection.protocol_version = 4
    connection.expects_proxy = proxy_header
    connection.listener_index = listener.index
    connection.packet_bytes_max = listener.packet_bytes_max
    connection.client_packet_bytes_max = PACKET_BYTES_UNLIMITED
    connection.last_packet_ms = state.now_ms
    if peer_len:
        connection.peer = <uint8_t*>mem_alloc(peer_len)
        memcpy(connection.peer, peer, peer_len)
        connection.peer_len = peer_len
    state.slots[connection.slot] = connection
    state.connection_count += 1
    listener.connection_count += 1
    state.stats.accepted += 1
    event.events = EPOLLIN
    event.data.u64 = connection_handle(connection)
    epoll_ctl(state.epoll_fd, EPOLL_CTL_ADD, fd, &event)
    connection_schedule(state, connection)
    return connection


cdef Connection* connection_find(EngineState* state, uint64_t handle) noexcept nogil:
    """The connection of a handle; NULL if it is gone."""
    cdef uint32_t slot = <uint32_t>handle
    cdef Connection* connection
    if slot >= state.slot_capacity:
        return NULL
    connection = state.slots[slot]
    if connection == NULL or connection.generation != <uint32_t>(handle >> 32):
        return NULL
    return connection


cdef void connection_accept(EngineState* state, Connection* connection, const AcceptTerms* terms,
                            const uint8_t* mount, uint16_t mount_len) noexcept nogil:
    """The control plane said yes: from here on PUBLISH and its kin are the engine's."""
    connection.state = CONNECTION_LIVE
    connection.protocol_version = terms.protocol_version
    connection.keep_alive_ms = <int64_t>terms.keep_alive_s * 1500
    connection.packet_bytes_max = terms.packet_bytes_max
    connection.client_packet_bytes_max = terms.client_packet_bytes_max if terms.client_packet_bytes_max else PACKET_BYTES_UNLIMITED
    connection.receive_max = terms.receive_max
    connection.alias_in_max = terms.alias_in_max
    connection.alias_out_max = terms.alias_out_max
    connection.qos_max = terms.qos_max
    connection.retain_available = terms.retain_available
    connection.needs_map = terms.needs_map
    bucket_init(&connection.rate, terms.rate_messages_s, terms.rate_bytes_s, state.now_ms)
    if mount_len:
        connection.mount = <uint8_t*>mem_alloc(mount_len)
        memcpy(connection.mount, mount, mount_len)
        connection.mount_len = mount_len
    connection.plain = connection.mount_len == 0 and connection.alias_out_max == 0
    connection.last_packet_ms = state.now_ms
    connection_schedule(state, connection)


# ---------------------------------------------------------------- the ways out

cdef void report_closed(EngineState* state, Connection* connection, uint8_t cause, uint8_t reason_code) noexcept nogil:
    """Tell the control plane, once, and part from the session."""
    cdef EventNode* event
    if connection.finishing:
        return
    connection.finishing = 1
    # Nobody but the engine ever saw a connection that sent no CONNECT.
    if connection.state != CONNECTION_NEW:
        event = event_new(KIND_CLOSED, NULL, 0, NULL, 0, NULL, 0)
        event.connection = connection_handle(connection)
        event.session = connection.session.id if connection.session != NULL else 0
        event.cause = cause
        event.reason_code = reason_code
        mailbox_post(&state.mailbox, event)
    if cause == PROTOCOL_BROKEN:
        state.stats.closed_protocol += 1
    elif cause == KEEP_ALIVE_PASSED:
        state.stats.closed_keep_alive += 1
    elif cause == TIMED_OUT:
        state.stats.closed_timeout += 1
    session_detach(connection)


cdef void connection_kill(EngineState* state, Connection* connection, uint8_t cause) noexcept nogil:
    """Close the descriptor now. The struct lives on in the graveyard until the end of the turn."""
    cdef Listener* listener
    if connection.state == CONNECTION_DEAD:
        return
    report_closed(state, connection, cause, 0)
    connection.state = CONNECTION_DEAD
    wheel_remove(&state.wheel, &connection.timer)
    epoll_ctl(state.epoll_fd, EPOLL_CTL_DEL, connection.fd, NULL)
    c_close(connection.fd)
    state.slots[connection.slot] = NULL
    state.free_slots[state.free_count] = connection.slot
    state.free_count += 1
    state.connection_count -= 1
    listener = state.listeners[connection.listener_index]
    if listener != NULL and listener.connection_count:
        listener.connection_count -= 1
    if state.grave_count == state.grave_capacity:
        state.grave_capacity = state.grave_capacity * 2 if state.grave_capacity else 64
        state.graves = <Connection**>mem_realloc(state.graves, state.grave_capacity * sizeof(Connection*))
    state.graves[state.grave_count] = connection
    state.grave_count += 1


cdef void connection_finish(EngineState* state, Connection* connection, uint8_t cause, uint8_t reason_code) noexcept nogil:
    """Send what is queued, then close in an orderly way: FIN, wait for the peer's, both bounded in time."""
    if connection.state == CONNECTION_DEAD or connection.finishing:
        return
    report_closed(state, connection, cause, reason_code)
    # What the peer still sends is read and thrown away: closing with unread input would turn our
    # FIN into a reset, and the reset could overtake the DISCONNECT that we sent.
    connection.paused = 0
    connection.throttled = 0
    connection.clogged = 0
    if connection.disarmed:
        connection.disarmed = 0
        connection_poll(state, connection)
    mem_free(connection.stash)
    connection.stash = NULL
    connection.stash_len = connection.stash_capacity = 0
    wheel_set(&state.wheel, &connection.timer, state.now_ms + FINISH_MS)
    connection_flush(state, connection)


cdef void connection_fail(EngineState* state, Connection* connection, uint8_t reason_code, uint8_t cause) noexcept nogil:
    """End a connection for a reason of ours; an MQTT 5.0 client is told it [MQTT-4.13.1-1]."""
    cdef uint8_t* out
    if connection.finishing or connection.state == CONNECTION_DEAD:
        return
    if connection.state == CONNECTION_LIVE and connection.protocol_version == 5:
        out = output_reserve(state, connection, 3)
        out[0] = DISCONNECT_V5
        out[1] = 1
        out[2] = reason_code
        output_commit(state, connection, 3)
    connection_finish(state, connection, cause, reason_code)


cdef void connection_flush(EngineState* state, Connection* connection) noexcept nogil:
    """Send what is queued, refill from the session's queue, and see to the end of a finishing connection."""
    if connection.state == CONNECTION_DEAD:
        return
    while True:
        output_flush(state, connection)
        if connection.write_failed:
            if connection.state == CONNECTION_LIVE and not connection.finishing and not connection.clogged:
                # Nobody takes our words any more, but what the client said before it left is still to be read.
                connection.write_failed = 0
                return
            connection_kill(state, connection, WRITE_FAILED)
            return
        if connection.out_bytes or connection.session == NULL or connection.session.queue_count == 0:
            break
        session_pump(state, connection.session)
        if connection.out_bytes == 0:
            break
    if connection.finishing and connection.out_bytes == 0 and connection.state != CONNECTION_LINGER:
        shutdown(connection.fd, SHUT_WR)
        connection.state = CONNECTION_LINGER
        wheel_set(&state.wheel, &connection.timer, state.now_ms + LINGER_MS)


# ---------------------------------------------------------------- time

cdef void connection_schedule(EngineState* state, Connection* connection) noexcept nogil:
    """File the connection under the earliest of its deadlines, or under none."""
    cdef int64_t deadline_ms = INT64_MAX
    if connection.finishing:
        return
    if connection.state == CONNECTION_NEW:
        deadline_ms = connection.last_packet_ms + state.limits.connect_timeout_ms
    elif connection.state == CONNECTION_CONNECTING and not connection.paused:
        # The control plane has asked for more, by AUTH, and the client owes the answer.
        deadline_ms = connection.last_packet_ms + state.limits.connect_timeout_ms
    elif connection.state == CONNECTION_LIVE and connection.keep_alive_ms and not connection.paused:
        deadline_ms = connection.last_packet_ms + connection.keep_alive_ms
    if connection.packet_started_ms and connection.packet_started_ms + state.limits.packet_timeout_ms < deadline_ms:
        deadline_ms = connection.packet_started_ms + state.limits.packet_timeout_ms
    if connection.throttled and connection.throttled_until_ms < deadline_ms:
        deadline_ms = connection.throttled_until_ms
    if deadline_ms == INT64_MAX:
        wheel_remove(&state.wheel, &connection.timer)
    else:
        wheel_set(&state.wheel, &connection.timer, deadline_ms)


cdef void connection_timer(EngineState* state, Connection* connection) noexcept nogil:
    """A filed deadline came up: act on whatever is really due, and file again."""
    if connection.finishing:
        connection_kill(state, connection, TIMED_OUT)
        return
    if connection.state == CONNECTION_NEW or (
            connection.state == CONNECTION_CONNECTING and not connection.paused):
        if state.now_ms >= connection.last_packet_ms + state.limits.connect_timeout_ms:
            connection_kill(state, connection, TIMED_OUT)
            return
    elif (connection.state == CONNECTION_LIVE and connection.keep_alive_ms and not connection.paused
            and not connection.throttled
            and state.now_ms >= connection.last_packet_ms + connection.keep_alive_ms):
        # One and a half times Keep Alive without a packet [MQTT-3.1.2-22].
        connection_fail(state, connection, KEEP_ALIVE_TIMEOUT, KEEP_ALIVE_PASSED)
        return
    if (connection.packet_started_ms
            and state.now_ms >= connection.packet_started_ms + state.limits.packet_timeout_ms):
        connection_fail(state, connection, KEEP_ALIVE_TIMEOUT, TIMED_OUT)
        return
    connection_schedule(state, connection)


cdef void connection_bury(EngineState* state) noexcept nogil:
    """Free the connections that were killed this turn."""
    cdef uint32_t i
    cdef Connection* connection
    for i in range(state.grave_count):
        connection = state.graves[i]
        output_release(state, connection)
        alias_release(connection)
        rate_leave(state, connection)
        mapping_release(connection)
        mem_free(connection.segments)
        mem_free(connection.verdicts)
        mem_free(connection.stash)
        mem_free(connection.mount)
        mem_free(connection.peer)
        mem_free(connection)
    state.grave_count = 0
