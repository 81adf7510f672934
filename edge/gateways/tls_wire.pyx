# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=False, autotestdict=False
# distutils: libraries = ssl crypto
"""TLS records between two memory buffers; see tls_wire.pxd."""

from libc.stdio cimport snprintf
from libc.string cimport memcpy, memset
from edge.engine.memory cimport (
    edge_account_add, edge_account_subtract, mem_alloc, mem_free, mem_total_bytes,
)
from edge.gateways.openssl cimport (
    BIO, BIO_CTRL_DUP, BIO_CTRL_FLUSH, BIO_METHOD, BIO_TYPE_SOURCE_SINK, BIO_clear_retry_flags,
    BIO_get_data, BIO_get_new_index, BIO_meth_new, BIO_meth_set_ctrl, BIO_meth_set_read,
    BIO_meth_set_write, BIO_new, BIO_set_data, BIO_set_init, BIO_set_retry_read, ERR_clear_error,
    ERR_peek_error, ERR_reason_error_string, SSL_ERROR_WANT_READ, SSL_ERROR_ZERO_RETURN,
    SSL_do_handshake, SSL_free, SSL_get_error, SSL_get_verify_result, SSL_new, SSL_read,
    SSL_set_accept_state, SSL_set_bio, SSL_shutdown, SSL_write, X509_V_OK,
    X509_verify_cert_error_string,
)


cdef int take_input(BIO* bio, char* out, int room) noexcept nogil:
    """OpenSSL reads: hand over input; without any it must come back later."""
    cdef Wire* wire = <Wire*>BIO_get_data(bio)
    BIO_clear_retry_flags(bio)
    if wire.input_len == 0:
        BIO_set_retry_read(bio)
        return -1
    if <uint32_t>room > wire.input_len:
        room = <int>wire.input_len
    memcpy(out, wire.input, room)
    wire.input += room
    wire.input_len -= <uint32_t>room
    return room


cdef int put_output(BIO* bio, const char* data, int length) noexcept nogil:
    """OpenSSL writes: append. Full means that somebody makes us talk more than they do: an error."""
    cdef Wire* wire = <Wire*>BIO_get_data(bio)
    BIO_clear_retry_flags(bio)
    if <uint32_t>length > OUTPUT_BYTES_MAX - wire.output_len:
        return -1
    memcpy(wire.output + wire.output_len, data, length)
    wire.output_len += <uint32_t>length
    return length


cdef long control(BIO* bio, int command, long number, void* pointer) noexcept nogil:
    return 1 if command == BIO_CTRL_FLUSH or command == BIO_CTRL_DUP else 0


cdef BIO_METHOD* new_method() noexcept nogil:
    cdef BIO_METHOD* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, b"wire")
    if method != NULL:
        BIO_meth_set_read(method, take_input)
        BIO_meth_set_write(method, put_output)
        BIO_meth_set_ctrl(method, control)
    return method


# One for the process, as OpenSSL means it.
cdef BIO_METHOD* METHOD = new_method()


cdef void wire_init(Wire* wire) noexcept nogil:
    memset(wire, 0, sizeof(Wire))
    wire.output = <uint8_t*>mem_alloc(OUTPUT_BYTES_MAX)


cdef void wire_destroy(Wire* wire) noexcept nogil:
    mem_free(wire.output)
    wire.output = NULL


cdef SSL* wire_open(Wire* wire, SSL_CTX* context) noexcept nogil:
    cdef SSL* ssl = SSL_new(context)
    cdef BIO* bio
    if ssl == NULL:
        ERR_clear_error()
        return NULL
    bio = BIO_new(METHOD)
    if bio == NULL:
        SSL_free(ssl)
        ERR_clear_error()
        return NULL
    BIO_set_data(bio, wire)
    BIO_set_init(bio, 1)
    SSL_set_bio(ssl, bio, bio)
    SSL_set_accept_state(ssl)
    edge_account_add(&mem_total_bytes, SSL_BYTES)
    return ssl


cdef void wire_close(SSL* ssl) noexcept nogil:
    """Free it; NULL is allowed."""
    if ssl != NULL:
        SSL_free(ssl)
        edge_account_subtract(&mem_total_bytes, SSL_BYTES)


cdef WireResult fail(Wire* wire, SSL* ssl) noexcept nogil:
    """Remember OpenSSL's words, the verifier's above the general ones, and empty its queue."""
    cdef const char* words = NULL
    cdef long verdict = SSL_get_verify_result(ssl)
    if verdict != X509_V_OK:
        words = X509_verify_cert_error_string(verdict)
    else:
        words = ERR_reason_error_string(ERR_peek_error())
    if words == NULL:
        words = b"protocol error"
    snprintf(wire.failure, sizeof(wire.failure), b"%s", words)
    ERR_clear_error()
    wire.input_len = 0
    return WIRE_BROKEN


cdef WireResult wire_handshake(Wire* wire, SSL* ssl) noexcept nogil:
    cdef int result
    # SSL_get_error() judges by the queue, and a handshake may leave something there even when it succeeds.
    ERR_clear_error()
    result = SSL_do_handshake(ssl)
    if result == 1:
        ERR_clear_error()
        return WIRE_OPEN
    if SSL_get_error(ssl, result) == SSL_ERROR_WANT_READ:
        return WIRE_MORE
    return fail(wire, ssl)


cdef WireResult wire_decrypt(Wire* wire, SSL* ssl, uint8_t* out, uint32_t room, uint32_t* length) noexcept nogil:
    cdef uint32_t have = 0
    cdef int got
    cdef int error
    length[0] = 0
    while have < room:
        got = SSL_read(ssl, out + have, <int>(room - have))
        if got > 0:
            have += <uint32_t>got
            length[0] = have
            continue
        error = SSL_get_error(ssl, got)
        if error == SSL_ERROR_WANT_READ:
            return WIRE_OPEN
        if error == SSL_ERROR_ZERO_RETURN:
            wire.input_len = 0
            return WIRE_ENDED
        return fail(wire, ssl)
    # Cannot be: there is room for more than the input can hold.
    return fail(wire, ssl)


cdef WireResult wire_encrypt(Wire* wire, SSL* ssl, const uint8_t* data, uint32_t length) noexcept nogil:
    cdef uint32_t done = 0
    cdef int put
    while done < length:
        put = SSL_write(ssl, data + done, <int>(length - done))
        if put <= 0:
            return fail(wire, ssl)
        done += <uint32_t>put
    return WIRE_OPEN


cdef void wire_say_goodbye(Wire* wire, SSL* ssl) noexcept nogil:
    """Append close_notify, if the connection is still able to."""
    if SSL_shutdown(ssl) < 0:
        ERR_clear_error()
