# The access profiles that the control plane has defined, by id.
#
# With %c or %u in the ACL every client has a profile of its own, and a retained message asks for its
# publisher's: a table by open addressing, no tombstones.

from libc.stdint cimport uint32_t
from edge.engine.state cimport EngineState
from edge.engine.types cimport AclProfile

cdef AclProfile* profile_find(EngineState* state, uint32_t profile_id) noexcept nogil
cdef void profile_define(EngineState* state, AclProfile* profile) noexcept nogil
cdef void profile_drop(EngineState* state, uint32_t profile_id) noexcept nogil
cdef void profiles_release(EngineState* state) noexcept nogil
