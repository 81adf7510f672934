# The structs that the engine's modules share, and nothing else: no function lives here.
#
# Ownership in one breath: the EngineState owns every Connection and Session; a Session owns its queue,
# its in-flight window and its places in the trie; a Body is shared by reference count between
# whatever has still to send it.  All of it belongs to the engine thread.  Only the mailbox
# (mailbox.pxd) is touched by two threads.
#
# Units: every *_ms is monotonic milliseconds since an arbitrary start, every *_bytes counts bytes.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t


# ---------------------------------------------------------------- messages

ctypedef struct Body:
    # One application message, encoded once: topic | properties | payload in `data`.
    # `properties` holds the forwarded PUBLISH properties verbatim (payload format, content type,
    # response topic, correlation data, user properties), without their length and without the
    # ones that belong to one hop (topic alias, subscription identifier) or that change on the
    # way (message expiry interval).
    uint32_t refs
    uint32_t size_bytes             # what was charged to the memory account
    int64_t expires_ms              # 0: never [MQTT-3.3.2-5]
    uint64_t origin_session_id      # 0: not from a session; for No Local [MQTT-3.8.3-3]
    uint32_t acl_profile_id         # of the publisher, for the retained source check
    uint32_t properties_len
    uint32_t payload_len
    uint16_t topic_len
    uint8_t qos                     # as published
    uint8_t retain                  # as published
    uint8_t data[8]                 # over-allocated


ctypedef struct SubIds:
    # Subscription Identifiers as they go on the wire: (0x0B, variable byte integer) repeated.
    uint32_t refs
    uint32_t len
    uint8_t data[8]                 # over-allocated


# ---------------------------------------------------------------- trees of topic levels

ctypedef struct LevelNode:
    # What every tree of topic levels shares, see levels.pxd.
    LevelNode* parent               # NULL: the root
    LevelNode** table               # children by hash of their level, chained through `chain`
    LevelNode* chain
    uint8_t* level                  # this node's own level, stored behind the node itself
    uint32_t table_capacity         # a power of two, or 0
    uint32_t table_count
    uint32_t hash
    uint16_t level_len


# ---------------------------------------------------------------- subscriptions

cdef enum:
    SUB_NO_LOCAL = 1
    SUB_RETAIN_AS_PUBLISHED = 2

ctypedef struct Sub:
    # One subscription: a session's entry at a trie node or in a share group.
    Session* session
    SubIds* subids                  # NULL: none
    uint32_t place_index            # its SubPlace among session.places; unused in a MatchEntry
    uint8_t qos
    uint8_t options                 # SUB_*

ctypedef struct ShareGroup:
    # $share/{name}/{filter}: the members at one node that take turns [MQTT-4.8.2].
    # Members before `cursor` were served in this round, the others were not: see share_next().
    ShareGroup* next
    Sub* members
    uint32_t count
    uint32_t capacity
    uint32_t cursor                 # next member to serve; `count` means the first
    uint16_t name_len
    uint8_t name[8]                 # over-allocated

ctypedef struct TrieNode:
    LevelNode node                  # first member: a trie node is its level node
    TrieNode* plus                  # the child `+`, which is not in the table
    TrieNode* pound                 # the child `#`, which is not in the table
    Sub* subs
    ShareGroup* groups
    uint32_t sub_count
    uint32_t sub_capacity

ctypedef struct SubPlace:
    # Where a session stands in the trie, so that dropping it needs no search.
    TrieNode* node
    ShareGroup* group               # NULL: not shared
    uint32_t index                  # of its Sub in node.subs or group.members

ctypedef struct MatchEntry:
    # What one Topic Name matches: valid while `epoch` equals the trie's.
    uint64_t epoch
    uint32_t hash
    uint16_t topic_len
    uint32_t target_count
    uint32_t target_capacity
    uint32_t group_count
    uint32_t group_capacity
    Sub* targets                    # one per session, highest QoS, subids merged; holds refs on subids
    ShareGroup** groups             # share groups that match, each served once
    uint64_t size_bytes             # what the cache was charged for it
    uint8_t topic[8]                # over-allocated

ctypedef struct Trie:
    TrieNode* root
    uint64_t epoch                  # grows whenever a match could change: subscribe, unsubscribe, ACL
    uint64_t stamp                  # for de-duplication while matching
    uint64_t sub_count
    uint64_t node_count             # the root included
    MatchEntry** cache              # open addressing; NULL while empty
    uint32_t cache_capacity         # a power of two
    uint32_t cache_count
    uint64_t cache_bytes            # of all entries and the table
    uint64_t cache_generation       # grows when the cache is emptied: entry pointers die with it
    uint64_t miss_count


