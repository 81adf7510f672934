# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=False, autotestdict=False
"""The event loop of the engine thread; see reactor.pxd."""

from libc.stdint cimport INT64_MAX, int64_t, uint32_t, uint64_t
from libc.string cimport memset
from edge.engine.connection cimport (
    connection_bury, connection_find, connection_flush, connection_kill, connection_timer,
)
from edge.engine.commands cimport run_commands
from edge.engine.input cimport READ_BYTES, input_readable, input_resume, input_unclog
from edge.engine.listener cimport listener_accept, listener_remove_all
from edge.engine.mailbox cimport (
    COMMANDED, EventNode, KIND_DRAINED, KIND_MEMORY, PEER_CLOSED, QUOTA_PASSED, event_new, mailbox_destroy,
    mailbox_drain_wake, mailbox_init, mailbox_post, mailbox_signal,
)
from edge.engine.match cimport match_cache_clear
from edge.engine.memory cimport mem_alloc, mem_calloc, mem_free, mem_used
from edge.engine.poll cimport POLL_TIMER, POLL_WAKE, connection_unwatch
from edge.engine.profiles cimport profiles_release
from edge.engine.retained cimport retained_clear, retained_expire, retained_init
from edge.engine.session cimport session_free
from edge.engine.state cimport LISTENERS_MAX
from edge.engine.trie cimport trie_clear, trie_init
from edge.engine.types cimport CONNECTION_DEAD, CONNECTION_LIVE, Connection, WheelEntry
from edge.engine.wheel cimport wheel_init, wheel_pop_due

cdef extern from "<sys/epoll.h>" nogil:
    ctypedef union epoll_data_t:
        uint64_t u64
    struct epoll_event:
        uint32_t events
        epoll_data_t data
    int epoll_create1(int)
    int epoll_ctl(int, int, int, epoll_event*)
    int epoll_wait(int, epoll_event*, int, int)
    int EPOLL_CLOEXEC
    int EPOLLIN
    int EPOLLOUT
    int EPOLLHUP
    int EPOLLERR
    int EPOLL_CTL_ADD

cdef extern from "<fcntl.h>" nogil:
    int c_open "open"(const char*, int)
    int O_RDONLY
    int O_CLOEXEC

cdef extern from "<time.h>" nogil:
    struct timespec:
        long tv_sec
        long tv_nsec
    int clock_gettime(int, timespec*)
    int CLOCK_MONOTONIC

cdef extern from "<unistd.h>" nogil:
    int c_close "close"(int)
    ssize_t c_read "read"(int, void*, size_t)

cdef extern from "<sys/timerfd.h>" nogil:
    struct itimerspec:
        timespec it_value
    int timerfd_create(int, int)
    int timerfd_settime(int, int, const itimerspec*, itimerspec*)
    int TFD_NONBLOCK
    int TFD_CLOEXEC
    int TFD_TIMER_ABSTIME

cdef enum:
    EVENTS_PER_TURN = 256
    SPIN_NS = 20000                 # as long as falling asleep and being woken costs
    SPIN_AFTER_MIN = 8              # short sleeps in a row that make the next wait spin
    SPIN_AFTER_MAX = 4096
    SHED_EVERY_MS = 1000
    DEAF_BYTES_MIN = 65536          # pending output that makes a deaf connection worth ending ...
    DEAF_MS = 10000                 # ... when its socket has taken nothing for so long


cdef int64_t now_ns() noexcept nogil:
    cdef timespec time
    clock_gettime(CLOCK_MONOTONIC, &time)
    return <int64_t>time.tv_sec * 1000000000 + time.tv_nsec


cdef EngineState* reactor_new(const EngineLimits* limits) noexcept nogil:
    cdef EngineState* state = <EngineState*>mem_calloc(1, sizeof(EngineState))
    cdef epoll_event event
    state.limits = limits[0]
    mailbox_init(&state.mailbox)
    trie_init(&state.trie)
    retained_init(&state.retained)
    state.now_ms = now_ns() / 1000000
    state.spin_after = SPIN_AFTER_MIN
    wheel_init(&state.wheel, state.now_ms)
    state.epoll_fd = epoll_create1(EPOLL_CLOEXEC)
    state.spare_fd = c_open(b"/dev/null", O_RDONLY | O_CLOEXEC)
    state.read_capacity = READ_BYTES
    state.read_buffer = <unsigned char*>mem_alloc(READ_BYTES)
    state.topic_scratch = <unsigned char*>mem_alloc(65536)
    state.acl_epoch = 1
    event.events = EPOLLIN
    event.data.u64 = POLL_WAKE
    epoll_ctl(state.epoll_fd, EPOLL_CTL_ADD, state.mailbox.wake_fd, &event)
    state.timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)
    state.timer_armed_ms = INT64_MAX
    event.data.u64 = POLL_TIMER
    epoll_ctl(state.epoll_fd, EPOLL_CTL_ADD, state.timer_fd, &event)
    return state


