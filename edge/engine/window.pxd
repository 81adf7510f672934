# The outbound window of a session: QoS 1 and 2 messages sent and not yet acknowledged.
#
# Sender side of sections 4.3.2 and 4.3.3.  States of a slot: AWAIT_PUBACK (QoS 1), AWAIT_PUBREC then
# AWAIT_PUBCOMP (QoS 2), FREE.  Invariants:
#  - Packet Identifiers are handed out in sequence; one is free again only in FREE [MQTT-2.2.1-3].
#  - A slot is found at (packet id & mask); the ring grows instead of sharing a place, up to twice the
#    window, after which an identifier whose place is taken is passed over.
#  - At most inflight_max slots are unacknowledged: the client's Receive Maximum [MQTT-3.3.4-9].
#  - What is resent after a reconnect goes in the order of the first sending [MQTT-4.6.0-1] and
#    nothing is resent at any other time [MQTT-4.4.0-1].
# Whatever does not fit waits in the queue (queue.pxd); session_pump() moves it up.

from libc.stdint cimport uint8_t, uint16_t
from edge.engine.state cimport EngineState
from edge.engine.types cimport Body, Connection, Session, SubIds

cdef void session_deliver(EngineState* state, Session* session, Body* body, uint8_t qos, uint8_t retain,
                          SubIds* subids, bint shared) noexcept nogil
cdef void session_pump(EngineState* state, Session* session) noexcept nogil
cdef bint session_has_room(EngineState* state, const Session* session) noexcept nogil
cdef void window_resume(Session* session) noexcept nogil
cdef void session_resend(EngineState* state, Session* session) noexcept nogil
cdef void on_puback(EngineState* state, Connection* connection, uint16_t packet_id) noexcept nogil
cdef void on_pubrec(EngineState* state, Connection* connection, uint16_t packet_id, uint8_t reason_code) noexcept nogil
cdef void on_pubcomp(EngineState* state, Connection* connection, uint16_t packet_id) noexcept nogil
cdef void window_release(Session* session) noexcept nogil
cdef void put_ack(EngineState* state, Connection* connection, uint8_t first_byte, uint16_t packet_id,
                  uint8_t reason_code) noexcept nogil
