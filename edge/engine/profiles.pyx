# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=False, autotestdict=False
"""The table of access profiles; see profiles.pxd."""

from edge.engine.acl cimport acl_profile_unref
from edge.engine.memory cimport mem_calloc, mem_free
from edge.engine.session cimport session_set_acl
from edge.engine.types cimport Session

cdef enum:
    CAPACITY_MIN = 16


cdef inline uint32_t home(EngineState* state, uint32_t profile_id) noexcept nogil:
    # Ids are serial numbers of the control plane: the identity spreads them perfectly.
    return profile_id & (state.profile_capacity - 1)


cdef uint32_t place_of(EngineState* state, uint32_t profile_id) noexcept nogil:
    """Where a profile stands, or the empty place where it would; the table has one."""
    cdef uint32_t i = home(state, profile_id)
    while state.profiles[i] != NULL and state.profiles[i].id != profile_id:
        i = (i + 1) & (state.profile_capacity - 1)
    return i


cdef AclProfile* profile_find(EngineState* state, uint32_t profile_id) noexcept nogil:
    """The profile of an id; NULL (everything is allowed) for 0 and for one that is not defined."""
    if profile_id == 0 or state.profile_count == 0:
        return NULL
    return state.profiles[place_of(state, profile_id)]


cdef void grow(EngineState* state) noexcept nogil:
    cdef AclProfile** old = state.profiles
    cdef uint32_t old_capacity = state.profile_capacity
    cdef uint32_t i
    state.profile_capacity = old_capacity * 2 if old_capacity else CAPACITY_MIN
    state.profiles = <AclProfile**>mem_calloc(state.profile_capacity, sizeof(AclProfile*))
    for i in range(old_capacity):
        if old[i] != NULL:
            state.profiles[place_of(state, old[i].id)] = old[i]
    mem_free(old)


cdef void profile_define(EngineState* state, AclProfile* profile) noexcept nogil:
    """Take over a profile; sessions that hold an older one of the same id follow at once."""
    cdef AclProfile* old
    cdef Session* session
    cdef uint32_t i
    cdef uint32_t k
    if (state.profile_count + 1) * 2 > state.profile_capacity:
        grow(state)
    i = place_of(state, profile.id)
    old = state.profiles[i]
    state.profiles[i] = profile
    if old == NULL:
        state.profile_count += 1
        return
    for k in range(state.session_capacity):
        session = state.sessions[k]
        while session != NULL:
            if session.acl == old:
                session_set_acl(state, session, profile)
            session = session.hash_next
    acl_profile_unref(old)
    state.acl_epoch += 1


cdef void profile_drop(EngineState* state, uint32_t profile_id) noexcept nogil:
    """Forget a profile; sessions that hold it keep it until they end."""
    cdef uint32_t mask = state.profile_capacity - 1
    cdef uint32_t hole
    cdef uint32_t i
    if state.profile_count == 0:
        return
    hole = place_of(state, profile_id)
    if state.profiles[hole] == NULL:
        return
    acl_profile_unref(state.profiles[hole])
    state.profile_count -= 1
    # Close the hole: whatever was pushed past it moves back.
    i = hole
    while True:
        state.profiles[hole] = NULL
        while True:
            i = (i + 1) & mask
            if state.profiles[i] == NULL:
                return
            if ((i - home(state, state.profiles[i].id)) & mask) >= ((i - hole) & mask):
                break
        state.profiles[hole] = state.profiles[i]
        hole = i


cdef void profiles_release(EngineState* state) noexcept nogil:
    cdef uint32_t i
    for i in range(state.profile_capacity):
        if state.profiles[i] != NULL:
            acl_profile_unref(state.profiles[i])
    mem_free(state.profiles)
