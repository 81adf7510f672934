# The part of OpenSSL 3 that the gateways use.

cdef extern from "<openssl/ssl.h>" nogil:
    ctypedef struct SSL_CTX:
        pass
    ctypedef struct SSL:
        pass
    ctypedef struct SSL_METHOD:
        pass
    ctypedef struct X509:
        pass
    ctypedef struct X509_NAME:
        pass
    ctypedef struct X509_STORE:
        pass
    ctypedef struct X509_LOOKUP:
        pass
    ctypedef struct BIO:
        pass
    ctypedef struct STACK_OF_X509_NAME "STACK_OF(X509_NAME)":
        pass
    const SSL_METHOD* TLS_server_method()
    SSL_CTX* SSL_CTX_new(const SSL_METHOD*)
    void SSL_CTX_free(SSL_CTX*)
    int SSL_CTX_up_ref(SSL_CTX*)
    int SSL_CTX_set_min_proto_version(SSL_CTX*, int)
    int SSL_CTX_set_cipher_list(SSL_CTX*, const char*)
    int SSL_CTX_use_certificate_chain_file(SSL_CTX*, const char*)
    int SSL_CTX_use_PrivateKey_file(SSL_CTX*, const char*, int)
    int SSL_CTX_check_private_key(const SSL_CTX*)
    void SSL_CTX_set_default_passwd_cb(SSL_CTX*, int (*)(char*, int, int, void*) noexcept nogil)
    int SSL_CTX_set_ciphersuites(SSL_CTX*, const char*)
    int SSL_CTX_set_num_tickets(SSL_CTX*, size_t)
    long SSL_CTX_set_session_cache_mode(SSL_CTX*, long)
    long SSL_SESS_CACHE_OFF
    int SSL_CTX_load_verify_locations(SSL_CTX*, const char*, const char*)
    STACK_OF_X509_NAME* SSL_load_client_CA_file(const char*)
    void SSL_CTX_set_client_CA_list(SSL_CTX*, STACK_OF_X509_NAME*)
    void SSL_CTX_set_verify(SSL_CTX*, int, void*)
    long SSL_CTX_set_mode(SSL_CTX*, long)
    unsigned long SSL_CTX_set_options(SSL_CTX*, unsigned long)
    int SSL_CTX_set_session_id_context(SSL_CTX*, const unsigned char*, unsigned int)
    X509_STORE* SSL_CTX_get_cert_store(const SSL_CTX*)
    SSL* SSL_new(SSL_CTX*)
    void SSL_free(SSL*)
    void SSL_set_bio(SSL*, BIO*, BIO*)
    long SSL_get_verify_result(const SSL*)
    long X509_V_OK
    const char* X509_verify_cert_error_string(long)
    void SSL_set_accept_state(SSL*)
    int SSL_do_handshake(SSL*)
    int SSL_read(SSL*, void*, int)
    int SSL_write(SSL*, const void*, int)
    int SSL_shutdown(SSL*)
    int SSL_get_error(const SSL*, int)
    X509* SSL_get0_peer_certificate(const SSL*)
    int SSL_FILETYPE_PEM
    int SSL_VERIFY_NONE
    int SSL_VERIFY_PEER
    int SSL_VERIFY_FAIL_IF_NO_PEER_CERT
    int SSL_ERROR_WANT_READ
    int SSL_ERROR_WANT_WRITE
    int SSL_ERROR_ZERO_RETURN
    long SSL_MODE_ENABLE_PARTIAL_WRITE
    long SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
    long SSL_MODE_RELEASE_BUFFERS
    unsigned long SSL_OP_NO_RENEGOTIATION
    unsigned long SSL_OP_NO_COMPRESSION
    unsigned long SSL_OP_CIPHER_SERVER_PREFERENCE
    unsigned long SSL_OP_PRIORITIZE_CHACHA
    int TLS1_2_VERSION
    int TLS1_3_VERSION

cdef extern from "<openssl/x509.h>" nogil:
    X509_NAME* X509_get_subject_name(const X509*)
    int X509_NAME_get_index_by_NID(const X509_NAME*, int, int)
    int X509_NAME_print_ex(BIO*, const X509_NAME*, int, unsigned long)
    X509_LOOKUP* X509_STORE_add_lookup(X509_STORE*, void*)
    void* X509_LOOKUP_file()
    int X509_load_crl_file(X509_LOOKUP*, const char*, int)
    int X509_STORE_set_flags(X509_STORE*, unsigned long)
    unsigned long X509_V_FLAG_CRL_CHECK
    int X509_FILETYPE_PEM
    unsigned long XN_FLAG_RFC2253
    ctypedef struct X509_NAME_ENTRY:
        pass
    ctypedef struct ASN1_STRING:
        pass
    X509_NAME_ENTRY* X509_NAME_get_entry(const X509_NAME*, int)
    ASN1_STRING* X509_NAME_ENTRY_get_data(const X509_NAME_ENTRY*)
    int ASN1_STRING_to_UTF8(unsigned char**, const ASN1_STRING*)
    int NID_commonName

cdef extern from "<openssl/crypto.h>" nogil:
    void OPENSSL_free(void*)

cdef extern from "<openssl/bio.h>" nogil:
    ctypedef struct BIO_METHOD:
        pass
    BIO* BIO_new(const BIO_METHOD*)
    const BIO_METHOD* BIO_s_mem()
    BIO_METHOD* BIO_meth_new(int, const char*)
    int BIO_get_new_index()
    int BIO_meth_set_read(BIO_METHOD*, int (*)(BIO*, char*, int) noexcept nogil)
    int BIO_meth_set_write(BIO_METHOD*, int (*)(BIO*, const char*, int) noexcept nogil)
    int BIO_meth_set_ctrl(BIO_METHOD*, long (*)(BIO*, int, long, void*) noexcept nogil)
    void BIO_set_init(BIO*, int)
    void BIO_set_data(BIO*, void*)
    void* BIO_get_data(BIO*)
    void BIO_set_retry_read(BIO*)
    void BIO_clear_retry_flags(BIO*)
    int BIO_TYPE_SOURCE_SINK
    int BIO_CTRL_FLUSH
    int BIO_CTRL_DUP
    long BIO_get_mem_data(BIO*, char**)
    int BIO_free(BIO*)

cdef extern from "<openssl/err.h>" nogil:
    unsigned long ERR_get_error()
    unsigned long ERR_peek_error()
    const char* ERR_reason_error_string(unsigned long)
    void ERR_error_string_n(unsigned long, char*, size_t)
    void ERR_clear_error()

cdef extern from "<openssl/sha.h>" nogil:
    unsigned char* SHA1(const unsigned char*, size_t, unsigned char*)

cdef extern from "<openssl/evp.h>" nogil:
    int EVP_EncodeBlock(unsigned char*, const unsigned char*, int)
