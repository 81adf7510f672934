# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=False, autotestdict=False
"""Received and unreleased QoS 2 Packet Identifiers; see inbound.pxd."""

from libc.stdint cimport uint32_t
from edge.engine.memory cimport mem_calloc, mem_free

cdef enum:
    CAPACITY_MIN = 16


cdef inline uint32_t home(uint16_t packet_id, uint32_t capacity) noexcept nogil:
    # Clients count upwards, so the identity spreads perfectly; a client that does not hurts itself only.
    return packet_id & (capacity - 1)


cdef bint inbound_has(const Session* session, uint16_t packet_id) noexcept nogil:
    cdef uint32_t i
    if session.inbound_count == 0:
        return False
    i = home(packet_id, session.inbound_capacity)
    while session.inbound[i]:
        if session.inbound[i] == packet_id:
            return True
        i = (i + 1) & (session.inbound_capacity - 1)
    return False


cdef void place(uint16_t* table, uint32_t capacity, uint16_t packet_id) noexcept nogil:
    cdef uint32_t i = home(packet_id, capacity)
    while table[i]:
        i = (i + 1) & (capacity - 1)
    table[i] = packet_id


cdef void inbound_add(Session* session, uint16_t packet_id) noexcept nogil:
    """Remember an identifier that is not in the set."""
    cdef uint32_t i
    cdef uint32_t capacity
    cdef uint16_t* table
    if (session.inbound_count + 1) * 2 > session.inbound_capacity:
        capacity = session.inbound_capacity * 2 if session.inbound_capacity else CAPACITY_MIN
        table = <uint16_t*>mem_calloc(capacity, sizeof(uint16_t))
        for i in range(session.inbound_capacity):
            if session.inbound[i]:
                place(table, capacity, session.inbound[i])
        mem_free(session.inbound)
        session.inbound = table
        session.inbound_capacity = capacity
    place(session.inbound, session.inbound_capacity, packet_id)
    session.inbound_count += 1


cdef bint inbound_remove(Session* session, uint16_t packet_id) noexcept nogil:
    """Forget an identifier; False if it was not there."""
    cdef uint32_t mask = session.inbound_capacity - 1
    cdef uint32_t hole
    cdef uint32_t i
    if session.inbound_count == 0:
        return False
    hole = home(packet_id, session.inbound_capacity)
    while session.inbound[hole] != packet_id:
        if session.inbound[hole] == 0:
            return False
        hole = (hole + 1) & mask
    session.inbound_count -= 1
    if session.inbound_count == 0 and session.inbound_capacity > CAPACITY_MIN:
        inbound_release(session)
        return True
    # Close the hole: whatever was pushed past it moves back.
    i = hole
    while True:
        session.inbound[hole] = 0
        while True:
            i = (i + 1) & mask
            if session.inbound[i] == 0:
                return True
            if ((i - home(session.inbound[i], session.inbound_capacity)) & mask) >= ((i - hole) & mask):
                break
        session.inbound[hole] = session.inbound[i]
        hole = i


cdef void inbound_release(Session* session) noexcept nogil:
    mem_free(session.inbound)
    session.inbound = NULL
    session.inbound_capacity = session.inbound_count = 0