# ---------------------------------------------------------------- access

cdef enum:
    ACL_READ = 1                    # receive a message on this topic
    ACL_WRITE = 2                   # publish to it
    ACL_RETAIN = 4                  # ... with RETAIN 1 (asked together with ACL_WRITE)

ctypedef struct AclRule:
    uint8_t allow
    uint8_t access                  # bits of ACL_READ, ACL_WRITE, ACL_RETAIN that the rule speaks of
    uint8_t qos_max                 # an allow rule with qos_max 1 does not allow QoS 2
    uint16_t filter_len
    uint8_t* filter                 # Topic Filter with %u and %c already filled in

ctypedef struct AclProfile:
    # First rule that matches decides; none matches: default_allow.
    uint32_t id
    uint32_t refs
    uint32_t rule_count
    uint8_t default_allow
    uint8_t restricts_read          # 0: no read check is needed at delivery
    uint8_t restricts_write
    AclRule* rules


# ---------------------------------------------------------------- sessions

ctypedef struct Delivery:
    # A message on its way to one session.
    Body* body
    SubIds* subids                  # NULL: none
    uint8_t qos                     # granted, already the minimum of subscription and message
    uint8_t retain                  # RETAIN flag to send
    uint8_t shared                  # came through a share group

cdef enum InflightState:
    INFLIGHT_FREE = 0
    INFLIGHT_AWAIT_PUBACK = 1
    INFLIGHT_AWAIT_PUBREC = 2
    INFLIGHT_AWAIT_PUBCOMP = 3

ctypedef struct Inflight:
    Delivery delivery               # body NULL once PUBREC came
    uint32_t order                  # grows by one per message sent: retransmission order [MQTT-4.6.0-1]
    uint16_t packet_id
    uint8_t state                   # InflightState
    uint8_t resend                  # the connection came back and this has not been sent on it yet

cdef enum:
    SESSION_ENDS_WITH_CONNECTION = 1   # Session Expiry Interval 0: nothing is kept once offline

ctypedef struct Session:
    uint64_t id
    Connection* connection          # NULL: offline
    Session* hash_next              # sessions by id
    uint64_t match_stamp            # Trie.stamp of the last match that saw it ...
    uint32_t match_index            # ... and its place among the targets then
    uint32_t flags                  # SESSION_*
    AclProfile* acl                 # NULL: everything is allowed
    SubPlace* places
    uint32_t place_count
    uint32_t place_capacity
    # outbound window, see window.pyx
    Inflight* inflight              # ring indexed by packet id; NULL when nothing is in flight
    uint32_t inflight_capacity      # a power of two
    uint32_t inflight_count         # occupied slots
    uint32_t resend_count           # of those, how many still wait to be sent again
    uint64_t inflight_bytes         # topics, properties and payloads
    uint32_t order_next
    uint16_t packet_id_next
    uint16_t inflight_max           # min(client's Receive Maximum, configured)
    uint16_t* resend_ids            # Packet Identifiers to send again, oldest first; see window_resume()
    uint32_t resend_cursor
    uint32_t resend_ids_count
    # queue behind the window: a ring
    Delivery* queue
    uint32_t queue_capacity
    uint32_t queue_head
    uint32_t queue_count
    uint32_t queue_qos0_count       # of those, at QoS 0
    uint64_t queue_bytes
    # Packet Identifiers received at QoS 2 and not yet released: open addressing, 0 is empty
    uint16_t* inbound
    uint32_t inbound_capacity
    uint32_t inbound_count
    # counters
    uint64_t dropped_count
    uint64_t received_count
    uint64_t sent_count


# ---------------------------------------------------------------- retained messages

ctypedef struct RetainedNode:
    LevelNode node                  # first member: a retained node is its level node
    Body* body                      # NULL: an inner node only
    uint32_t expiry_index           # place in the store's heap, counted from 1; 0: never expires

ctypedef struct RetainedStore:
    RetainedNode* root
    uint64_t count
    uint64_t bytes                  # bodies and the nodes that lead to them
    uint64_t count_max              # 0: no bound
    uint64_t bytes_max              # 0: no bound
    int64_t next_expiry_ms          # 0: nothing expires; else when the first message does
    RetainedNode** expiry_heap      # nodes whose body expires, the earliest first
    uint32_t expiry_count
    uint32_t expiry_capacity


# ---------------------------------------------------------------- connections

ctypedef struct Segment:
    # A stretch of output: of a shared body, or of the connection's own buffer.
    Body* body                      # NULL: bytes of Connection.out
    uint32_t offset
    uint32_t len

