# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=False, autotestdict=False
"""Addresses as text; see peer.pxd."""

from libc.stdio cimport snprintf
from libc.string cimport strlen

cdef extern from "<sys/socket.h>" nogil:
    int AF_INET
    int AF_INET6

cdef extern from "<netinet/in.h>" nogil:
    struct in_addr:
        pass
    struct in6_addr:
        pass
    struct sockaddr_in:
        unsigned short sin_port
        in_addr sin_addr
    struct sockaddr_in6:
        unsigned short sin6_port
        in6_addr sin6_addr
    unsigned short ntohs(unsigned short)

cdef extern from "<arpa/inet.h>" nogil:
    const char* inet_ntop(int, const void*, char*, unsigned int)


cdef uint32_t peer_text(const sockaddr_storage* address, char* out, size_t capacity) noexcept nogil:
    """`192.0.2.1:1883`, `[2001:db8::1]:1883` or `local`; returns its length."""
    cdef char host[64]
    host[0] = 0
    if address.ss_family == AF_INET:
        inet_ntop(AF_INET, &(<sockaddr_in*>address).sin_addr, host, sizeof(host))
        snprintf(out, capacity, b"%s:%u", host, <unsigned int>ntohs((<sockaddr_in*>address).sin_port))
    elif address.ss_family == AF_INET6:
        inet_ntop(AF_INET6, &(<sockaddr_in6*>address).sin6_addr, host, sizeof(host))
        snprintf(out, capacity, b"[%s]:%u", host, <unsigned int>ntohs((<sockaddr_in6*>address).sin6_port))
    else:
        snprintf(out, capacity, b"local")
    return <uint32_t>strlen(out)
