# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=False, autotestdict=False, auto_pickle=False
# distutils: libraries = ssl crypto
"""The pump thread and its Python side; see pump.pxd and pump.pyi."""

import _thread

from libc.errno cimport errno
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy
from edge.engine.memory cimport mem_alloc, mem_calloc, mem_free
from edge.engine.state cimport LISTENERS_MAX
from edge.gateways.doors cimport (
    STALLED_MS, doors_add, doors_reload, doors_remove, doors_remove_all, doors_turn,
)
from edge.gateways.openssl cimport SSL_CTX_up_ref
from edge.gateways.relay cimport relay_client, relay_inner, relay_last_words
from edge.gateways.tls cimport TlsContext
from edge.gateways.tls_wire cimport RECORD_BYTES_MAX, wire_destroy, wire_init
from edge.gateways.tunnel cimport (
    BACK_BYTES, CHUNK_BYTES, HELD_BYTES_MAX, PumpListener, PumpStats, Tunnel, tunnel_bury, tunnel_kill,
)

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
    int EPOLL_CTL_ADD

cdef extern from "<sys/eventfd.h>" nogil:
    int eventfd(unsigned int, int)
    int EFD_NONBLOCK
    int EFD_CLOEXEC

cdef extern from "<fcntl.h>" nogil:
    int c_fcntl "fcntl"(int, int, int)
    int F_DUPFD_CLOEXEC
    int c_open "open"(const char*, int)
    int O_RDONLY
    int O_CLOEXEC

cdef extern from "<unistd.h>" nogil:
    int c_close "close"(int)
    ssize_t c_read "read"(int, void*, size_t)
    ssize_t c_write "write"(int, const void*, size_t)

cdef extern from "<pthread.h>" nogil:
    int pthread_mutex_init(void*, void*)
    int pthread_mutex_destroy(void*)
    int pthread_mutex_lock(void*)
    int pthread_mutex_unlock(void*)

cdef extern from "<time.h>" nogil:
    struct timespec:
        long tv_sec
        long tv_nsec
    int clock_gettime(int, timespec*)
    int CLOCK_MONOTONIC

cdef enum:
    EVENTS_PER_TURN = 128
    STOP_MS = 1000                  # for what clients have yet to take when the pump stops

# What epoll reports: 0 for the wake-up, else a pointer, whose two lowest bits say to what.
cdef enum Tag:
    TAG_INNER = 1
    TAG_LISTENER = 2
    TAGS = 3

cdef enum CommandKind:
    COMMAND_ADD = 1
    COMMAND_REMOVE = 2
    COMMAND_REMOVE_ALL = 3
    COMMAND_RELOAD = 4
    COMMAND_STOP = 5


cdef int64_t now() noexcept nogil:
    cdef timespec time
    clock_gettime(CLOCK_MONOTONIC, &time)
    return <int64_t>time.tv_sec * 1000 + time.tv_nsec / 1000000


# ---------------------------------------------------------------- the thread

cdef void run_commands(PumpState* pump) noexcept nogil:
    """Carry out what the control plane has queued."""
    cdef PumpCommand* command
    cdef PumpCommand* following
    cdef Tunnel* tunnel
    cdef Tunnel* next_tunnel
    pthread_mutex_lock(&pump.mutex)
    command = pump.commands
    pump.commands = pump.commands_last = NULL
    pthread_mutex_unlock(&pump.mutex)
    while command != NULL:
        following = command.next
        if command.kind == COMMAND_ADD:
            doors_add(pump, command.listener)
        elif command.kind == COMMAND_REMOVE:
            doors_remove(pump, command.index)
        elif command.kind == COMMAND_RELOAD:
            doors_reload(pump, command.index, command.context)
        else:
            doors_remove_all(pump)
        if command.kind == COMMAND_STOP:
            pump.stop_at_ms = pump.now_ms + STOP_MS
            tunnel = pump.tunnels
            while tunnel != NULL:
                next_tunnel = tunnel.next
                relay_last_words(pump, tunnel)
                tunnel = next_tunnel
        mem_free(command)
        command = following


cdef int64_t greeting_deadline(const PumpState* pump) noexcept nogil:
    """When the oldest handshake is given up: earlier if others want in."""
    cdef int64_t deadline_ms = pump.greeting.first.deadline_ms
    if pump.crowded and pump.handshake_ms > STALLED_MS:
        deadline_ms -= pump.handshake_ms - STALLED_MS
    return deadline_ms


