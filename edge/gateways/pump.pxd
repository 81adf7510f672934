# The pump: one OS thread that turns TLS and WebSocket clients into plain streams for the engine.

cimport cython
from edge.engine.engine cimport Engine
from edge.gateways.tunnel cimport PumpCommand, PumpState


@cython.final
cdef class Pump:
    cdef PumpState* state
    cdef Engine engine              # kept alive as long as the pump hands sockets to it
    cdef object adopt
    cdef object thread              # a lock that is released when the thread ends
    cdef set indexes                # of the listeners there are

    cdef _command(self, PumpCommand* command)
    cdef PumpCommand* _new_command(self, int kind, unsigned int index) noexcept
