# The pump: one OS thread that turns TLS and WebSocket clients into plain streams for the engine.

from edge.engine.engine cimport Engine
from edge.gateways.tunnel cimport PumpState


cdef class Pump:
    cdef PumpState* state
    cdef Engine engine              # kept alive as long as the pump hands sockets to it
    cdef object thread
    cdef void* shared               # listeners, behind a mutex
