# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=False, autotestdict=False
"""Sessions; see session.pxd."""

from libc.stdint cimport uint32_t
from edge.engine.acl cimport acl_profile_ref, acl_profile_unref
from edge.engine.inbound cimport inbound_release
from edge.engine.memory cimport mem_calloc, mem_free
from edge.engine.queue cimport queue_filter_forbidden, queue_release
from edge.engine.share cimport share_redistribute
from edge.engine.trie cimport trie_drop_session, trie_touch
from edge.engine.window cimport window_release, window_resume

cdef enum:
    TABLE_CAPACITY_MIN = 64


cdef Session* session_find(EngineState* state, uint64_t session_id) noexcept nogil:
    cdef Session* session
    if state.session_capacity == 0:
        return NULL
    session = state.sessions[session_id & (state.session_capacity - 1)]
    while session != NULL and session.id != session_id:
        session = session.hash_next
    return session


cdef void table_grow(EngineState* state) noexcept nogil:
    cdef uint32_t capacity = state.session_capacity * 2 if state.session_capacity else TABLE_CAPACITY_MIN
    cdef Session** table = <Session**>mem_calloc(capacity, sizeof(Session*))
    cdef Session* session
    cdef Session* following
    cdef uint32_t i
    for i in range(state.session_capacity):
        session = state.sessions[i]
        while session != NULL:
            following = session.hash_next
            session.hash_next = table[session.id & (capacity - 1)]
            table[session.id & (capacity - 1)] = session
            session = following
    mem_free(state.sessions)
    state.sessions = table
    state.session_capacity = capacity


cdef void session_open(EngineState* state, uint64_t session_id) noexcept nogil:
    """Make an empty session; its id is a serial number of the control plane."""
    cdef Session* session = <Session*>mem_calloc(1, sizeof(Session))
    if state.session_count >= state.session_capacity:
        table_grow(state)
    session.id = session_id
    session.packet_id_next = 1
    session.inflight_max = 1
    session.hash_next = state.sessions[session_id & (state.session_capacity - 1)]
    state.sessions[session_id & (state.session_capacity - 1)] = session
    state.session_count += 1


cdef void session_free(EngineState* state, Session* session) noexcept nogil:
    """Forget a session. What it shared and did not acknowledge goes to other members of its groups."""
    cdef Session** link = &state.sessions[session.id & (state.session_capacity - 1)]
    if session.connection != NULL:
        session_detach(session.connection)
    share_redistribute(state, session)
    trie_drop_session(&state.trie, session)
    while link[0] != session:
        link = &link[0].hash_next
    link[0] = session.hash_next
    queue_release(state, session)
    window_release(session)
    inbound_release(session)
    acl_profile_unref(session.acl)
    mem_free(session.places)
    mem_free(session)
    state.session_count -= 1


cdef void session_attach(EngineState* state, Session* session, Connection* connection) noexcept nogil:
    """Bind a connection; everything in flight is to be sent again on it [MQTT-4.4.0-1]."""
    if session.connection != NULL:
        session_detach(session.connection)
    session.connection = connection
    connection.session = session
    window_resume(session)


cdef void session_detach(Connection* connection) noexcept nogil:
    """The session goes offline, or to another connection."""
    if connection.session != NULL:
        connection.session.connection = NULL
        connection.session = NULL


cdef void session_set_acl(EngineState* state, Session* session, AclProfile* profile) noexcept nogil:
    """Give a session other rules; what it may no longer receive leaves its queue."""
    if session.acl == profile:
        return
    acl_profile_ref(profile)
    acl_profile_unref(session.acl)
    session.acl = profile
    state.acl_epoch += 1
    trie_touch(&state.trie)
    if profile != NULL and profile.restricts_read and session.queue_count:
        queue_filter_forbidden(state, session)
