# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=False, autotestdict=False
"""Checks on text that came from outside: UTF-8 and Topic Names."""


cdef bint utf8_is_valid(const uint8_t* text, uint32_t length) noexcept nogil:
    """Well-formed UTF-8 without surrogates [MQTT-1.5.4-1] and without U+0000 [MQTT-1.5.4-2]."""
    cdef uint32_t i = 0
    cdef uint32_t more, code, k
    cdef uint64_t word
    cdef uint8_t byte
    while i < length:
        # Eight ASCII characters at a time: topics nearly always are. The subtraction finds a zero byte.
        while length - i >= 8:
            memcpy(&word, text + i, 8)
            if word & <uint64_t>0x8080808080808080:
                break
            if (word - <uint64_t>0x0101010101010101) & ~word & <uint64_t>0x8080808080808080:
                return False
            i += 8
        if i >= length:
            return True
        byte = text[i]
        if byte == 0:
            return False
        if byte < 0x80:
            i += 1
            continue
        if 0xC2 <= byte <= 0xDF:
            more = 1
            code = byte & 0x1F
        elif 0xE0 <= byte <= 0xEF:
            more = 2
            code = byte & 0x0F
        elif 0xF0 <= byte <= 0xF4:
            more = 3
            code = byte & 0x07
        else:
            return False
        if length - i <= more:
            return False
        for k in range(1, more + 1):
            if text[i + k] & 0xC0 != 0x80:
                return False
            code = (code << 6) | (text[i + k] & 0x3F)
        if more == 2 and (code < 0x800 or 0xD800 <= code <= 0xDFFF):
            return False
        if more == 3 and (code < 0x10000 or code > 0x10FFFF):
            return False
        i += more + 1
    return True


cdef bint topic_name_is_valid(const uint8_t* text, uint32_t length, uint32_t levels_max) noexcept nogil:
    """At least one character [MQTT-4.7.3-1], no wildcards [MQTT-3.3.2-2], valid UTF-8, not too deep."""
    cdef uint32_t i
    cdef uint32_t levels = 1
    if length == 0 or length > 65535:
        return False
    for i in range(length):
        if text[i] == c"/":
            levels += 1
        elif text[i] == c"+" or text[i] == c"#":
            return False
    if levels_max and levels > levels_max:
        return False
    return utf8_is_valid(text, length)
