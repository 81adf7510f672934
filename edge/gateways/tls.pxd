# TLS settings of a listener, and who the other side of a finished handshake is.

cimport cython
from libc.stdint cimport uint8_t, uint32_t
from edge.gateways.openssl cimport SSL, SSL_CTX


@cython.final
cdef class TlsContext:
    cdef SSL_CTX* context
    cdef _ciphers(self, str ciphers)
    cdef _certificate(self, str certificate_file, str key_file)
    cdef _trust(self, str client_ca_file, str client_certificate, str crl_file)

# Writes `common-name NUL subject` (RFC 2253) and returns its length; a single NUL without a certificate.
# `capacity` is at least 1. A name that does not fit is left out: it would name somebody else.
cdef uint32_t tls_identity(SSL* ssl, uint8_t* out, uint32_t capacity) noexcept nogil
