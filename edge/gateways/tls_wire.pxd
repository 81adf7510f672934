# TLS as bytes in and bytes out: OpenSSL never touches a socket here.
#
# One Wire serves all connections of a pump, one after the other: the caller points `input` at what a
# socket gave, calls one of the functions, and sends `output`. So a batch of records costs one recv and
# one send however many they are, OpenSSL never waits for room, and an idle connection owns no buffer.
# Every call uses up the whole input: an incomplete record stays inside its SSL object.

from libc.stdint cimport uint8_t, uint32_t
from edge.gateways.openssl cimport SSL, SSL_CTX

cdef enum:
    # What one record may add to a decrypted batch: the part of it that came before.
    RECORD_BYTES_MAX = 17408
    # For 64 KiB and a WebSocket header in records, or answers to as many hostile bytes.
    OUTPUT_BYTES_MAX = 131072

    # What an open connection costs inside OpenSSL, measured; it goes on the account of the memory budget.
    SSL_BYTES = 15360

cdef enum WireResult:
    WIRE_OPEN = 1                   # done; more may come
    WIRE_MORE = 0                   # the handshake needs more input
    WIRE_ENDED = -1                 # the peer said close_notify
    WIRE_BROKEN = -2                # `failure` says why; an alert may be in `output`

ctypedef struct Wire:
    const uint8_t* input
    uint32_t input_len
    uint8_t* output
    uint32_t output_len
    char failure[128]

cdef void wire_init(Wire* wire) noexcept nogil
cdef void wire_destroy(Wire* wire) noexcept nogil

# A server's end; NULL: no memory. `wire` must outlive it.
cdef SSL* wire_open(Wire* wire, SSL_CTX* context) noexcept nogil
cdef void wire_close(SSL* ssl) noexcept nogil
cdef WireResult wire_handshake(Wire* wire, SSL* ssl) noexcept nogil
# `room` is at least input_len + RECORD_BYTES_MAX; `length` bytes were decrypted, whatever is returned.
cdef WireResult wire_decrypt(Wire* wire, SSL* ssl, uint8_t* out, uint32_t room, uint32_t* length) noexcept nogil
cdef WireResult wire_encrypt(Wire* wire, SSL* ssl, const uint8_t* data, uint32_t length) noexcept nogil
cdef void wire_say_goodbye(Wire* wire, SSL* ssl) noexcept nogil
