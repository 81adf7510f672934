# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=False, autotestdict=False
"""Arming and disarming a connection's socket; see poll.pxd."""

from libc.stdint cimport uint32_t, uint64_t

cdef extern from "<sys/epoll.h>" nogil:
    ctypedef union epoll_data_t:
        uint64_t u64
    struct epoll_event:
        uint32_t events
        epoll_data_t data
    int epoll_ctl(int, int, int, epoll_event*)
    int EPOLLIN
    int EPOLLOUT
    int EPOLL_CTL_ADD
    int EPOLL_CTL_MOD
    int EPOLL_CTL_DEL


cdef void connection_poll(EngineState* state, Connection* connection) noexcept nogil:
    cdef epoll_event event
    cdef int operation = EPOLL_CTL_MOD
    if connection.unwatched:
        connection.unwatched = 0
        operation = EPOLL_CTL_ADD
    event.events = (0 if connection.disarmed else EPOLLIN) | (EPOLLOUT if connection.want_out else 0)
    event.data.u64 = connection_handle(connection)
    epoll_ctl(state.epoll_fd, operation, connection.fd, &event)


cdef void connection_unwatch(EngineState* state, Connection* connection) noexcept nogil:
    """The peer has hung up, which epoll would report for ever, but what it sent before still waits to be handled."""
    connection.disarmed = connection.unwatched = 1
    epoll_ctl(state.epoll_fd, EPOLL_CTL_DEL, connection.fd, NULL)
