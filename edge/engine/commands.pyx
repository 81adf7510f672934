# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=False, autotestdict=False
"""Carrying out commands of the control plane; see commands.pxd and engine.pyi."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy, memset
from edge.engine.acl cimport acl_profile_parse
from edge.engine.connection cimport (
    connection_accept, connection_fail, connection_find, connection_finish, connection_new,
)
from edge.engine.input cimport input_resume
from edge.engine.listener cimport listener_add, listener_remove, listener_remove_all
from edge.engine.mailbox cimport (
    COMMAND_ACCEPT, COMMAND_ADD_LISTENER, COMMAND_ADOPT, COMMAND_CLOSE, COMMAND_CLOSE_SESSION,
    COMMAND_DELETE_RETAINED, COMMAND_DRAIN, COMMAND_DROP_PROFILE, COMMAND_MAP_FILTERS, COMMAND_MAP_TOPIC,
    COMMAND_OPEN_SESSION, COMMAND_PUBLISH, COMMAND_QUERY_RETAINED, COMMAND_QUERY_SESSIONS,
    COMMAND_QUERY_STATS, COMMAND_REMOVE_LISTENER, COMMAND_RESUME, COMMAND_SEND, COMMAND_SEND_RETAINED,
    COMMAND_SESSION_ACL, COMMAND_SESSION_ENDS, COMMAND_SET_PROFILE, COMMAND_STOP, COMMAND_SUBSCRIBE,
    COMMAND_UNSUBSCRIBE, COMMANDED, Command, mailbox_is_crowded, mailbox_take_commands,
)
from edge.engine.match cimport match_lookup
from edge.engine.memory cimport mem_alloc, mem_free
from edge.engine.output cimport output_commit, output_reserve
from edge.engine.queries cimport delete_retained, query_retained, query_sessions, query_stats
from edge.engine.rate cimport rate_join, rate_leave
from edge.engine.route cimport Routing, retain_message, route, routing_done, send_retained
from edge.engine.profiles cimport profile_define, profile_drop, profile_find
from edge.engine.session cimport (
    session_attach, session_detach, session_find, session_free, session_open, session_set_acl,
)
from edge.engine.state cimport LISTENERS_MAX, MapFilter
from edge.engine.topic_map cimport mapping_set
from edge.engine.trie cimport trie_subscribe, trie_unsubscribe
from edge.engine.types cimport (
    AclProfile, CONNECTION_CONNECTING, CONNECTION_LIVE, Connection, SESSION_ENDS_WITH_CONNECTION, Session,
)
from edge.engine.window cimport session_pump

cdef extern from "<unistd.h>" nogil:
    int c_close "close"(int)


cdef enum:
    UNSPECIFIED_ERROR = 0x80        # Reason Codes
    SESSION_TAKEN_OVER = 0x8E


cdef Connection* usable(EngineState* state, const Command* command) noexcept nogil:
    """The connection that a command names, unless it is gone or on its way out."""
    cdef Connection* connection = connection_find(state, command.connection)
    if connection == NULL or connection.finishing:
        return NULL
    return connection


cdef void put_packet(EngineState* state, Connection* connection, const uint8_t* packet, uint32_t length) noexcept nogil:
    if length:
        memcpy(output_reserve(state, connection, length), packet, length)
        output_commit(state, connection, length)


cdef void accept(EngineState* state, Command* command) noexcept nogil:
    cdef Connection* connection = usable(state, command)
    cdef Session* session = session_find(state, command.session)
    if connection == NULL or connection.state != CONNECTION_CONNECTING:
        return                      # accepted already: mount point and alias tables are for good
    if session == NULL:
        # Forgotten in between; nothing else would ever wake or end the connection.
        connection_finish(state, connection, COMMANDED, UNSPECIFIED_ERROR)
        return
    # The control plane has closed whoever held the session; should it not have, nobody may stay live without one.
    if session.connection != NULL and session.connection != connection:
        connection_fail(state, session.connection, SESSION_TAKEN_OVER, COMMANDED)
    session_detach(connection)
    session_attach(state, session, connection)
    session.inflight_max = command.terms.inflight_max if command.terms.inflight_max else 1
    session.flags = SESSION_ENDS_WITH_CONNECTION if command.terms.ends_with_connection else 0
    session_set_acl(state, session, profile_find(state, command.terms.acl_profile_id))
    connection_accept(state, connection, &command.terms, command.data + command.lengths[0], <uint16_t>command.lengths[1])
    if command.lengths[2]:
        rate_leave(state, connection)
        rate_join(state, connection, command.data + command.lengths[0] + command.lengths[1], command.lengths[2],
                  command.terms.group_messages_s, command.terms.group_bytes_s)
    put_packet(state, connection, command.data, command.lengths[0])
    session_pump(state, session)
    connection.paused = 0
    input_resume(state, connection)


cdef void close_connection(EngineState* state, Command* command) noexcept nogil:
    cdef Connection* connection = usable(state, command)
    if connection == NULL:
        return
    put_packet(state, connection, command.data, command.lengths[0])
    connection_finish(state, connection, COMMANDED, <uint8_t>command.number)


cdef void publish(EngineState* state, Command* command) noexcept nogil:
    cdef Routing routing
    memset(&routing, 0, sizeof(routing))
    routing.message.topic = command.data
    routing.message.topic_len = <uint16_t>command.lengths[0]
    routing.message.properties = command.data + command.lengths[0]
    routing.message.properties_len = command.lengths[1]
    routing.message.payload = routing.message.properties + command.lengths[1]
    routing.message.payload_len = command.lengths[2]
    if command.signed_number >= 0:
        routing.message.expires_ms = state.now_ms + command.signed_number * 1000
    routing.qos = command.qos
    routing.retain = <uint8_t>command.flags
    routing.origin_session_id = command.session
    routing.acl_profile_id = <uint32_t>command.number
    if routing.retain:
        retain_message(state, &routing)
    route(state, &routing, match_lookup(&state.trie, routing.message.topic, routing.message.topic_len))
    routing_done(&routing)


cdef void map_filters(EngineState* state, Command* command) noexcept nogil:
    """Take over the list: u16 length and bytes, repeated; flags says how many."""
    cdef uint32_t i
    cdef uint32_t offset = 0
    for i in range(state.map_filter_count):
        mem_free(state.map_filters[i].filter)
    mem_free(state.map_filters)
    state.map_filter_count = command.flags
    state.map_filters = <MapFilter*>mem_alloc(command.flags * sizeof(MapFilter))
    for i in range(command.flags):
        memcpy(&state.map_filters[i].len, command.data + offset, 2)
        state.map_filters[i].filter = <uint8_t*>mem_alloc(state.map_filters[i].len)
        memcpy(state.map_filters[i].filter, command.data + offset + 2, state.map_filters[i].len)
        offset += 2 + state.map_filters[i].len


cdef void drain(EngineState* state, Command* command) noexcept nogil:
    """Close the doors, say why to those who can read it, and let everybody take what is theirs."""
    cdef Connection* connection
    cdef uint32_t i
    listener_remove_all(state)
    state.draining = 1
    for i in range(state.slot_capacity):
        connection = state.slots[i]
        if connection == NULL or connection.finishing:
            continue
        if connection.state == CONNECTION_LIVE and connection.protocol_version == 5:
            put_packet(state, connection, command.data, command.lengths[0])
        connection_finish(state, connection, COMMANDED, 0x8B)


cdef void on_connection(EngineState* state, Command* command) noexcept nogil:
    """SEND, RESUME and MAP_TOPIC."""
    cdef Connection* connection = usable(state, command)
    if connection == NULL:
        return
    if command.kind == COMMAND_SEND:
        put_packet(state, connection, command.data, command.lengths[0])
    elif command.kind == COMMAND_RESUME:
        connection.paused = 0
        connection.last_packet_ms = state.now_ms
        input_resume(state, connection)
    else:
        mapping_set(connection, command.data, <uint16_t>command.lengths[0],
                    command.data + command.lengths[0], <uint16_t>command.lengths[1])


cdef void on_session(EngineState* state, Command* command) noexcept nogil:
    """Everything that names a session and nothing else."""
    cdef Session* session = session_find(state, command.session)
    cdef const uint8_t* group = command.data + command.lengths[0]
    if session == NULL:
        return
    if command.kind == COMMAND_SUBSCRIBE:
        trie_subscribe(&state.trie, session, command.data, <uint16_t>command.lengths[0], command.qos,
                       <uint8_t>command.flags, <uint32_t>command.number,
                       group if command.lengths[1] else NULL, <uint16_t>command.lengths[1])
    elif command.kind == COMMAND_UNSUBSCRIBE:
        trie_unsubscribe(&state.trie, session, command.data, <uint16_t>command.lengths[0],
                         group if command.lengths[1] else NULL, <uint16_t>command.lengths[1])
    elif command.kind == COMMAND_SEND_RETAINED:
        send_retained(state, session, command.data, command.lengths[0], command.qos, <uint32_t>command.number)
    elif command.kind == COMMAND_SESSION_ACL:
        session_set_acl(state, session, profile_find(state, <uint32_t>command.number))
    elif command.kind == COMMAND_SESSION_ENDS:
        session.flags = SESSION_ENDS_WITH_CONNECTION if command.flags else 0
    else:
        if session.connection != NULL:
            connection_finish(state, session.connection, COMMANDED, 0)
        session_free(state, session)


cdef void adopt(EngineState* state, Command* command) noexcept nogil:
    """Take over a socket from a gateway; its listener may be one that the engine does not poll."""
    cdef int fd = <int>command.signed_number
    if state.draining or command.number >= LISTENERS_MAX or state.listeners[command.number] == NULL or (
            mailbox_is_crowded(&state.mailbox)) or (
            state.limits.connections_max and state.connection_count >= state.limits.connections_max):
        state.stats.accept_refused += 1
        c_close(fd)
        return
    connection_new(state, state.listeners[command.number], fd, command.data, command.lengths[0], False)


cdef void run_one(EngineState* state, Command* command) noexcept nogil:
    cdef uint32_t kind = command.kind
    if kind == COMMAND_SEND or kind == COMMAND_RESUME or kind == COMMAND_MAP_TOPIC:
        on_connection(state, command)
    elif (kind == COMMAND_SUBSCRIBE or kind == COMMAND_UNSUBSCRIBE or kind == COMMAND_SEND_RETAINED
            or kind == COMMAND_SESSION_ACL or kind == COMMAND_SESSION_ENDS or kind == COMMAND_CLOSE_SESSION):
        on_session(state, command)
    elif kind == COMMAND_ACCEPT:
        accept(state, command)
    elif kind == COMMAND_CLOSE:
        close_connection(state, command)
    elif kind == COMMAND_PUBLISH:
        publish(state, command)
    elif kind == COMMAND_OPEN_SESSION:
        session_open(state, command.session)
    elif kind == COMMAND_SET_PROFILE:
        define_profile(state, command)
    elif kind == COMMAND_DROP_PROFILE:
        profile_drop(state, <uint32_t>command.number)
    elif kind == COMMAND_MAP_FILTERS:
        map_filters(state, command)
    elif kind == COMMAND_ADD_LISTENER:
        listener_add(state, command)
    elif kind == COMMAND_REMOVE_LISTENER:
        listener_remove(state, <uint32_t>command.number)
    elif kind == COMMAND_ADOPT:
        adopt(state, command)
    elif kind == COMMAND_QUERY_STATS:
        query_stats(state, command)
    elif kind == COMMAND_QUERY_SESSIONS:
        query_sessions(state, command)
    elif kind == COMMAND_QUERY_RETAINED:
        query_retained(state, command)
    elif kind == COMMAND_DELETE_RETAINED:
        delete_retained(state, command)
    elif kind == COMMAND_DRAIN:
        drain(state, command)
    elif kind == COMMAND_STOP:
        state.stopping = 1


cdef void define_profile(EngineState* state, Command* command) noexcept nogil:
    cdef AclProfile* profile = acl_profile_parse(command.data, command.lengths[0])
    # The Python side has parsed it once already and raised if it is malformed.
    if profile != NULL:
        profile_define(state, profile)


cdef void run_commands(EngineState* state) noexcept nogil:
    """Carry out everything that is queued, in order."""
    cdef Command* command = mailbox_take_commands(&state.mailbox)
    cdef Command* following
    while command != NULL:
        following = command.next
        run_one(state, command)
        mem_free(command)
        command = following
