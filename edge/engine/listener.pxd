# Listening sockets: accepting, refusing, and what to do when descriptors run out.

from libc.stdint cimport uint32_t
from edge.engine.mailbox cimport Command
from edge.engine.state cimport EngineState, Listener

cdef void listener_add(EngineState* state, const Command* command) noexcept nogil
cdef void listener_remove(EngineState* state, uint32_t index) noexcept nogil
cdef void listener_remove_all(EngineState* state) noexcept nogil
cdef void listener_accept(EngineState* state, Listener* listener) noexcept nogil
