# The thread boundary: two linked lists behind one mutex, and an eventfd for each direction.
#
# Control plane -> engine: commands. Engine -> control plane: events. A node is allocated by the
# side that posts and freed by the side that takes; nothing else is shared between the threads,
# so the whole engine needs no other lock.  Lock order: there is one lock.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef extern from "<pthread.h>" nogil:
    ctypedef struct pthread_mutex_t:
        pass

cdef enum:
    EVENTS_CROWDED = 65536          # more events than this wait: no new connections until they are taken

cdef enum CommandKind:
    COMMAND_STOP = 1
    COMMAND_DRAIN = 2
    COMMAND_ADD_LISTENER = 3
    COMMAND_REMOVE_LISTENER = 4
    COMMAND_ADOPT = 5
    COMMAND_OPEN_SESSION = 6
    COMMAND_CLOSE_SESSION = 7
    COMMAND_ACCEPT = 8
    COMMAND_SESSION_ENDS = 9
    COMMAND_SEND = 10
    COMMAND_RESUME = 11
    COMMAND_CLOSE = 12
    COMMAND_MAP_TOPIC = 13
    COMMAND_SUBSCRIBE = 14
    COMMAND_UNSUBSCRIBE = 15
    COMMAND_SEND_RETAINED = 16
    COMMAND_PUBLISH = 17
    COMMAND_SET_PROFILE = 18
    COMMAND_DROP_PROFILE = 19
    COMMAND_SESSION_ACL = 20
    COMMAND_MAP_FILTERS = 21
    COMMAND_QUERY_STATS = 22
    COMMAND_QUERY_SESSIONS = 23
    COMMAND_QUERY_RETAINED = 24
    COMMAND_DELETE_RETAINED = 25

cdef enum EventKind:
    KIND_PACKET = 1
    KIND_CLOSED = 2
    KIND_DELAYED = 3
    KIND_TOPIC = 4
    KIND_REPLY = 5
    KIND_DRAINED = 6
    KIND_MEMORY = 7

cdef enum Cause:
    PEER_CLOSED = 1
    KEEP_ALIVE_PASSED = 2
    PROTOCOL_BROKEN = 3
    COMMANDED = 4
    TIMED_OUT = 5
    WRITE_FAILED = 6
    QUOTA_PASSED = 7

# What the ACCEPT command carries besides the CONNACK and the mount point.
ctypedef struct AcceptTerms:
    uint32_t keep_alive_s
    uint32_t packet_bytes_max
    uint32_t client_packet_bytes_max
    uint32_t acl_profile_id
    uint32_t rate_messages_s
    uint32_t rate_bytes_s
    uint32_t group_messages_s
    uint32_t group_bytes_s
    uint16_t inflight_max
    uint16_t receive_max
    uint16_t alias_in_max
    uint16_t alias_out_max
    uint8_t protocol_version
    uint8_t ends_with_connection
    uint8_t qos_max
    uint8_t retain_available
    uint8_t needs_map

ctypedef struct Command:
    Command* next
    uint32_t kind
    uint64_t connection
    uint64_t session
    uint64_t number                 # subscription id, profile id, token, origin session, ...
    int64_t signed_number           # expiry in seconds, -1: none; a file descriptor
    uint32_t flags                  # meaning by kind
    uint8_t qos
    AcceptTerms terms
    uint32_t lengths[3]             # up to three byte strings, one behind the other in data
    uint8_t data[8]                 # over-allocated

ctypedef struct EventNode:
    EventNode* next
    uint32_t kind
    uint64_t connection
    uint64_t session
    uint64_t number                 # token, listener index
    int64_t signed_number           # expiry in seconds, -1: none
    uint32_t reply_kind             # the CommandKind that is answered
    uint8_t cause
    uint8_t reason_code
    uint8_t qos
    uint8_t flag                    # retain; over budget
    uint32_t lengths[3]             # packet, peer | topic, properties, payload
    uint8_t data[8]                 # over-allocated

ctypedef struct Mailbox:
    pthread_mutex_t mutex
    Command* command_head
    Command* command_tail
    EventNode* event_head
    EventNode* event_tail
    uint32_t event_count            # in the list
    int wake_fd                     # the engine sleeps on it
    int event_fd                    # the control plane sleeps on it
    uint8_t events_posted           # engine thread only: since the last signal

cdef void mailbox_init(Mailbox* box) noexcept nogil
cdef void mailbox_destroy(Mailbox* box) noexcept nogil

# any thread
cdef Command* command_new(uint32_t kind, const uint8_t* a, uint32_t a_len, const uint8_t* b, uint32_t b_len,
                          const uint8_t* c, uint32_t c_len) noexcept nogil
cdef void mailbox_command(Mailbox* box, Command* command) noexcept nogil
cdef void mailbox_wake(Mailbox* box) noexcept nogil

# engine thread
cdef Command* mailbox_take_commands(Mailbox* box) noexcept nogil
cdef EventNode* event_new(uint32_t kind, const uint8_t* a, uint32_t a_len, const uint8_t* b, uint32_t b_len,
                          const uint8_t* c, uint32_t c_len) noexcept nogil
cdef void mailbox_post(Mailbox* box, EventNode* event) noexcept nogil
cdef bint mailbox_is_crowded(Mailbox* box) noexcept nogil
cdef void mailbox_signal(Mailbox* box) noexcept nogil
cdef void mailbox_drain_wake(Mailbox* box) noexcept nogil

# control plane
cdef EventNode* mailbox_take_events(Mailbox* box) noexcept nogil