cdef int sleep_ms(const PumpState* pump) noexcept nogil:
    """Until the next deadline; for ever if there is none."""
    cdef int64_t wake_ms = pump.stop_at_ms
    if pump.greeting.first != NULL and (wake_ms == 0 or greeting_deadline(pump) < wake_ms):
        wake_ms = greeting_deadline(pump)
    if pump.parting.first != NULL and (wake_ms == 0 or pump.parting.first.deadline_ms < wake_ms):
        wake_ms = pump.parting.first.deadline_ms
    if wake_ms == 0:
        return -1
    return <int>(wake_ms - pump.now_ms) if wake_ms > pump.now_ms else 0


cdef void check_deadlines(PumpState* pump) noexcept nogil:
    while pump.greeting.first != NULL and pump.now_ms >= greeting_deadline(pump):
        pump.stats.handshakes_late += 1
        tunnel_kill(pump, pump.greeting.first)
    while pump.parting.first != NULL and pump.now_ms >= pump.parting.first.deadline_ms:
        tunnel_kill(pump, pump.parting.first)


cdef void turn(PumpState* pump) noexcept nogil:
    cdef epoll_event events[128]
    cdef uint64_t data
    cdef int count
    cdef int i
    count = epoll_wait(pump.epoll_fd, events, EVENTS_PER_TURN, sleep_ms(pump))
    pump.now_ms = now()
    for i in range(count):
        data = events[i].data.u64
        if data == 0:
            c_read(pump.wake_fd, &data, 8)
            run_commands(pump)
            # A listener that an event of this turn names may be gone now; epoll tells the rest again.
            break
        if data & TAG_LISTENER:
            (<PumpListener*><size_t>(data & ~<uint64_t>TAGS)).ready = 1
            pump.any_ready = 1
        elif data & TAG_INNER:
            relay_inner(pump, <Tunnel*><size_t>(data & ~<uint64_t>TAGS), events[i].events)
        else:
            relay_client(pump, <Tunnel*><size_t>data, events[i].events)
    check_deadlines(pump)
    doors_turn(pump)
    tunnel_bury(pump)
    pthread_mutex_lock(&pump.mutex)
    pump.published = pump.stats
    pthread_mutex_unlock(&pump.mutex)


cdef void run(PumpState* pump) noexcept nogil:
    """Turn until stopped; then clients get STOP_MS to take their last words."""
    while pump.stop_at_ms == 0 or (pump.tunnels != NULL and pump.now_ms < pump.stop_at_ms):
        turn(pump)


# ---------------------------------------------------------------- the control plane's side

cdef PumpState* state_new() noexcept nogil:
    cdef PumpState* pump = <PumpState*>mem_calloc(1, sizeof(PumpState))
    cdef epoll_event event
    pthread_mutex_init(&pump.mutex, NULL)
    wire_init(&pump.wire)
    pump.wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)
    pump.epoll_fd = epoll_create1(EPOLL_CLOEXEC)
    pump.spare_fd = c_open(b"/dev/null", O_RDONLY | O_CLOEXEC)
    pump.raw = <uint8_t*>mem_alloc(HELD_BYTES_MAX + CHUNK_BYTES)
    pump.plain = <uint8_t*>mem_alloc(HELD_BYTES_MAX + CHUNK_BYTES + RECORD_BYTES_MAX)
    pump.back = <uint8_t*>mem_alloc(BACK_BYTES)
    pump.now_ms = now()
    event.events = EPOLLIN
    event.data.u64 = 0
    epoll_ctl(pump.epoll_fd, EPOLL_CTL_ADD, pump.wake_fd, &event)
    return pump


cdef void state_free(PumpState* pump) noexcept nogil:
    """Close and free everything; the thread has ended, or never began."""
    run_commands(pump)
    doors_remove_all(pump)
    while pump.tunnels != NULL:
        tunnel_kill(pump, pump.tunnels)
    tunnel_bury(pump)
    wire_destroy(&pump.wire)
    mem_free(pump.raw)
    mem_free(pump.plain)
    mem_free(pump.back)
    c_close(pump.wake_fd)
    c_close(pump.epoll_fd)
    if pump.spare_fd >= 0:
        c_close(pump.spare_fd)
    pthread_mutex_destroy(&pump.mutex)
    mem_free(pump)


