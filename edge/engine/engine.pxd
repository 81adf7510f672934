# The Python-facing class, for modules that hand sockets to the engine natively.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from edge.engine.mailbox cimport Command
from edge.engine.state cimport EngineState


cdef class Engine:
    cdef EngineState* state
    cdef object thread
    cdef unsigned long long last_session
    cdef unsigned long long last_token
    cdef bint commanded             # since the last flush
    cdef readonly int event_fd

    cdef Command* _new(self, uint32_t kind, bytes a, bytes b, bytes c) except NULL
    cdef void _send(self, Command* command)
    cdef int _plain(self, uint32_t kind, uint64_t connection, uint64_t session) except -1
    cdef int _strings(self, uint32_t kind, uint64_t connection, uint64_t session, bytes a, bytes b, bytes c) except -1
    cdef uint64_t _query(self, uint32_t kind, uint64_t session, bytes text, uint32_t flags) except 0


# Thread-safe; for gateways. Takes over `fd`; `state` is Engine.state.
cdef void engine_adopt(EngineState* state, uint16_t listener_index, int fd, const uint8_t* peer,
                       uint32_t peer_len) noexcept nogil
