# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=False, autotestdict=False, auto_pickle=False
# distutils: libraries = ssl crypto
"""The settings of a TLS listener and the identity of its clients; see tls.pxd and tls.pyi."""

from libc.string cimport memchr, memcpy
from edge.errors import AccessError
from edge.gateways.openssl cimport (
    ASN1_STRING_to_UTF8, BIO, BIO_free, BIO_get_mem_data, BIO_new, BIO_s_mem, ERR_clear_error,
    ERR_error_string_n, ERR_get_error, NID_commonName, OPENSSL_free, SSL_CTX_check_private_key,
    SSL_CTX_free, SSL_CTX_get_cert_store, SSL_CTX_load_verify_locations, SSL_CTX_new,
    SSL_CTX_set_cipher_list, SSL_CTX_set_ciphersuites, SSL_CTX_set_client_CA_list,
    SSL_CTX_set_default_passwd_cb, SSL_CTX_set_min_proto_version, SSL_CTX_set_mode,
    SSL_CTX_set_num_tickets, SSL_CTX_set_options, SSL_CTX_set_session_cache_mode,
    SSL_CTX_set_session_id_context, SSL_CTX_set_verify, SSL_CTX_use_PrivateKey_file,
    SSL_CTX_use_certificate_chain_file, SSL_FILETYPE_PEM, SSL_get0_peer_certificate,
    SSL_load_client_CA_file, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER, SSL_MODE_ENABLE_PARTIAL_WRITE,
    SSL_MODE_RELEASE_BUFFERS, SSL_OP_CIPHER_SERVER_PREFERENCE, SSL_OP_NO_COMPRESSION,
    SSL_OP_NO_RENEGOTIATION, SSL_OP_PRIORITIZE_CHACHA, SSL_SESS_CACHE_OFF,
    SSL_VERIFY_FAIL_IF_NO_PEER_CERT, SSL_VERIFY_NONE, SSL_VERIFY_PEER, STACK_OF_X509_NAME,
    TLS1_2_VERSION, TLS1_3_VERSION, TLS_server_method, X509, X509_FILETYPE_PEM, X509_LOOKUP,
    X509_LOOKUP_file, X509_NAME, X509_NAME_ENTRY_get_data, X509_NAME_get_entry,
    X509_NAME_get_index_by_NID, X509_NAME_print_ex, X509_STORE_add_lookup, X509_STORE_set_flags,
    X509_V_FLAG_CRL_CHECK, X509_get_subject_name, X509_load_crl_file, XN_FLAG_RFC2253,
)

cdef extern from * nogil:
    """
    #if defined(__aarch64__)
    #include <sys/auxv.h>
    #define edge_cpu_has_aes() ((getauxval(AT_HWCAP) & (1 << 3)) != 0)
    #elif defined(__arm__)
    #include <sys/auxv.h>
    #define edge_cpu_has_aes() ((getauxval(AT_HWCAP2) & (1 << 0)) != 0)
    #else
    #define edge_cpu_has_aes() 1
    #endif
    """
    bint edge_cpu_has_aes()

# A Raspberry Pi up to the 4 has no AES instructions: there ChaCha20 is several times as fast. With them,
# AES-128 goes first: it costs a third less than AES-256 and is not the weakest link of anything.
cdef const char* SUITES_WITH_AES = b"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
cdef const char* SUITES_WITHOUT_AES = b"TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384"
cdef const char* LIST_WITHOUT_AES = b"ECDHE+CHACHA20:DEFAULT"


cdef int refuse_to_ask(char* buffer, int size, int writing, void* data) noexcept nogil:
    """Called for an encrypted key. OpenSSL would ask on the terminal, and a service would hang there."""
    return 0


cdef str openssl_words():
    """What OpenSSL says went wrong first; its queue is empty afterwards."""
    cdef char text[256]
    cdef unsigned long code = ERR_get_error()
    ERR_clear_error()
    if code == 0:
        return "unknown error"
    ERR_error_string_n(code, text, sizeof(text))
    # error:0A000086:SSL routines::certificate verify failed
    return text.decode("utf-8", "replace").rpartition(":")[2]


