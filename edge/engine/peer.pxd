# The text form of a peer's address: what logs, bans and `client list` show.

from libc.stdint cimport uint32_t

cdef extern from "<sys/socket.h>" nogil:
    struct sockaddr:
        unsigned short sa_family
    struct sockaddr_storage:
        unsigned short ss_family

cdef enum:
    PEER_TEXT_MAX = 80

cdef uint32_t peer_text(const sockaddr_storage* address, char* out, size_t capacity) noexcept nogil