cdef void on_socket(EngineState* state, uint64_t data, uint32_t events) noexcept nogil:
    cdef Connection* connection
    if data < LISTENERS_MAX:
        if state.listeners[data] != NULL:
            listener_accept(state, state.listeners[data])
        return
    connection = connection_find(state, data)
    if connection == NULL:
        return
    if events & EPOLLOUT:
        connection_flush(state, connection)
        if connection.state == CONNECTION_DEAD:
            return
        if connection.clogged:
            input_unclog(state, connection)
            if connection.state == CONNECTION_DEAD:
                return
    if events & (EPOLLHUP | EPOLLERR) and (connection.paused or connection.throttled or connection.clogged):
        # Input waits, so nobody would read the error, and epoll would report it for ever. A client that has
        # published, sent DISCONNECT and left is heard to the end; one that takes no answers, or has none yet, is not.
        if connection.state == CONNECTION_LIVE and not connection.clogged:
            connection_unwatch(state, connection)
        else:
            connection_kill(state, connection, PEER_CLOSED)
    elif events & (EPOLLIN | EPOLLHUP | EPOLLERR):
        input_readable(state, connection)


cdef void on_time(EngineState* state) noexcept nogil:
    cdef WheelEntry* due = wheel_pop_due(&state.wheel, state.now_ms)
    cdef Connection* connection
    while due != NULL:
        connection = <Connection*>due
        if connection.throttled and state.now_ms >= connection.throttled_until_ms:
            connection.throttled = 0
            input_resume(state, connection)
        else:
            connection_timer(state, connection)
        due = wheel_pop_due(&state.wheel, state.now_ms)
    if state.retained.next_expiry_ms and state.now_ms > state.retained.next_expiry_ms:
        retained_expire(&state.retained, state.now_ms)


cdef void arm_timer(EngineState* state) noexcept nogil:
    """Have the timer wake us at the next deadline, unless it is armed for an earlier moment already.

    A timer of its own and not epoll's time-out: that one would be programmed and cancelled on every turn,
    while deadlines hardly ever come nearer.
    """
    cdef itimerspec when
    cdef int64_t next_ms = state.wheel.next_ms
    if state.retained.next_expiry_ms and state.retained.next_expiry_ms < next_ms:
        next_ms = state.retained.next_expiry_ms + 1
    if next_ms >= state.timer_armed_ms:
        return
    state.timer_armed_ms = next_ms
    memset(&when, 0, sizeof(when))
    when.it_value.tv_sec = next_ms / 1000
    when.it_value.tv_nsec = next_ms % 1000 * 1000000
    timerfd_settime(state.timer_fd, TFD_TIMER_ABSTIME, &when, NULL)


cdef void shed_deaf(EngineState* state) noexcept nogil:
    """The budget is used up: end those who hold much of it and have not read for long.

    Each may have output_bytes_max pending, so a few hundred that never read would starve everybody else for ever.
    Persistent sessions keep what QoS 1 and 2 promise them.
    """
    cdef Connection* connection
    cdef uint32_t i
    if state.now_ms - state.shed_ms < SHED_EVERY_MS:
        return
    state.shed_ms = state.now_ms
    for i in range(state.slot_capacity):
        connection = state.slots[i]
        if (connection != NULL and connection.want_out and connection.out_bytes > DEAF_BYTES_MIN
                and state.now_ms - connection.output_moved_ms > DEAF_MS):
            connection_kill(state, connection, QUOTA_PASSED)


cdef void watch_budget(EngineState* state) noexcept nogil:
    """Tell the control plane when the memory budget is used up, and when it is well kept again.

    Used up begins a little below the budget: what is refused at the budget is given back within the turn, so
    that at its end the account hardly ever stands above it.
    """
    cdef EventNode* event
    cdef uint64_t slack = state.limits.memory_bytes_max >> (4 if state.over_budget else 6)
    cdef bint over = mem_used() > state.limits.memory_bytes_max - slack
    if over != state.over_budget:
        state.over_budget = over
        event = event_new(KIND_MEMORY, NULL, 0, NULL, 0, NULL, 0)
        event.flag = over
        mailbox_post(&state.mailbox, event)
    if over:
        shed_deaf(state)


