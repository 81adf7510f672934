# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=False, autotestdict=False
"""The thread boundary as Python sees it. Documented in engine.pyi; the thread is started and joined here."""

import _thread

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memset
from edge.engine.acl cimport acl_profile_parse, acl_profile_unref
from edge.engine.events cimport take_events
from edge.engine.mailbox cimport (
    COMMAND_ACCEPT, COMMAND_ADD_LISTENER, COMMAND_ADOPT, COMMAND_CLOSE, COMMAND_CLOSE_SESSION,
    COMMAND_DELETE_RETAINED, COMMAND_DRAIN, COMMAND_DROP_PROFILE, COMMAND_MAP_FILTERS, COMMAND_MAP_TOPIC,
    COMMAND_OPEN_SESSION, COMMAND_PUBLISH, COMMAND_QUERY_RETAINED, COMMAND_QUERY_SESSIONS,
    COMMAND_QUERY_STATS, COMMAND_REMOVE_LISTENER, COMMAND_RESUME, COMMAND_SEND, COMMAND_SEND_RETAINED,
    COMMAND_SESSION_ACL, COMMAND_SESSION_ENDS, COMMAND_SET_PROFILE, COMMAND_STOP, COMMAND_SUBSCRIBE,
    COMMAND_UNSUBSCRIBE, COMMANDED, Command, KEEP_ALIVE_PASSED, KIND_CLOSED, KIND_DELAYED, KIND_DRAINED,
    KIND_MEMORY, KIND_PACKET, KIND_REPLY, KIND_TOPIC, PEER_CLOSED, PROTOCOL_BROKEN, QUOTA_PASSED,
    TIMED_OUT, WRITE_FAILED, command_new, mailbox_command, mailbox_wake,
)
from edge.engine.reactor cimport reactor_free, reactor_new, reactor_run
from edge.engine.state cimport EngineLimits
from edge.engine.types cimport AclProfile, SUB_NO_LOCAL, SUB_RETAIN_AS_PUBLISHED

cdef extern from "<fcntl.h>" nogil:
    int c_fcntl "fcntl"(int, int, int)
    int F_DUPFD_CLOEXEC

cdef enum:
    OUTPUT_BYTES_LIMIT = 1 << 30

EVENT_PACKET = KIND_PACKET
EVENT_CLOSED = KIND_CLOSED
EVENT_DELAYED = KIND_DELAYED
EVENT_TOPIC = KIND_TOPIC
EVENT_REPLY = KIND_REPLY
EVENT_DRAINED = KIND_DRAINED
EVENT_MEMORY = KIND_MEMORY

CAUSE_PEER = PEER_CLOSED
CAUSE_KEEP_ALIVE = KEEP_ALIVE_PASSED
CAUSE_PROTOCOL = PROTOCOL_BROKEN
CAUSE_COMMAND = COMMANDED
CAUSE_TIMEOUT = TIMED_OUT
CAUSE_WRITE = WRITE_FAILED
CAUSE_QUOTA = QUOTA_PASSED


cdef void engine_adopt(EngineState* state, uint16_t listener_index, int fd, const uint8_t* peer,
                       uint32_t peer_len) noexcept nogil:
    cdef Command* command = command_new(COMMAND_ADOPT, peer, peer_len, NULL, 0, NULL, 0)
    command.number = listener_index
    command.signed_number = fd
    mailbox_command(&state.mailbox, command)
    mailbox_wake(&state.mailbox)


cdef int check_filter(bytes topic_filter, bytes group) except -1:
    """With a mount point in front a filter may get longer than the engine's 16-bit lengths."""
    if not 0 < len(topic_filter) <= 65535 or len(group) > 65535:
        raise ValueError("a Topic Filter has 1 to 65,535 bytes, its mount point included")
    return 0


