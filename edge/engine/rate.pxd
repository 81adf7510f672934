# Publish rates: token buckets of one second's worth, one for a connection and one for an address that it shares.
#
# A PUBLISH takes from both.  Where one is empty the connection is not read until it has refilled:
# back-pressure, no loss.  Bytes may go into debt, so that a packet larger than a second's worth passes at all.

from libc.stdint cimport int64_t, uint8_t, uint32_t
from edge.engine.state cimport EngineState
from edge.engine.types cimport Connection, TokenBucket

cdef void bucket_init(TokenBucket* bucket, uint32_t messages_s, uint32_t bytes_s, int64_t now_ms) noexcept nogil
cdef int64_t rate_wait_ms(EngineState* state, Connection* connection, uint32_t packet_bytes) noexcept nogil
cdef void rate_join(EngineState* state, Connection* connection, const uint8_t* key, uint32_t key_len,
                    uint32_t messages_s, uint32_t bytes_s) noexcept nogil
cdef void rate_leave(EngineState* state, Connection* connection) noexcept nogil


cdef inline bint rate_is_limited(const Connection* connection) noexcept nogil:
    return connection.rate.messages_s or connection.rate.bytes_s or connection.rate_group != NULL
