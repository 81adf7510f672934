# One client of the pump: its socket, the socketpair to the engine, and what waits between them.
#
# Stages, left to right and never back:
#   PROXY      a PROXY protocol header is expected
#   HANDSHAKE  TLS
#   UPGRADE    the HTTP request that becomes a WebSocket
#   OPEN       the engine has its end; bytes go both ways
#   CLOSING    the engine is done: the client gets what is left, close_notify or Close, and FIN; its own is awaited
#   DEAD       closed; freed at the end of the turn
#
# Back-pressure without queues: what a socket does not take is held, and as long as something is held its
# source is not read.  So a tunnel holds at most one batch in each direction, and an idle one nothing.
# A client that talks us into answering (pings, key updates) is not read either above DOWN_BYTES_MAX.
#
# Everything here belongs to the pump's thread, except what stands behind `mutex`.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from edge.engine.state cimport EngineState
from edge.gateways.frames cimport FrameReader
from edge.gateways.openssl cimport SSL, SSL_CTX
from edge.gateways.tls_wire cimport Wire
from edge.gateways.upgrade cimport UpgradeRules

cdef extern from "<pthread.h>" nogil:
    ctypedef struct pthread_mutex_t:
        pass

cdef enum:
    CHUNK_BYTES = 65536             # most that is read from a socket at once
    HELD_BYTES_MAX = 8192           # most that is held of a header; room for it lies before each read buffer
    DOWN_BYTES_MAX = 65536          # held for a client that is still read
    LAST_WORDS_MS = 10000           # for a client to take what was sent before the engine closed
    CLOSING_MS = 2000               # for a client to answer our FIN
    # A chunk with its frame header, or the answers to all that one read can bring: those are as long as
    # their questions, and one more control frame, whose beginning came earlier, and a Close.
    BACK_BYTES = 83200

cdef enum Stage:
    STAGE_PROXY = 0
    STAGE_HANDSHAKE = 1
    STAGE_UPGRADE = 2
    STAGE_OPEN = 3
    STAGE_CLOSING = 4
    STAGE_DEAD = 5

cdef enum Filed:
    FILED_NOWHERE = 0
    FILED_GREETING = 1              # a handshake must be over in time
    FILED_PARTING = 2               # a goodbye must be over in time

ctypedef struct Held:
    uint8_t* data                   # NULL: nothing
    uint32_t start
    uint32_t end

ctypedef struct PumpListener:
    PumpListener* next
    int fd
    uint16_t index
    uint8_t ready                   # epoll said so in this turn
    uint8_t resting                 # not in the epoll: too many handshakes
    uint8_t removed                 # freed with its last tunnel
    uint8_t proxy_header
    uint8_t has_websocket
    uint32_t connections_max
    uint32_t tunnel_count
    SSL_CTX* context                # NULL: no TLS
    UpgradeRules rules
    char* texts                     # what `rules` points into

ctypedef struct Tunnel:
    Tunnel* previous                # of all
    Tunnel* next
    Tunnel* earlier                 # of those with a deadline
    Tunnel* later
    int64_t deadline_ms
    PumpListener* listener
    SSL* ssl                        # NULL: no TLS, not begun, or over
    FrameReader* frames             # NULL: no WebSocket, or not yet
    char* peer                      # address text, until the engine knows it
    Held up                         # before OPEN: the start of a header; then: what the engine did not take
    Held down                       # as the client's socket gets it
    uint32_t client_events          # what epoll watches
    uint32_t inner_events
    int client_fd
    int inner_fd                    # -1 unless OPEN
    uint8_t stage
    uint8_t filed
    uint8_t client_eof              # the client has no more to say, or we do not listen any more
    uint8_t client_fin              # its FIN has come
    uint8_t up_closed               # the engine was told so
    uint8_t down_closed             # no more MQTT may be said to the client: its Close was answered
    uint8_t inner_gone              # the engine has closed while the client still has to take what it said
    uint8_t goodbye_said            # FIN is out

ctypedef struct Deadlines:
    Tunnel* first
    Tunnel* last

