# What the control plane's commands do: one function per command, one table.

from edge.engine.state cimport EngineState

cdef void run_commands(EngineState* state) noexcept nogil
