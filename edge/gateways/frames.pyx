# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=False, autotestdict=False
"""The WebSocket frame reader and writer; see frames.pxd."""

from libc.string cimport memcpy, memmove, memset

cdef enum Opcode:
    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10

cdef enum CloseCode:
    NORMAL = 1000
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003


cdef void fail(FrameReader* reader, uint16_t code) noexcept nogil:
    reader.closed = 1
    reader.close_code = code


cdef uint32_t header_need(const FrameReader* reader) noexcept nogil:
    """Bytes of the header as far as it is known."""
    cdef uint8_t short_len
    if reader.header_len < 2:
        return 2
    short_len = reader.header[1] & 0x7F
    return 6 + (2 if short_len == 126 else 8 if short_len == 127 else 0)


cdef void check_start(FrameReader* reader) noexcept nogil:
    """The first two bytes have come. What they show to be wrong is told at once: more may never come."""
    cdef uint8_t short_len = reader.header[1] & 0x7F
    reader.fin = reader.header[0] >> 7
    reader.opcode = reader.header[0] & 0x0F
    if reader.header[0] & 0x70 or not reader.header[1] & 0x80:
        # Reserved bits without an extension; a client that does not mask.
        fail(reader, PROTOCOL_ERROR)
    elif reader.opcode >= CLOSE:
        if not reader.fin or short_len > CONTROL_BYTES_MAX or reader.opcode > PONG:
            fail(reader, PROTOCOL_ERROR)
    elif reader.opcode == TEXT:
        fail(reader, UNSUPPORTED_DATA)          # [MQTT-6.0.0-1]
    elif reader.opcode > BINARY or reader.fragmented != (reader.opcode == CONTINUATION):
        fail(reader, PROTOCOL_ERROR)


cdef void begin_frame(FrameReader* reader) noexcept nogil:
    """The header is complete: see how long the payload is."""
    cdef uint8_t short_len = reader.header[1] & 0x7F
    cdef uint32_t at = 2
    cdef uint32_t i
    reader.payload_left = short_len
    if short_len == 126:
        reader.payload_left = (<uint64_t>reader.header[2] << 8) | reader.header[3]
        at = 4
        if reader.payload_left < 126:
            fail(reader, PROTOCOL_ERROR)        # not the shortest form
    elif short_len == 127:
        reader.payload_left = 0
        for i in range(8):
            reader.payload_left = (reader.payload_left << 8) | reader.header[2 + i]
        at = 10
        if reader.payload_left < 65536 or reader.payload_left >> 63:
            fail(reader, PROTOCOL_ERROR)
    memcpy(reader.mask, reader.header + at, 4)
    reader.mask_index = 0
    reader.control_len = 0
    reader.in_payload = 1
    if reader.opcode < CLOSE:
        reader.fragmented = not reader.fin


cdef void end_frame(FrameReader* reader) noexcept nogil:
    """The payload is complete."""
    cdef uint16_t code = NORMAL
    reader.header_len = 0
    reader.in_payload = 0
    if reader.opcode == PING:
        reader.pong_wanted = 1
    elif reader.opcode == CLOSE:
        if reader.control_len == 1:
            code = PROTOCOL_ERROR
        elif reader.control_len >= 2:
            code = <uint16_t>((reader.control[0] << 8) | reader.control[1])
            # Codes that never stand in a frame, section 7.4.
            if code < 1000 or 1004 <= code <= 1006 or 1015 <= code <= 2999 or code > 4999:
                code = PROTOCOL_ERROR
        fail(reader, code)


cdef void unmask(FrameReader* reader, uint8_t* data, uint32_t length) noexcept nogil:
    """XOR with the mask, eight bytes at a time."""
    cdef uint8_t wide[8]
    cdef uint64_t key
    cdef uint64_t word
    cdef uint32_t i = 0
    cdef uint32_t k
    for k in range(8):
        wide[k] = reader.mask[(reader.mask_index + k) & 3]
    memcpy(&key, wide, 8)
    while length - i >= 8:
        memcpy(&word, data + i, 8)
        word ^= key
        memcpy(data + i, &word, 8)
        i += 8
    while i < length:
        data[i] ^= wide[i & 7]
        i += 1
    reader.mask_index = <uint8_t>((reader.mask_index + length) & 3)


cdef uint32_t frames_read(FrameReader* reader, uint8_t* data, uint32_t length, uint32_t* used) noexcept nogil:
    cdef uint32_t at = 0
    cdef uint32_t out = 0
    cdef uint32_t need
    cdef uint32_t take
    while not reader.closed and not reader.pong_wanted:
        if not reader.in_payload:
            need = header_need(reader)
            if reader.header_len == need:
                begin_frame(reader)
                continue
            take = need - reader.header_len
            if take > length - at:
                take = length - at
            if take == 0:
                break
            memcpy(reader.header + reader.header_len, data + at, take)
            reader.header_len += <uint8_t>take
            at += take
            if reader.header_len == 2:
                check_start(reader)
            continue
        take = length - at
        if take > reader.payload_left:
            take = <uint32_t>reader.payload_left
        if reader.opcode >= CLOSE:
            memcpy(reader.control + reader.control_len, data + at, take)
            unmask(reader, reader.control + reader.control_len, take)
            reader.control_len += <uint8_t>take
        else:
            unmask(reader, data + at, take)
            if out != at:
                memmove(data + out, data + at, take)
            out += take
        at += take
        reader.payload_left -= take
        if reader.payload_left:
            break
        end_frame(reader)
    used[0] = at
    return out


cdef uint32_t frame_header(uint8_t* out, uint8_t opcode, uint64_t payload_len) noexcept nogil:
    """Write the header of a final, unmasked frame; returns its length, at most FRAME_HEADER_BYTES_MAX."""
    cdef uint32_t i
    out[0] = 0x80 | opcode
    if payload_len < 126:
        out[1] = <uint8_t>payload_len
        return 2
    if payload_len < 65536:
        out[1] = 126
        out[2] = <uint8_t>(payload_len >> 8)
        out[3] = <uint8_t>(payload_len & 0xFF)
        return 4
    out[1] = 127
    for i in range(8):
        out[2 + i] = <uint8_t>((payload_len >> (56 - 8 * i)) & 0xFF)
    return 10


def read(chunks):
    """Decode for tests; see frames.pyi."""
    cdef FrameReader reader
    cdef bytearray copy
    cdef uint32_t used
    cdef uint32_t got
    cdef uint32_t start
    cdef uint8_t* p
    memset(&reader, 0, sizeof(reader))
    payload = bytearray()
    pings = []
    for chunk in chunks:
        copy = bytearray(chunk)
        p = copy
        start = 0
        while True:
            got = frames_read(&reader, p + start, <uint32_t>len(copy) - start, &used)
            payload += copy[start:start + got]
            start += used
            if not reader.pong_wanted:
                break
            pings.append(bytes(reader.control[:reader.control_len]))
            reader.pong_wanted = 0
        if reader.closed:
            break
    return bytes(payload), pings, reader.close_code


def header(unsigned int opcode, unsigned long long payload_len):
    """A server's frame header, for tests; see frames.pyi."""
    cdef uint8_t out[10]
    return (<char*>out)[:frame_header(out, <uint8_t>opcode, payload_len)]
