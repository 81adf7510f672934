# The PROXY protocol header, versions 1 and 2: a pure parser, no I/O.
#
# A load balancer or tunnel in front of a listener writes it before the client's first byte to say who
# the client is.  Source: the PROXY protocol specification by HAProxy Technologies, revision 2020-03-05.

from libc.stdint cimport uint8_t, uint32_t

cdef enum:
    PROXY_V1_BYTES_MAX = 107        # section 2.1, line end included
    PROXY_V2_BYTES_MAX = 4096       # ours: address and TLVs together; the specification allows 65,551

ctypedef struct ProxyHeader:
    char source[80]                 # `192.0.2.1:40000`, `[2001:db8::1]:40000`, or empty
    uint8_t is_local                # 1: no client is named (LOCAL, UNKNOWN, unix): keep the peer of the socket

# Bytes of the header; 0: more are needed; -1: this is no PROXY header.
cdef int proxy_header_parse(const uint8_t* data, uint32_t length, ProxyHeader* out) noexcept nogil
