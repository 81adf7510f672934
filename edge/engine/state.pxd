# The engine's one state: everything the engine thread owns, gathered in a struct that every module gets.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from edge.engine.mailbox cimport Mailbox
from edge.engine.types cimport (
    AclProfile, Connection, RateGroup, RetainedStore, Session, Trie, WheelEntry,
)

cdef enum:
    LISTENERS_MAX = 4096
    WHEEL_BUCKETS = 1024            # a power of two
    RATE_BUCKETS = 256              # a power of two
    WHEEL_TICK_MS = 256             # precision of every time-out in the engine

ctypedef struct EngineLimits:
    # Set once before the thread starts; 0 means no limit where engine.pyi says so.
    uint64_t memory_bytes_max
    uint32_t connections_max
    uint32_t connect_timeout_ms
    uint32_t packet_timeout_ms
    uint32_t topic_levels_max
    uint64_t queued_messages_max
    uint64_t queued_bytes_max
    uint64_t queued_messages_total_max
    uint64_t queued_bytes_total_max
    uint64_t output_bytes_max
    uint64_t inflight_bytes_max
    uint32_t expiry_s_default
    uint32_t expiry_s_max
    uint8_t drop_oldest
    uint8_t queue_qos0_offline
    uint8_t retained_check_source
    uint8_t delayed_enabled
    uint8_t deny_disconnects

ctypedef struct EngineStats:
    uint64_t turns
    uint64_t receives
    uint64_t sends
    uint64_t bytes_received
    uint64_t bytes_sent
    uint64_t packets_received
    uint64_t publish_received
    uint64_t publish_sent
    uint64_t publish_received_qos0
    uint64_t publish_received_qos1
    uint64_t publish_received_qos2
    uint64_t publish_sent_qos0
    uint64_t publish_sent_qos1
    uint64_t publish_sent_qos2
    uint64_t dropped_queue_full
    uint64_t dropped_slow
    uint64_t dropped_expired
    uint64_t dropped_too_large
    uint64_t dropped_memory
    uint64_t dropped_denied
    uint64_t dropped_no_subscriber
    uint64_t dropped_retained_full
    uint64_t acl_denied
    uint64_t accepted
    uint64_t accept_refused
    uint64_t closed_protocol
    uint64_t closed_keep_alive
    uint64_t closed_timeout
    uint64_t throttled

ctypedef struct Listener:
    int fd
    uint32_t packet_bytes_max
    uint32_t connections_max
    uint32_t connection_count
    uint16_t index
    uint8_t proxy_header

ctypedef struct Wheel:
    WheelEntry heads[1024]
    WheelEntry due                  # came up, not yet handled
    uint64_t occupied[16]           # one bit a bucket
    int64_t tick                    # last processed tick
    int64_t next_ms                 # nothing is due before; INT64_MAX: nothing at all

ctypedef struct Buffer:
    uint8_t* data
    uint32_t capacity

ctypedef struct MapFilter:
    uint8_t* filter
    uint16_t len

ctypedef struct EngineState:
    EngineLimits limits
    EngineStats stats
    Mailbox mailbox
    int epoll_fd
    int timer_fd
    int64_t timer_armed_ms          # when it fires; INT64_MAX: not armed
    int spare_fd                    # given up to be able to refuse when descriptors run out
    uint8_t stopping
    uint8_t draining
    uint8_t over_budget
    int64_t shed_ms                 # when connections were last looked over for deaf ones
    int64_t now_ms
    uint32_t short_sleeps           # in a row; see wait() in reactor.pyx
    uint32_t spin_after
    Trie trie
    RetainedStore retained
    uint64_t acl_epoch
    AclProfile** profiles           # open addressing by id, see profiles.pxd
    uint32_t profile_count
    uint32_t profile_capacity
    Connection** slots
    uint32_t slot_capacity
    uint32_t* free_slots
    uint32_t free_count
    uint32_t generation
    uint32_t connection_count
    Session** sessions              # chained hash by id
    uint32_t session_capacity
    uint32_t session_count
    uint64_t queued_bytes_total
    uint64_t queued_count_total
    Connection** dirty
    uint32_t dirty_count
    uint32_t dirty_capacity
    Connection** graves
    uint32_t grave_count
    uint32_t grave_capacity
    uint8_t* read_buffer
    uint32_t read_capacity
    uint8_t* topic_scratch          # mount point + Topic Name
    Buffer pool[64]                 # output buffers of connections that have nothing to send
    uint32_t pool_count
    MapFilter* map_filters
    uint32_t map_filter_count
    Listener* listeners[4096]
    RateGroup* rate_groups[256]     # chained, by hash of the address
    Wheel wheel
