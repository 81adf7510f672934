# The one checked reader: the only code that takes a stranger's bytes apart by position.
#
# A Reader never reads outside [position, end). When a read would, it sets `bad`, returns zero and
# stays bad: the caller checks once, at the end of a group of reads.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy


ctypedef struct Reader:
    const uint8_t* data
    uint32_t position
    uint32_t end
    bint bad


cdef inline void reader_init(Reader* reader, const uint8_t* data, uint32_t length) noexcept nogil:
    reader.data = data
    reader.position = 0
    reader.end = length
    reader.bad = False


cdef inline bint reader_need(Reader* reader, uint32_t count_bytes) noexcept nogil:
    if reader.bad or reader.end - reader.position < count_bytes:
        reader.bad = True
        return False
    return True


cdef inline uint32_t reader_left(const Reader* reader) noexcept nogil:
    return reader.end - reader.position


cdef inline uint8_t read_u8(Reader* reader) noexcept nogil:
    if not reader_need(reader, 1):
        return 0
    reader.position += 1
    return reader.data[reader.position - 1]


cdef inline uint16_t read_u16(Reader* reader) noexcept nogil:
    cdef const uint8_t* p
    if not reader_need(reader, 2):
        return 0
    p = reader.data + reader.position
    reader.position += 2
    return <uint16_t>((p[0] << 8) | p[1])


cdef inline uint32_t read_u32(Reader* reader) noexcept nogil:
    cdef const uint8_t* p
    if not reader_need(reader, 4):
        return 0
    p = reader.data + reader.position
    reader.position += 4
    return (<uint32_t>p[0] << 24) | (<uint32_t>p[1] << 16) | (<uint32_t>p[2] << 8) | p[3]


cdef inline uint32_t read_varint(Reader* reader) noexcept nogil:
    """A Variable Byte Integer of at most four bytes, in the shortest form [MQTT-1.5.5-1]."""
    cdef uint32_t value = 0
    cdef uint32_t shift = 0
    cdef uint8_t byte
    while True:
        byte = read_u8(reader)
        if reader.bad:
            return 0
        value |= <uint32_t>(byte & 0x7F) << shift
        if not byte & 0x80:
            if byte == 0 and shift:
                reader.bad = True
            return value
        shift += 7
        if shift > 21:
            reader.bad = True
            return 0


cdef inline const uint8_t* read_bytes(Reader* reader, uint32_t count_bytes) noexcept nogil:
    """A view of the next bytes; NULL when there are not as many."""
    if not reader_need(reader, count_bytes):
        return NULL
    reader.position += count_bytes
    return reader.data + reader.position - count_bytes


cdef bint utf8_is_valid(const uint8_t* text, uint32_t length) noexcept nogil
cdef bint topic_name_is_valid(const uint8_t* text, uint32_t length, uint32_t levels_max) noexcept nogil
