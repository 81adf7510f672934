# The engine's turn: wait, take commands, read, act on time, write.  One thread runs it and no other touches it.
#
# A turn ends with one flush of every connection that got output: whatever a turn produced for a
# receiver leaves in one system call.  With nothing to do there is no timer and no wake-up.

from edge.engine.state cimport EngineLimits, EngineState

cdef EngineState* reactor_new(const EngineLimits* limits) noexcept nogil
cdef void reactor_run(EngineState* state) noexcept nogil
cdef void reactor_free(EngineState* state) noexcept nogil