ctypedef struct PumpStats:
    uint64_t accepted
    uint64_t refused                # by a limit, or no descriptor was left
    uint64_t handshakes_failed
    uint64_t handshakes_late
    uint64_t open                   # in any stage
    uint64_t greeting               # not yet handed to the engine
    uint64_t bytes_up               # MQTT, without TLS and WebSocket
    uint64_t bytes_down
    char last_failure[220]          # address and words

ctypedef struct PumpCommand:
    PumpCommand* next
    uint8_t kind
    uint16_t index
    PumpListener* listener
    SSL_CTX* context

ctypedef struct PumpState:
    EngineState* engine             # NULL: `adopt` is called instead
    void* adopt                     # a Python callable, for tests
    int epoll_fd
    int wake_fd
    int spare_fd                    # given up to be able to refuse when descriptors run out
    int64_t now_ms
    int64_t handshake_ms
    int64_t stop_at_ms              # 0: not stopping
    uint8_t crowded                 # as many handshakes as we allow: listeners rest
    uint8_t any_ready               # some listener is
    Wire wire
    uint8_t* raw                    # from clients: HELD_BYTES_MAX + CHUNK_BYTES
    uint8_t* plain                  # decrypted: HELD_BYTES_MAX + CHUNK_BYTES + RECORD_BYTES_MAX
    uint8_t* back                   # to clients: BACK_BYTES
    PumpListener* listeners
    Tunnel* tunnels
    Tunnel* graves                  # chained by `next`
    Deadlines greeting
    Deadlines parting
    PumpStats stats
    pthread_mutex_t mutex
    PumpCommand* commands           # behind the mutex
    PumpCommand* commands_last      # behind the mutex
    PumpStats published             # behind the mutex

cdef Tunnel* tunnel_new(PumpState* pump, PumpListener* listener, int fd, const char* peer) noexcept nogil
cdef void tunnel_kill(PumpState* pump, Tunnel* tunnel) noexcept nogil
cdef void tunnel_bury(PumpState* pump) noexcept nogil
cdef void tunnel_file(PumpState* pump, Tunnel* tunnel, Filed where, int64_t deadline_ms) noexcept nogil

# Gives the engine its end of a socketpair: STAGE_OPEN. False: no descriptor is left, the tunnel is dead.
cdef bint tunnel_open(PumpState* pump, Tunnel* tunnel) noexcept nogil

# To the client, encrypted if there is TLS; what does not fit is held. False: the tunnel is dead.
cdef bint tunnel_say(PumpState* pump, Tunnel* tunnel, const uint8_t* data, uint32_t length) noexcept nogil
# The same for what TLS itself has to say (Wire.output).
cdef bint tunnel_say_wire(PumpState* pump, Tunnel* tunnel) noexcept nogil
cdef bint tunnel_flush_down(PumpState* pump, Tunnel* tunnel) noexcept nogil

# To the engine; what does not fit is held.
cdef void tunnel_tell(PumpState* pump, Tunnel* tunnel, const uint8_t* data, uint32_t length) noexcept nogil
cdef void tunnel_flush_up(PumpState* pump, Tunnel* tunnel) noexcept nogil

# The engine is done, or never came into play: say goodbye in the words of each layer. STAGE_CLOSING.
cdef void tunnel_part(PumpState* pump, Tunnel* tunnel, uint16_t close_code) noexcept nogil
cdef bint tunnel_may_read(const Tunnel* tunnel) noexcept nogil
# After every event: pass on ends that are due, then tell epoll what is awaited.
cdef void tunnel_settle(PumpState* pump, Tunnel* tunnel) noexcept nogil
cdef void tunnel_fail(PumpState* pump, Tunnel* tunnel, const char* words) noexcept nogil

# Frees a removed listener that has no tunnels.
cdef void listener_release(PumpListener* listener) noexcept nogil

cdef void held_keep(Held* held, const uint8_t* data, uint32_t length) noexcept nogil
cdef void held_drop(Held* held) noexcept nogil