cdef enum ConnectionState:
    CONNECTION_NEW = 0              # waits for CONNECT (or a PROXY header)
    CONNECTION_CONNECTING = 1       # CONNECT is with the control plane; AUTH may pass
    CONNECTION_LIVE = 2
    CONNECTION_LINGER = 3           # last packet sent, waits for the peer's FIN
    CONNECTION_DEAD = 4             # in the graveyard until the end of the turn

ctypedef struct TokenBucket:
    uint32_t messages_s             # 0: no limit
    uint32_t bytes_s
    int64_t message_tokens_x1000
    int64_t byte_tokens_x1000
    int64_t refilled_ms

ctypedef struct RateGroup:
    RateGroup* next
    TokenBucket bucket
    uint32_t refs                   # connections that share it
    uint32_t hash
    uint32_t key_len
    uint8_t key[4]                  # over-allocated

ctypedef struct AliasOut:
    uint32_t hash
    uint16_t topic_len
    uint8_t* topic

ctypedef struct WriteVerdict:
    # The ACL's answer for one matched topic; valid while both epochs hold.
    MatchEntry* entry
    uint64_t generation             # Trie.cache_generation
    uint64_t acl_epoch
    uint8_t known                   # bit (qos + 3 * retain): has been asked ...
    uint8_t allowed                 # ... and was allowed

ctypedef struct TopicMapping:
    TopicMapping* next
    uint32_t hash
    uint16_t topic_len
    uint16_t target_len             # 0: publishing there is refused
    uint8_t data[4]                 # topic | target, over-allocated

ctypedef struct WheelEntry:
    WheelEntry* previous
    WheelEntry* next
    int64_t deadline_ms
    uint32_t bucket

ctypedef struct Connection:
    WheelEntry timer                # first member: a wheel entry is its connection
    int fd
    uint32_t slot
    uint32_t generation
    uint8_t state                   # ConnectionState
    uint8_t protocol_version        # 3, 4 or 5
    uint8_t dirty
    uint8_t want_out                # EPOLLOUT is armed
    uint8_t write_failed
    uint8_t paused                  # a slow packet is with the control plane
    uint8_t throttled               # over its publish rate until throttled_until_ms
    uint8_t clogged                 # does not take our answers: nothing more is read until it does
    uint8_t disarmed                # EPOLLIN is off
    uint8_t unwatched               # out of the epoll: the peer hung up while its input waits
    uint8_t expects_proxy
    uint8_t qos_max
    uint8_t retain_available
    uint8_t finishing               # detached; nothing more is read; closes when the output is out
    uint8_t needs_map               # a topic of this connection may be rewritten
    uint8_t plain                   # output needs neither mount strip nor topic alias
    uint16_t listener_index
    uint16_t alias_in_max
    uint16_t alias_out_max
    uint16_t alias_out_count
    uint16_t receive_max            # ours, as announced
    uint16_t mount_len
    Session* session
    uint8_t* mount                  # topic prefix, %u and %c filled in
    int64_t last_packet_ms
    int64_t keep_alive_ms           # one and a half times Keep Alive; 0: none [MQTT-3.1.2-22]
    int64_t packet_started_ms       # an incomplete packet began then; 0: none
    int64_t output_moved_ms         # while want_out: when the socket last took something
    uint32_t packet_bytes_max       # ours: larger is refused with 0x95
    uint32_t client_packet_bytes_max   # theirs [MQTT-3.1.2-24]
    # input
    uint8_t* stash                  # incomplete packet
    uint32_t stash_need             # length of that packet if its header is complete, else 0
    uint32_t stash_len
    uint32_t stash_capacity
    # output
    uint8_t* out
    uint32_t out_len
    uint32_t out_offset
    uint32_t out_capacity
    Segment* segments
    uint32_t segment_count
    uint32_t segment_capacity
    uint32_t segment_head
    uint64_t out_bytes              # waiting to be sent, shared bodies included
    # caches
    MatchEntry* last_entry
    uint64_t last_generation
    uint8_t** alias_in              # [alias - 1] -> u16 length (host order) + topic, allocated on first use
    AliasOut* alias_out             # topics that have an alias, by alias - 1; allocated on first use
    WriteVerdict* verdicts          # may this connection publish there? Direct-mapped, allocated on first use
    TopicMapping** mappings         # rewritten topics, chained hash, allocated on first use
    uint32_t mapping_count
    uint32_t mapping_bytes
    # publish rates, see rate.pyx
    TokenBucket rate
    RateGroup* rate_group           # shared with others of the same address; NULL: none
    int64_t throttled_until_ms
    # peer text: address NUL common-name NUL subject
    uint8_t* peer
    uint32_t peer_len
    # counters
    uint64_t bytes_in
    uint64_t bytes_out
