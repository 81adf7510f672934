# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=False, autotestdict=False
"""Events of the engine as Python objects: a thin view that copies a field only when it is asked for."""

from libc.stdint cimport uint32_t, uint8_t
from libc.string cimport memcpy
from edge.engine.mailbox cimport (
    COMMAND_DELETE_RETAINED, COMMAND_QUERY_RETAINED, COMMAND_QUERY_SESSIONS, COMMAND_QUERY_STATS,
    KIND_PACKET, mailbox_take_events,
)
from edge.engine.memory cimport mem_free
from edge.engine.queries cimport RetainedReply, SessionReply, StatsReply
from libc.stdint cimport uint64_t


cdef class Event:
    """One event; its fields are described in engine.pyi."""

    def __dealloc__(self):
        mem_free(self.node)

    cdef bytes part(self, int index):
        cdef uint32_t start = 0
        cdef int i
        for i in range(index):
            start += self.node.lengths[i]
        return (<char*>self.node.data + start)[:self.node.lengths[index]]

    @property
    def kind(self):
        return self.node.kind

    @property
    def connection(self):
        return self.node.connection

    @property
    def session(self):
        return self.node.session

    @property
    def data(self):
        return self.part(0)

    @property
    def listener_index(self):
        return self.node.number

    @property
    def peer(self):
        return self.part(1) if self.node.kind == KIND_PACKET else b""

    @property
    def cause(self):
        return self.node.cause

    @property
    def reason_code(self):
        return self.node.reason_code

    @property
    def topic(self):
        return self.part(0)

    @property
    def properties(self):
        return self.part(1)

    @property
    def payload(self):
        return self.part(2)

    @property
    def qos(self):
        return self.node.qos

    @property
    def retain(self):
        return self.node.flag

    @property
    def expiry_s(self):
        return self.node.signed_number

    @property
    def token(self):
        return self.node.number

    @property
    def flag(self):
        return self.node.flag

    @property
    def reply(self):
        if self.node.reply_kind == COMMAND_QUERY_STATS:
            return stats_reply(self.node.data, self.node.lengths[0])
        if self.node.reply_kind == COMMAND_QUERY_SESSIONS:
            return sessions_reply(self.node.data, self.node.lengths[0])
        if self.node.reply_kind == COMMAND_QUERY_RETAINED:
            return retained_reply(self.node.data, self.node.lengths[0])
        if self.node.reply_kind == COMMAND_DELETE_RETAINED:
            return deleted_reply(self.node.data)
        return None


cdef dict stats_reply(const uint8_t* data, uint32_t length):
    cdef StatsReply answer
    cdef dict out
    memcpy(&answer, data, sizeof(answer))
    out = dict(answer.counters)
    out.update(
        connections=answer.connections, sessions=answer.sessions, subscriptions=answer.subscriptions,
        retained=answer.retained, retained_bytes=answer.retained_bytes, queued=answer.queued,
        queued_bytes=answer.queued_bytes, memory_bytes=answer.memory_bytes,
        memory_bytes_max=answer.memory_bytes_max, match_misses=answer.match_misses,
        match_entries=answer.match_entries,
    )
    return out


cdef list sessions_reply(const uint8_t* data, uint32_t length):
    cdef SessionReply row
    cdef uint32_t offset = 0
    cdef list out = []
    while length - offset >= sizeof(row):
        memcpy(&row, data + offset, sizeof(row))
        offset += sizeof(row)
        out.append((row.session, row.connection, row.queued, row.queued_bytes, row.inflight, row.received,
                    row.sent, row.dropped, row.bytes_in, row.bytes_out))
    return out


cdef list retained_reply(const uint8_t* data, uint32_t length):
    cdef RetainedReply row
    cdef uint32_t offset = 0
    cdef list out = []
    while length - offset >= sizeof(row):
        memcpy(&row, data + offset, sizeof(row))
        offset += sizeof(row)
        out.append(((<char*>data + offset)[:row.topic_len], row.payload_len, row.qos, row.expiry_s))
        offset += row.topic_len
    return out


cdef object deleted_reply(const uint8_t* data):
    cdef uint64_t count
    memcpy(&count, data, sizeof(count))
    return count


cdef list take_events(Mailbox* box):
    """All events that wait, oldest first."""
    cdef EventNode* node = mailbox_take_events(box)
    cdef EventNode* following
    cdef Event event
    cdef list out = []
    while node != NULL:
        following = node.next
        event = Event.__new__(Event)
        event.node = node
        out.append(event)
        node = following
    return out