cdef class TlsContext:

    def __cinit__(self, *, str certificate_file, str key_file, str client_ca_file="",
                  str client_certificate="none", str crl_file="", str version_min="1.2", str ciphers=""):
        ERR_clear_error()
        self.context = SSL_CTX_new(TLS_server_method())
        if self.context == NULL:
            raise MemoryError
        SSL_CTX_set_min_proto_version(self.context, TLS1_3_VERSION if version_min == "1.3" else TLS1_2_VERSION)
        SSL_CTX_set_options(self.context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION
                            | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA)
        SSL_CTX_set_mode(self.context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
                         | SSL_MODE_RELEASE_BUFFERS)
        # Clients keep their sessions themselves, in tickets; our cache would only cost memory. The ticket
        # keys live in this context: after a reload every client is verified anew.
        SSL_CTX_set_session_cache_mode(self.context, SSL_SESS_CACHE_OFF)
        SSL_CTX_set_num_tickets(self.context, 1)
        SSL_CTX_set_session_id_context(self.context, b"robustmq-edge", 13)
        self._ciphers(ciphers)
        self._certificate(certificate_file, key_file)
        self._trust(client_ca_file, client_certificate, crl_file)

    cdef _ciphers(self, str ciphers):
        SSL_CTX_set_ciphersuites(self.context, SUITES_WITH_AES if edge_cpu_has_aes() else SUITES_WITHOUT_AES)
        if not ciphers:
            if not edge_cpu_has_aes():
                SSL_CTX_set_cipher_list(self.context, LIST_WITHOUT_AES)
            return
        if SSL_CTX_set_cipher_list(self.context, ciphers.encode()) != 1:
            raise AccessError(f"ciphers `{ciphers}`: {openssl_words()}", hint="`openssl ciphers` lists what there is")

    cdef _certificate(self, str certificate_file, str key_file):
        if SSL_CTX_use_certificate_chain_file(self.context, certificate_file.encode()) != 1:
            raise AccessError(f"certificate `{certificate_file}`: {openssl_words()}",
                              hint="a PEM file, the server's own certificate first")
        SSL_CTX_set_default_passwd_cb(self.context, refuse_to_ask)
        if SSL_CTX_use_PrivateKey_file(self.context, key_file.encode(), SSL_FILETYPE_PEM) != 1:
            raise AccessError(f"key `{key_file}`: {openssl_words()}",
                              hint="an unencrypted PEM private key that belongs to the certificate")
        if SSL_CTX_check_private_key(self.context) != 1:
            ERR_clear_error()
            raise AccessError(f"key `{key_file}` does not belong to certificate `{certificate_file}`")

    cdef _trust(self, str client_ca_file, str client_certificate, str crl_file):
        """Whether and how client certificates are asked for and checked."""
        cdef STACK_OF_X509_NAME* names
        cdef X509_LOOKUP* lookup
        if client_certificate == "none":
            SSL_CTX_set_verify(self.context, SSL_VERIFY_NONE, NULL)
            return
        if SSL_CTX_load_verify_locations(self.context, client_ca_file.encode(), NULL) != 1:
            raise AccessError(f"client authorities `{client_ca_file}`: {openssl_words()}",
                              hint="a PEM file of authority certificates")
        names = SSL_load_client_CA_file(client_ca_file.encode())
        if names != NULL:
            SSL_CTX_set_client_CA_list(self.context, names)
        if crl_file:
            lookup = X509_STORE_add_lookup(SSL_CTX_get_cert_store(self.context), X509_LOOKUP_file())
            if lookup == NULL or X509_load_crl_file(lookup, crl_file.encode(), X509_FILETYPE_PEM) < 1:
                raise AccessError(f"revocation list `{crl_file}`: {openssl_words()}", hint="a PEM file of CRLs")
            X509_STORE_set_flags(SSL_CTX_get_cert_store(self.context), X509_V_FLAG_CRL_CHECK)
        SSL_CTX_set_verify(self.context, SSL_VERIFY_PEER | (
            SSL_VERIFY_FAIL_IF_NO_PEER_CERT if client_certificate == "required" else 0), NULL)

    def __dealloc__(self):
        if self.context != NULL:
            SSL_CTX_free(self.context)


cdef uint32_t put_text(uint8_t* out, uint32_t capacity, const void* text, long length) noexcept nogil:
    """Copy a text without a NUL in it; a certificate that hides one names nobody."""
    if length <= 0 or <unsigned long>length > capacity or memchr(text, 0, length) != NULL:
        return 0
    memcpy(out, text, length)
    return <uint32_t>length


cdef uint32_t tls_identity(SSL* ssl, uint8_t* out, uint32_t capacity) noexcept nogil:
    cdef X509* certificate = SSL_get0_peer_certificate(ssl)
    cdef X509_NAME* subject
    cdef unsigned char* utf8 = NULL
    cdef char* text = NULL
    cdef BIO* memory
    cdef int index
    cdef int length
    cdef uint32_t used = 0
    if certificate == NULL:
        out[0] = 0
        return 1
    subject = X509_get_subject_name(certificate)
    index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1)
    if index >= 0:
        length = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index)))
        if length >= 0:
            used = put_text(out, capacity - 1, utf8, length)
            OPENSSL_free(utf8)
    out[used] = 0
    used += 1
    memory = BIO_new(BIO_s_mem())
    if memory != NULL:
        if X509_NAME_print_ex(memory, subject, 0, XN_FLAG_RFC2253) >= 0:
            length = <int>BIO_get_mem_data(memory, &text)
            used += put_text(out + used, capacity - used, text, length)
        BIO_free(memory)
    ERR_clear_error()
    return used
