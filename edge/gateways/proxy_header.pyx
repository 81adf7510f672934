# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=False, autotestdict=False
"""Parsing PROXY protocol headers; see proxy_header.pxd."""

from libc.stdio cimport snprintf
from libc.string cimport memchr, memcmp, memcpy, memset, strlen

cdef extern from "<arpa/inet.h>" nogil:
    const char* inet_ntop(int, const void*, char*, unsigned int)
    int inet_pton(int, const char*, void*)

cdef extern from "<sys/socket.h>" nogil:
    int AF_INET
    int AF_INET6

cdef enum:
    HOST_BYTES_MAX = 46             # the longest textual IPv6 address, with its NUL
    V2_HEAD_BYTES = 16

cdef const char* V2_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


cdef void put_source(ProxyHeader* out, int family, const char* host, unsigned int port) noexcept nogil:
    if family == AF_INET6:
        snprintf(out.source, sizeof(out.source), b"[%s]:%u", host, port)
    else:
        snprintf(out.source, sizeof(out.source), b"%s:%u", host, port)


cdef int read_port(const uint8_t* text, uint32_t length) noexcept nogil:
    """A decimal port without leading zeros; -1: none."""
    cdef int value = 0
    cdef uint32_t i
    if length == 0 or length > 5 or (length > 1 and text[0] == c"0"):
        return -1
    for i in range(length):
        if text[i] < c"0" or text[i] > c"9":
            return -1
        value = value * 10 + (text[i] - c"0")
    return value if value <= 65535 else -1


cdef int parse_v1(const uint8_t* data, uint32_t length, ProxyHeader* out) noexcept nogil:
    """`PROXY TCP4|TCP6|UNKNOWN source destination source-port destination-port CR LF`."""
    cdef const uint8_t* fields[6]
    cdef uint32_t lengths[6]
    cdef uint32_t count = 0
    cdef uint32_t start = 0
    cdef uint32_t end
    cdef uint32_t i
    cdef int family
    cdef int port
    cdef char host[46]
    cdef uint8_t address[16]
    cdef uint32_t scan = length if length < PROXY_V1_BYTES_MAX else PROXY_V1_BYTES_MAX
    cdef const uint8_t* newline = <const uint8_t*>memchr(data, c"\n", scan)
    if newline == NULL:
        return -1 if length >= PROXY_V1_BYTES_MAX else 0
    end = <uint32_t>(newline - data)
    if end < 1 or data[end - 1] != c"\r":
        return -1
    if end - 1 >= 13 and memcmp(data, b"PROXY UNKNOWN", 13) == 0 and (end - 1 == 13 or data[13] == c" "):
        out.is_local = 1
        return <int>(end + 1)
    for i in range(end):
        if data[i] == c" " or i == end - 1:
            if count == 6 or i == start:
                return -1
            fields[count] = data + start
            lengths[count] = i - start
            count += 1
            start = i + 1
    if count != 6:
        return -1
    if lengths[1] == 4 and memcmp(fields[1], b"TCP4", 4) == 0:
        family = AF_INET
    elif lengths[1] == 4 and memcmp(fields[1], b"TCP6", 4) == 0:
        family = AF_INET6
    else:
        return -1
    # Both addresses and both ports are checked: a header that is half right was not written by a proxy.
    for i in range(3, 1, -1):
        if lengths[i] >= HOST_BYTES_MAX:
            return -1
        memcpy(host, fields[i], lengths[i])
        host[lengths[i]] = 0
        if strlen(host) != lengths[i] or inet_pton(family, host, address) != 1:
            return -1
    port = read_port(fields[4], lengths[4])
    if port < 0 or read_port(fields[5], lengths[5]) < 0:
        return -1
    # One spelling per address, whatever the proxy wrote: bans and logs compare text.
    inet_ntop(family, address, host, sizeof(host))
    put_source(out, family, host, <unsigned int>port)
    return <int>(end + 1)


cdef int parse_v2(const uint8_t* data, uint32_t length, ProxyHeader* out) noexcept nogil:
    """Signature, version and command, family, length, addresses, TLVs (skipped)."""
    cdef uint32_t body
    cdef uint8_t command
    cdef uint8_t family
    cdef char host[46]
    if length < V2_HEAD_BYTES:
        return 0
    if data[12] >> 4 != 2:
        return -1
    command = data[12] & 0x0F
    family = data[13] >> 4
    body = (<uint32_t>data[14] << 8) | data[15]
    if command > 1 or (data[13] & 0x0F) > 2 or family > 3 or V2_HEAD_BYTES + body > PROXY_V2_BYTES_MAX:
        return -1
    if length < V2_HEAD_BYTES + body:
        return 0
    if command == 0 or family == 0 or family == 3:
        out.is_local = 1
    elif family == 1:
        if body < 12:
            return -1
        inet_ntop(AF_INET, data + 16, host, sizeof(host))
        put_source(out, AF_INET, host, (<unsigned int>data[24] << 8) | data[25])
    else:
        if body < 36:
            return -1
        inet_ntop(AF_INET6, data + 16, host, sizeof(host))
        put_source(out, AF_INET6, host, (<unsigned int>data[48] << 8) | data[49])
    return <int>(V2_HEAD_BYTES + body)


cdef int proxy_header_parse(const uint8_t* data, uint32_t length, ProxyHeader* out) noexcept nogil:
    cdef uint32_t known
    memset(out, 0, sizeof(ProxyHeader))
    if length == 0:
        return 0
    known = length if length < 12 else 12
    if memcmp(data, V2_SIGNATURE, known) == 0:
        return parse_v2(data, length, out)
    known = length if length < 6 else 6
    if memcmp(data, b"PROXY ", known) == 0:
        return parse_v1(data, length, out)
    return -1


def parse(bytes data):
    """Parse for tests: (bytes used, source or None); see proxy_header.pyi."""
    cdef ProxyHeader header
    cdef int used = proxy_header_parse(<const uint8_t*><char*>data, <uint32_t>len(data), &header)
    return used, None if used <= 0 or header.is_local else header.source.decode()
