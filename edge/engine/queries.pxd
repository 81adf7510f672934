# Answers to the control plane's questions, as flat bytes; engine.pyx turns them into Python objects.

from libc.stdint cimport int64_t, uint32_t, uint64_t
from edge.engine.mailbox cimport Command
from edge.engine.state cimport EngineState, EngineStats

ctypedef struct StatsReply:
    EngineStats counters
    uint64_t connections
    uint64_t sessions
    uint64_t subscriptions
    uint64_t retained
    uint64_t retained_bytes
    uint64_t queued
    uint64_t queued_bytes
    uint64_t memory_bytes
    uint64_t memory_bytes_max
    uint64_t match_misses
    uint64_t match_entries

ctypedef struct SessionReply:
    uint64_t session
    uint64_t connection
    uint64_t queued
    uint64_t queued_bytes
    uint64_t inflight
    uint64_t received
    uint64_t sent
    uint64_t dropped
    uint64_t bytes_in
    uint64_t bytes_out

ctypedef struct RetainedReply:          # followed by the topic
    uint32_t topic_len
    uint32_t payload_len
    uint32_t qos
    int64_t expiry_s                    # -1: none

cdef void query_stats(EngineState* state, const Command* command) noexcept nogil
cdef void query_sessions(EngineState* state, const Command* command) noexcept nogil
cdef void query_retained(EngineState* state, const Command* command) noexcept nogil
cdef void delete_retained(EngineState* state, const Command* command) noexcept nogil