cdef class Engine:

    def __cinit__(
        self, *, uint64_t memory_bytes_max=0, uint32_t connections_max=0, uint32_t connect_timeout_ms=10000,
        uint32_t packet_timeout_ms=30000, uint32_t topic_levels_max=64, uint64_t queued_messages_max=10000,
        uint64_t queued_bytes_max=0, uint64_t queued_messages_total_max=0, uint64_t queued_bytes_total_max=0,
        uint64_t output_bytes_max=4194304,
        uint64_t inflight_bytes_max=0, bint drop_oldest=False, bint queue_qos0_offline=False,
        uint64_t retained_messages_max=0, uint64_t retained_bytes_max=0, bint retained_check_source=True,
        uint32_t message_expiry_s_default=0, uint32_t message_expiry_s_max=0, bint delayed_enabled=True,
        bint deny_disconnects=False,
    ):
        cdef EngineLimits limits
        memset(&limits, 0, sizeof(limits))
        # What has no "none" of its own gets a bound beyond reach; output is counted in 32 bits.
        if output_bytes_max == 0 or output_bytes_max > OUTPUT_BYTES_LIMIT:
            output_bytes_max = OUTPUT_BYTES_LIMIT
        if connect_timeout_ms == 0:
            connect_timeout_ms = 0xFFFFFFFF
        if packet_timeout_ms == 0:
            packet_timeout_ms = 0xFFFFFFFF
        limits.memory_bytes_max = memory_bytes_max
        limits.connections_max = connections_max
        limits.connect_timeout_ms = connect_timeout_ms
        limits.packet_timeout_ms = packet_timeout_ms
        limits.topic_levels_max = topic_levels_max
        limits.queued_messages_max = queued_messages_max
        limits.queued_bytes_max = queued_bytes_max
        limits.queued_messages_total_max = queued_messages_total_max
        limits.queued_bytes_total_max = queued_bytes_total_max
        limits.output_bytes_max = output_bytes_max
        limits.inflight_bytes_max = inflight_bytes_max
        limits.drop_oldest = drop_oldest
        limits.queue_qos0_offline = queue_qos0_offline
        limits.retained_check_source = retained_check_source
        limits.expiry_s_default = message_expiry_s_default
        limits.expiry_s_max = message_expiry_s_max
        limits.delayed_enabled = delayed_enabled
        limits.deny_disconnects = deny_disconnects
        self.state = reactor_new(&limits)
        self.state.retained.count_max = retained_messages_max
        self.state.retained.bytes_max = retained_bytes_max
        self.event_fd = self.state.mailbox.event_fd
        self.thread = None

    def __dealloc__(self):
        if self.state != NULL and self.thread is None:
            reactor_free(self.state)
            self.state = NULL

    # ------------------------------------------------------------ the thread

    def _run(self, ended):
        with nogil:
            reactor_run(self.state)
        ended.release()

    def start(self):
        if self.thread is None:
            # A plain OS thread: the threading module would cost memory and wake-ups that it does not need.
            self.thread = _thread.allocate_lock()
            self.thread.acquire()
            _thread.start_new_thread(self._run, (self.thread,))

    def stop(self):
        if self.thread is None:
            return
        self._plain(COMMAND_STOP, 0, 0)
        self.flush()
        self.thread.acquire()
        self.thread = None
        reactor_free(self.state)
        self.state = NULL
        self.event_fd = -1

    def drain(self, bytes packet_v5):
        self._strings(COMMAND_DRAIN, 0, 0, packet_v5, b"", b"")

    def take_events(self):
        if self.state == NULL:
            return []
        return take_events(&self.state.mailbox)

    def flush(self):
        if self.commanded:
            self.commanded = False
            mailbox_wake(&self.state.mailbox)

    # ------------------------------------------------------------ building commands

    cdef Command* _new(self, uint32_t kind, bytes a, bytes b, bytes c) except NULL:
        if self.state == NULL:
            raise RuntimeError("the engine has been stopped")
        return command_new(kind, <const uint8_t*><char*>a, <uint32_t>len(a), <const uint8_t*><char*>b,
                           <uint32_t>len(b), <const uint8_t*><char*>c, <uint32_t>len(c))

    cdef void _send(self, Command* command):
        mailbox_command(&self.state.mailbox, command)
        self.commanded = True

    cdef int _plain(self, uint32_t kind, uint64_t connection, uint64_t session) except -1:
        return self._strings(kind, connection, session, b"", b"", b"")

    cdef int _strings(self, uint32_t kind, uint64_t connection, uint64_t session, bytes a, bytes b, bytes c) except -1:
        cdef Command* command = self._new(kind, a, b, c)
        command.connection = connection
        command.session = session
        self._send(command)
        return 0

    cdef uint64_t _query(self, uint32_t kind, uint64_t session, bytes text, uint32_t flags) except 0:
        cdef Command* command = self._new(kind, text, b"", b"")
        self.last_token += 1
        command.number = self.last_token
        command.session = session
        command.flags = flags
        self._send(command)
        return self.last_token

    # ------------------------------------------------------------ listeners

    def add_listener(self, unsigned int index, int fd, *, bint proxy_header, uint32_t connections_max,
                     uint32_t packet_bytes_max):
        cdef Command* command
        cdef int own_fd = -1
        if fd >= 0:
            own_fd = c_fcntl(fd, F_DUPFD_CLOEXEC, 3)
            if own_fd < 0:
                raise OSError("cannot duplicate the listening socket")
        command = self._new(COMMAND_ADD_LISTENER, b"", b"", b"")
        command.number = index
        command.signed_number = own_fd
        command.flags = proxy_header
        command.terms.keep_alive_s = connections_max
        command.terms.packet_bytes_max = packet_bytes_max
        self._send(command)

    def remove_listener(self, unsigned int index):
        cdef Command* command = self._new(COMMAND_REMOVE_LISTENER, b"", b"", b"")
        command.number = index
        self._send(command)

    def adopt(self, unsigned int index, int fd, bytes peer):
        cdef Command* command = self._new(COMMAND_ADOPT, peer, b"", b"")
        command.number = index
        command.signed_number = fd
        self._send(command)

    # ------------------------------------------------------------ sessions

    def open_session(self):
        self.last_session += 1
        self._plain(COMMAND_OPEN_SESSION, 0, self.last_session)
        return self.last_session

    def close_session(self, uint64_t session):
        self._plain(COMMAND_CLOSE_SESSION, 0, session)

    def accept(
        self, uint64_t connection, uint64_t session, bytes connack, *, unsigned char protocol_version,
        bint ends_with_connection, uint32_t keep_alive_s, uint16_t inflight_max, uint16_t receive_max,
        uint32_t packet_bytes_max, uint32_t client_packet_bytes_max, uint16_t alias_in_max,
        uint16_t alias_out_max, unsigned char qos_max, bint retain_available, bytes mount,
        uint32_t acl_profile_id, uint32_t rate_messages_s, uint32_t rate_bytes_s, bint needs_map,
        bytes rate_group=b"", uint32_t group_messages_s=0, uint32_t group_bytes_s=0,
    ):
        cdef Command* command = self._new(COMMAND_ACCEPT, connack, mount, rate_group)
        command.connection = connection
        command.session = session
        command.terms.protocol_version = protocol_version
        command.terms.ends_with_connection = ends_with_connection
        command.terms.keep_alive_s = keep_alive_s
        command.terms.inflight_max = inflight_max
        command.terms.receive_max = receive_max
        command.terms.packet_bytes_max = packet_bytes_max
        command.terms.client_packet_bytes_max = client_packet_bytes_max
        command.terms.alias_in_max = alias_in_max
        command.terms.alias_out_max = alias_out_max
        command.terms.qos_max = qos_max
        command.terms.retain_available = retain_available
        command.terms.acl_profile_id = acl_profile_id
        command.terms.rate_messages_s = rate_messages_s
        command.terms.rate_bytes_s = rate_bytes_s
        command.terms.group_messages_s = group_messages_s
        command.terms.group_bytes_s = group_bytes_s
        command.terms.needs_map = needs_map
        self._send(command)

    def set_session_ends_with_connection(self, uint64_t session, bint ends):
        cdef Command* command = self._new(COMMAND_SESSION_ENDS, b"", b"", b"")
        command.session = session
        command.flags = ends
        self._send(command)

    # ------------------------------------------------------------ connections

    def send(self, uint64_t connection, bytes packet):
        self._strings(COMMAND_SEND, connection, 0, packet, b"", b"")

    def resume(self, uint64_t connection):
        self._plain(COMMAND_RESUME, connection, 0)

    def close(self, uint64_t connection, bytes packet=b"", unsigned char reason_code=0):
        cdef Command* command = self._new(COMMAND_CLOSE, packet, b"", b"")
        command.connection = connection
        command.number = reason_code
        self._send(command)

    def map_topic(self, uint64_t connection, bytes topic, bytes target):
        if len(topic) > 65535 or len(target) > 65535:
            raise ValueError("a Topic Name has at most 65,535 bytes")
        self._strings(COMMAND_MAP_TOPIC, connection, 0, topic, target, b"")

    # ------------------------------------------------------------ subscriptions

    def subscribe(self, uint64_t session, bytes topic_filter, *, unsigned char qos, bint no_local,
                  bint retain_as_published, uint32_t subscription_id, bytes group):
        cdef Command* command
        check_filter(topic_filter, group)
        command = self._new(COMMAND_SUBSCRIBE, topic_filter, group, b"")
        command.session = session
        command.qos = qos
        command.flags = (SUB_NO_LOCAL if no_local else 0) | (SUB_RETAIN_AS_PUBLISHED if retain_as_published else 0)
        command.number = subscription_id
        self._send(command)

    def unsubscribe(self, uint64_t session, bytes topic_filter, bytes group):
        check_filter(topic_filter, group)
        self._strings(COMMAND_UNSUBSCRIBE, 0, session, topic_filter, group, b"")

    def send_retained(self, uint64_t session, bytes topic_filter, *, unsigned char qos, uint32_t subscription_id):
        cdef Command* command
        check_filter(topic_filter, b"")
        command = self._new(COMMAND_SEND_RETAINED, topic_filter, b"", b"")
        command.session = session
        command.qos = qos
        command.number = subscription_id
        self._send(command)

    # ------------------------------------------------------------ messages

    def publish(self, bytes topic, bytes payload, *, unsigned char qos=0, bint retain=False, bytes properties=b"",
                int64_t expiry_s=-1, uint64_t origin_session=0, uint32_t acl_profile_id=0):
        cdef Command* command
        if not 0 < len(topic) <= 65535:
            raise ValueError("a Topic Name has 1 to 65,535 bytes")
        command = self._new(COMMAND_PUBLISH, topic, properties, payload)
        command.session = origin_session
        command.number = acl_profile_id
        command.signed_number = expiry_s
        command.flags = retain
        command.qos = qos
        self._send(command)

    # ------------------------------------------------------------ access

    def set_acl_profile(self, bytes blob):
        cdef AclProfile* probe = acl_profile_parse(<const uint8_t*><char*>blob, <uint32_t>len(blob))
        if probe == NULL:
            raise ValueError("malformed access profile")
        acl_profile_unref(probe)
        self._strings(COMMAND_SET_PROFILE, 0, 0, blob, b"", b"")

    def drop_acl_profile(self, uint32_t acl_profile_id):
        cdef Command* command = self._new(COMMAND_DROP_PROFILE, b"", b"", b"")
        command.number = acl_profile_id
        self._send(command)

    def set_session_acl(self, uint64_t session, uint32_t acl_profile_id):
        cdef Command* command = self._new(COMMAND_SESSION_ACL, b"", b"", b"")
        command.session = session
        command.number = acl_profile_id
        self._send(command)

    def set_map_filters(self, filters):
        cdef Command* command
        cdef bytes packed = b""
        for text in filters:
            packed += len(text).to_bytes(2, "little") + text
        command = self._new(COMMAND_MAP_FILTERS, packed, b"", b"")
        command.flags = <uint32_t>len(filters)
        self._send(command)

    # ------------------------------------------------------------ queries

    def query_stats(self):
        return self._query(COMMAND_QUERY_STATS, 0, b"", 0)

    def query_sessions(self, uint64_t session=0):
        return self._query(COMMAND_QUERY_SESSIONS, session, b"", 0)

    def query_retained(self, bytes topic_filter, uint32_t limit):
        return self._query(COMMAND_QUERY_RETAINED, 0, topic_filter, limit)

    def delete_retained(self, bytes topic_filter):
        return self._query(COMMAND_DELETE_RETAINED, 0, topic_filter, 0)
