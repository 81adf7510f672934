# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=False, autotestdict=False
"""The mailbox between the control plane and the engine thread; see mailbox.pxd."""

from libc.string cimport memcpy, memset
from edge.engine.memory cimport mem_alloc, mem_free

cdef extern from "<pthread.h>" nogil:
    int pthread_mutex_init(pthread_mutex_t*, void*)
    int pthread_mutex_destroy(pthread_mutex_t*)
    int pthread_mutex_lock(pthread_mutex_t*)
    int pthread_mutex_unlock(pthread_mutex_t*)

cdef extern from "<sys/eventfd.h>" nogil:
    int eventfd(unsigned int, int)
    int EFD_NONBLOCK
    int EFD_CLOEXEC

cdef extern from "<unistd.h>" nogil:
    int c_close "close"(int)
    ssize_t c_read "read"(int, void*, size_t)
    ssize_t c_write "write"(int, const void*, size_t)


cdef void mailbox_init(Mailbox* box) noexcept nogil:
    memset(box, 0, sizeof(Mailbox))
    pthread_mutex_init(&box.mutex, NULL)
    box.wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)
    box.event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)


cdef void mailbox_destroy(Mailbox* box) noexcept nogil:
    cdef Command* command = box.command_head
    cdef Command* next_command
    cdef EventNode* event = box.event_head
    cdef EventNode* next_event
    while command != NULL:
        next_command = command.next
        if command.kind == COMMAND_ADOPT or command.kind == COMMAND_ADD_LISTENER:
            c_close(<int>command.signed_number)
        mem_free(command)
        command = next_command
    while event != NULL:
        next_event = event.next
        mem_free(event)
        event = next_event
    box.command_head = box.command_tail = NULL
    box.event_head = box.event_tail = NULL
    c_close(box.wake_fd)
    c_close(box.event_fd)
    pthread_mutex_destroy(&box.mutex)


cdef inline void fill(uint8_t* target, const uint8_t* a, uint32_t a_len, const uint8_t* b, uint32_t b_len,
                      const uint8_t* c, uint32_t c_len) noexcept nogil:
    if a != NULL:
        memcpy(target, a, a_len)
    if b != NULL:
        memcpy(target + a_len, b, b_len)
    if c != NULL:
        memcpy(target + a_len + b_len, c, c_len)


cdef Command* command_new(uint32_t kind, const uint8_t* a, uint32_t a_len, const uint8_t* b, uint32_t b_len,
                          const uint8_t* c, uint32_t c_len) noexcept nogil:
    """A command with up to three byte strings, which are copied; the other fields are zero."""
    cdef Command* command = <Command*>mem_alloc(sizeof(Command) + <size_t>a_len + b_len + c_len)
    memset(command, 0, sizeof(Command))
    command.kind = kind
    command.lengths[0] = a_len
    command.lengths[1] = b_len
    command.lengths[2] = c_len
    fill(command.data, a, a_len, b, b_len, c, c_len)
    return command


cdef void mailbox_command(Mailbox* box, Command* command) noexcept nogil:
    """Queue a command; mailbox_wake() makes the engine look."""
    pthread_mutex_lock(&box.mutex)
    if box.command_tail == NULL:
        box.command_head = command
    else:
        box.command_tail.next = command
    box.command_tail = command
    pthread_mutex_unlock(&box.mutex)


cdef void mailbox_wake(Mailbox* box) noexcept nogil:
    cdef uint64_t one = 1
    c_write(box.wake_fd, &one, 8)


cdef Command* mailbox_take_commands(Mailbox* box) noexcept nogil:
    """All queued commands, oldest first; the caller frees them."""
    cdef Command* head
    pthread_mutex_lock(&box.mutex)
    head = box.command_head
    box.command_head = box.command_tail = NULL
    pthread_mutex_unlock(&box.mutex)
    return head


cdef EventNode* event_new(uint32_t kind, const uint8_t* a, uint32_t a_len, const uint8_t* b, uint32_t b_len,
                          const uint8_t* c, uint32_t c_len) noexcept nogil:
    """An event with up to three byte strings, which are copied (room for a NULL one is left); the rest is zero."""
    cdef EventNode* event = <EventNode*>mem_alloc(sizeof(EventNode) + <size_t>a_len + b_len + c_len)
    memset(event, 0, sizeof(EventNode))
    event.kind = kind
    event.signed_number = -1
    event.lengths[0] = a_len
    event.lengths[1] = b_len
    event.lengths[2] = c_len
    fill(event.data, a, a_len, b, b_len, c, c_len)
    return event


cdef void mailbox_post(Mailbox* box, EventNode* event) noexcept nogil:
    """Queue an event; mailbox_signal() at the end of the turn wakes the control plane once."""
    pthread_mutex_lock(&box.mutex)
    if box.event_tail == NULL:
        box.event_head = event
    else:
        box.event_tail.next = event
    box.event_tail = event
    box.event_count += 1
    pthread_mutex_unlock(&box.mutex)
    box.events_posted = 1


cdef bint mailbox_is_crowded(Mailbox* box) noexcept nogil:
    """Whether the control plane is so far behind that whoever comes new has to wait.

    A connection has at most a packet and its end in the mailbox, but a flood of clients that come and go has many.
    """
    cdef bint crowded
    pthread_mutex_lock(&box.mutex)
    crowded = box.event_count > EVENTS_CROWDED
    pthread_mutex_unlock(&box.mutex)
    return crowded


cdef void mailbox_signal(Mailbox* box) noexcept nogil:
    cdef uint64_t one = 1
    if box.events_posted:
        box.events_posted = 0
        c_write(box.event_fd, &one, 8)


cdef void mailbox_drain_wake(Mailbox* box) noexcept nogil:
    cdef uint64_t count
    c_read(box.wake_fd, &count, 8)


cdef EventNode* mailbox_take_events(Mailbox* box) noexcept nogil:
    """All queued events, oldest first; the caller frees them."""
    cdef EventNode* head
    cdef uint64_t count
    # The eventfd first: an event posted in between then signals again instead of being lost.
    c_read(box.event_fd, &count, 8)
    pthread_mutex_lock(&box.mutex)
    head = box.event_head
    box.event_head = box.event_tail = NULL
    box.event_count = 0
    pthread_mutex_unlock(&box.mutex)
    return head