cdef int wait(EngineState* state, epoll_event* events) noexcept nogil:
    """Wait for events; sets now_ms.

    A client that waits for our answer before it speaks again speaks again within microseconds. Falling asleep in
    between would double its round trip and cost more CPU than it saves. So when several sleeps in a row were that
    short, the next wait polls for as long as a sleep would cost. A poll in vain makes the next one rarer: paced
    traffic, and a board whose only core the client needs, hardly ever see one.
    """
    cdef int64_t start_ns
    cdef int64_t end_ns
    cdef int count
    if state.short_sleeps >= state.spin_after:
        start_ns = now_ns()
        while True:
            count = epoll_wait(state.epoll_fd, events, EVENTS_PER_TURN, 0)
            end_ns = now_ns()
            if count != 0:
                state.spin_after = SPIN_AFTER_MIN
                state.now_ms = end_ns / 1000000
                return count
            if end_ns - start_ns > SPIN_NS:
                break
        state.short_sleeps = 0
        if state.spin_after < SPIN_AFTER_MAX:
            state.spin_after *= 2
    start_ns = now_ns()
    count = epoll_wait(state.epoll_fd, events, EVENTS_PER_TURN, -1)
    end_ns = now_ns()
    if end_ns - start_ns < SPIN_NS:
        state.short_sleeps += 1
    else:
        state.short_sleeps = 0
    state.now_ms = end_ns / 1000000
    return count


cdef void turn(EngineState* state) noexcept nogil:
    cdef epoll_event events[256]
    cdef uint64_t expirations
    cdef int count
    cdef int i
    cdef uint32_t k
    cdef Connection* connection
    arm_timer(state)
    count = wait(state, events)
    state.stats.turns += 1
    for i in range(count):
        if events[i].data.u64 == POLL_WAKE:
            mailbox_drain_wake(&state.mailbox)
            run_commands(state)
        elif events[i].data.u64 == POLL_TIMER:
            c_read(state.timer_fd, &expirations, 8)
            state.timer_armed_ms = INT64_MAX
        else:
            on_socket(state, events[i].data.u64, events[i].events)
    on_time(state)
    # connection_flush() may list connections again (a queue that moves up): walk by index.
    k = 0
    while k < state.dirty_count:
        connection = state.dirty[k]
        connection.dirty = 0
        if not connection.want_out:
            connection_flush(state, connection)
        k += 1
    state.dirty_count = 0
    if state.grave_count:
        connection_bury(state)
    if state.draining == 1 and state.connection_count == 0:
        state.draining = 2
        mailbox_post(&state.mailbox, event_new(KIND_DRAINED, NULL, 0, NULL, 0, NULL, 0))
    if state.limits.memory_bytes_max:
        watch_budget(state)
    mailbox_signal(&state.mailbox)


cdef void reactor_run(EngineState* state) noexcept nogil:
    """Turn until told to stop."""
    while not state.stopping:
        turn(state)


cdef void reactor_free(EngineState* state) noexcept nogil:
    """Close and free everything; the thread has ended."""
    cdef uint32_t i
    listener_remove_all(state)
    for i in range(state.slot_capacity):
        if state.slots[i] != NULL:
            connection_kill(state, state.slots[i], COMMANDED)
    connection_bury(state)
    for i in range(state.session_capacity):
        while state.sessions[i] != NULL:
            session_free(state, state.sessions[i])
    match_cache_clear(&state.trie)
    trie_clear(&state.trie)
    retained_clear(&state.retained)
    profiles_release(state)
    for i in range(state.map_filter_count):
        mem_free(state.map_filters[i].filter)
    for i in range(state.pool_count):
        mem_free(state.pool[i].data)
    mem_free(state.map_filters)
    mem_free(state.slots)
    mem_free(state.free_slots)
    mem_free(state.sessions)
    mem_free(state.dirty)
    mem_free(state.graves)
    mem_free(state.read_buffer)
    mem_free(state.topic_scratch)
    c_close(state.epoll_fd)
    c_close(state.timer_fd)
    if state.spare_fd >= 0:
        c_close(state.spare_fd)
    mailbox_destroy(&state.mailbox)
    mem_free(state)