cdef class Pump:

    def __cinit__(self, Engine engine, *, uint32_t handshake_timeout_ms=10000, adopt=None):
        if (engine is None) == (adopt is None):
            raise ValueError("a pump hands its clients to an engine or to `adopt`")
        self.engine = engine
        self.adopt = adopt
        self.indexes = set()
        self.state = state_new()
        self.state.handshake_ms = handshake_timeout_ms
        self.state.engine = engine.state if engine is not None else NULL
        self.state.adopt = <void*>adopt

    def __dealloc__(self):
        # A thread that runs holds a reference to us: it has ended.
        if self.state != NULL:
            state_free(self.state)

    cdef PumpCommand* _new_command(self, int kind, unsigned int index) noexcept:
        cdef PumpCommand* command = <PumpCommand*>mem_calloc(1, sizeof(PumpCommand))
        command.kind = <uint8_t>kind
        command.index = <unsigned short>index
        return command

    cdef _command(self, PumpCommand* command):
        cdef PumpState* pump = self.state
        cdef uint64_t one = 1
        if pump == NULL:
            raise RuntimeError("the pump has stopped")
        pthread_mutex_lock(&pump.mutex)
        if pump.commands_last == NULL:
            pump.commands = command
        else:
            pump.commands_last.next = command
        pump.commands_last = command
        pthread_mutex_unlock(&pump.mutex)
        c_write(pump.wake_fd, &one, 8)

    def add_listener(self, unsigned int index, int fd, *, bint proxy_header, TlsContext tls, websocket,
                     uint32_t connections_max):
        cdef PumpListener* listener
        cdef PumpCommand* command
        cdef bytes path = b""
        cdef bytes origins = b""
        if self.state == NULL:
            raise RuntimeError("the pump has stopped")
        if index >= LISTENERS_MAX or index in self.indexes:
            raise ValueError(f"listener {index} cannot be added")
        if tls is None and websocket is None:
            raise ValueError("a listener of the pump has TLS or WebSocket")
        if websocket is not None:
            path = websocket.path.encode()
            origins = b"".join([origin.lower().encode() + b"\0" for origin in websocket.origins])
        fd = c_fcntl(fd, F_DUPFD_CLOEXEC, 3)
        if fd < 0:
            raise OSError(errno, "cannot duplicate the listening socket")
        listener = <PumpListener*>mem_calloc(1, sizeof(PumpListener))
        listener.fd = fd
        listener.index = <unsigned short>index
        listener.has_websocket = websocket is not None
        listener.proxy_header = proxy_header
        listener.connections_max = connections_max
        listener.texts = <char*>mem_alloc(len(path) + len(origins) + 2)
        memcpy(listener.texts, <char*>path, len(path) + 1)
        memcpy(listener.texts + len(path) + 1, <char*>origins, len(origins) + 1)
        listener.rules.path = listener.texts
        listener.rules.origins = listener.texts + len(path) + 1
        if tls is not None:
            SSL_CTX_up_ref(tls.context)
            listener.context = tls.context
        self.indexes.add(index)
        command = self._new_command(COMMAND_ADD, index)
        command.listener = listener
        self._command(command)

    def remove_listener(self, unsigned int index):
        if index in self.indexes:
            self.indexes.remove(index)
            self._command(self._new_command(COMMAND_REMOVE, index))

    def stop_listening(self):
        self.indexes.clear()
        self._command(self._new_command(COMMAND_REMOVE_ALL, 0))

    def reload_tls(self, unsigned int index, TlsContext tls not None):
        cdef PumpCommand* command
        if index in self.indexes:
            command = self._new_command(COMMAND_RELOAD, index)
            SSL_CTX_up_ref(tls.context)
            command.context = tls.context
            self._command(command)

    def _run(self, ended):
        with nogil:
            run(self.state)
        ended.release()

    def start(self):
        if self.thread is None and self.state != NULL:
            # A plain OS thread: the threading module would cost memory that it does not need.
            self.thread = _thread.allocate_lock()
            self.thread.acquire()
            _thread.start_new_thread(self._run, (self.thread,))

    def stop(self):
        if self.thread is None:
            return
        self.indexes.clear()
        self._command(self._new_command(COMMAND_STOP, 0))
        self.thread.acquire()
        self.thread = None
        state_free(self.state)
        self.state = NULL

    def stats(self):
        cdef PumpStats stats
        if self.state == NULL:
            return {}
        pthread_mutex_lock(&self.state.mutex)
        stats = self.state.published
        pthread_mutex_unlock(&self.state.mutex)
        return {
            "accepted": stats.accepted, "refused": stats.refused,
            "handshakes_failed": stats.handshakes_failed, "handshakes_late": stats.handshakes_late,
            "open": stats.open, "greeting": stats.greeting,
            "bytes_up": stats.bytes_up, "bytes_down": stats.bytes_down,
            "last_failure": stats.last_failure.decode("utf-8", "replace"),
        }
