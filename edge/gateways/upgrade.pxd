# The opening handshake of a WebSocket, RFC 6455 section 4.2: one HTTP/1.1 request in, one response out.

from libc.stdint cimport uint8_t, uint32_t

cdef enum:
    REQUEST_BYTES_MAX = 8192
    RESPONSE_BYTES_MAX = 512

ctypedef struct UpgradeRules:
    const char* path                # "": any
    const char* origins             # NUL-separated, ended by an empty one; "" at once: any. Lower case

ctypedef struct UpgradeResult:
    uint8_t accepted
    uint32_t request_bytes          # how much of the input the request was
    uint32_t response_len
    char response[512]

# True: decided, see `result`; False: the request is incomplete.
cdef bint upgrade_parse(const uint8_t* data, uint32_t length, const UpgradeRules* rules, UpgradeResult* result) noexcept nogil
