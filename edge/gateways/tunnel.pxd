# One client of the pump: its socket, the socketpair to the engine, and what is between them.
#
# Stages: PROXY (header expected) -> HANDSHAKE (TLS) -> UPGRADE (WebSocket) -> OPEN -> CLOSING (our end is
# said, the client's is awaited) -> DEAD.  Each direction holds at most one chunk that could not be written;
# as long as it does, its source is not read: back-pressure without a queue.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from edge.engine.state cimport EngineState
from edge.gateways.frames cimport FrameReader
from edge.gateways.openssl cimport SSL
from edge.gateways.upgrade cimport UpgradeRules

cdef enum:
    CHUNK_BYTES = 65536
    PEER_BYTES_MAX = 1024

cdef enum Stage:
    STAGE_PROXY = 0
    STAGE_HANDSHAKE = 1
    STAGE_UPGRADE = 2
    STAGE_OPEN = 3
    STAGE_CLOSING = 4
    STAGE_DEAD = 5

ctypedef struct Pending:
    uint8_t* data                   # NULL: nothing waits
    uint32_t offset
    uint32_t len

ctypedef struct Tunnel:
    Tunnel* previous                # in the list of those with a deadline
    Tunnel* next
    int64_t deadline_ms             # 0: not in the list
    Tunnel* all_previous
    Tunnel* all_next
    int client_fd
    int inner_fd                    # -1 until OPEN
    uint16_t listener_index
    uint8_t stage
    uint8_t has_tls
    uint8_t has_websocket
    uint8_t client_eof              # the client sends no more
    uint8_t inner_gone              # the engine closed while the client still has to take what was sent
    uint8_t goodbye_said            # close_notify and FIN are out
    uint8_t tls_wants_write         # OpenSSL waits for room, whatever it was asked
    uint32_t client_events          # what epoll watches now
    uint32_t inner_events
    SSL* ssl
    FrameReader* frames
    UpgradeRules rules
    Pending up                      # to the engine
    Pending down                    # to the client, encoded
    uint8_t* early                  # bytes before OPEN that are not understood yet
    uint32_t early_len
    char peer[80]

ctypedef struct PumpState:
    EngineState* engine
    int epoll_fd
    int64_t now_ms
    uint8_t* scratch                # FRAME header room + CHUNK_BYTES
    Tunnel deadlines                # list head
    Tunnel everybody                # list head, by all_next
    Tunnel** graves
    uint32_t grave_count
    uint32_t grave_capacity
    uint32_t* open_counts           # by listener index
    int64_t handshake_ms
    uint64_t accepted
    uint64_t refused
    uint64_t handshakes_failed
    uint64_t open
    uint64_t bytes_up
    uint64_t bytes_down

cdef Tunnel* tunnel_new(PumpState* pump, int fd, uint16_t listener_index, const char* peer, SSL* ssl,
                        bint websocket, bint proxy_header, const UpgradeRules* rules) noexcept nogil
cdef void tunnel_on_client(PumpState* pump, Tunnel* tunnel, uint32_t events) noexcept nogil
cdef void tunnel_on_inner(PumpState* pump, Tunnel* tunnel, uint32_t events) noexcept nogil
cdef void tunnel_on_deadline(PumpState* pump, Tunnel* tunnel) noexcept nogil
cdef void tunnel_kill(PumpState* pump, Tunnel* tunnel) noexcept nogil
cdef void tunnel_bury(PumpState* pump) noexcept nogil
