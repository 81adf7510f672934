# The queue behind a session's window: a ring of Deliveries, bounded in messages and bytes.
#
# What a bound drops is counted, per session and in all; which end goes is the operator's choice.

from libc.stdint cimport uint8_t
from edge.engine.state cimport EngineState
from edge.engine.types cimport Body, Delivery, Session, SubIds

cdef bint queue_push(EngineState* state, Session* session, Body* body, uint8_t qos, uint8_t retain,
                     SubIds* subids, bint shared) noexcept nogil
cdef void queue_pop(EngineState* state, Session* session, Delivery* out) noexcept nogil
cdef void queue_filter_forbidden(EngineState* state, Session* session) noexcept nogil
cdef void queue_release(EngineState* state, Session* session) noexcept nogil
cdef void delivery_release(Delivery* delivery) noexcept nogil
