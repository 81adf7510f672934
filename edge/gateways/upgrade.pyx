# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=False, autotestdict=False
# distutils: libraries = crypto
"""Parsing and answering WebSocket upgrade requests; see upgrade.pxd."""

from libc.stdio cimport snprintf
from libc.string cimport memchr, memcmp, memcpy, memset, strlen
from edge.gateways.openssl cimport EVP_EncodeBlock, SHA1

cdef enum:
    KEY_BYTES = 24                  # base64 of 16 bytes

ctypedef struct Request:
    const uint8_t* key
    const char* subprotocol
    uint8_t has_host
    uint8_t has_upgrade
    uint8_t has_connection
    uint8_t has_version
    uint8_t wrong_version
    uint8_t has_body
    uint8_t has_origin
    uint8_t wrong_origin


cdef inline uint8_t lower(uint8_t c) noexcept nogil:
    return c + 32 if c"A" <= c <= c"Z" else c


cdef bint same(const uint8_t* text, uint32_t length, const char* wanted) noexcept nogil:
    """Equal without regard to the case of ASCII letters; `wanted` is lower case."""
    cdef uint32_t i
    if strlen(wanted) != length:
        return False
    for i in range(length):
        if lower(text[i]) != <uint8_t>wanted[i]:
            return False
    return True


cdef bint next_token(const uint8_t* text, uint32_t length, uint32_t* at, const uint8_t** token, uint32_t* token_len) noexcept nogil:
    """Walk a comma-separated list."""
    cdef uint32_t start
    cdef uint32_t end
    while at[0] < length and (text[at[0]] == c"," or text[at[0]] == c" " or text[at[0]] == c"\t"):
        at[0] += 1
    if at[0] >= length:
        return False
    start = at[0]
    while at[0] < length and text[at[0]] != c",":
        at[0] += 1
    end = at[0]
    while end > start and (text[end - 1] == c" " or text[end - 1] == c"\t"):
        end -= 1
    token[0] = text + start
    token_len[0] = end - start
    return True


cdef bint list_has(const uint8_t* text, uint32_t length, const char* wanted) noexcept nogil:
    cdef uint32_t at = 0
    cdef const uint8_t* token = NULL
    cdef uint32_t token_len = 0
    while next_token(text, length, &at, &token, &token_len):
        if same(token, token_len, wanted):
            return True
    return False


cdef bint origin_is_allowed(const uint8_t* origin, uint32_t length, const char* origins) noexcept nogil:
    if origins[0] == 0:
        return True
    while origins[0]:
        if same(origin, length, origins):
            return True
        origins += strlen(origins) + 1
    return False


cdef bint key_is_valid(const uint8_t* key, uint32_t length) noexcept nogil:
    """Base64 of 16 bytes: 22 characters of the alphabet and two `=`."""
    cdef uint32_t i
    cdef uint8_t c
    if length != KEY_BYTES or key[22] != c"=" or key[23] != c"=":
        return False
    for i in range(22):
        c = key[i]
        if not (c"a" <= lower(c) <= c"z" or c"0" <= c <= c"9" or c == c"+" or c == c"/"):
            return False
    return True


cdef bint header(Request* request, const uint8_t* name, uint32_t name_len, const uint8_t* value, uint32_t value_len,
                 const UpgradeRules* rules) noexcept nogil:
    """Take note of one header; False: it makes the request unusable."""
    cdef uint32_t at = 0
    cdef const uint8_t* token = NULL
    cdef uint32_t token_len = 0
    if same(name, name_len, b"host"):
        if request.has_host:
            return False
        request.has_host = 1
    elif same(name, name_len, b"upgrade"):
        request.has_upgrade |= list_has(value, value_len, b"websocket")
    elif same(name, name_len, b"connection"):
        request.has_connection |= list_has(value, value_len, b"upgrade")
    elif same(name, name_len, b"sec-websocket-version"):
        request.has_version = 1
        request.wrong_version |= not same(value, value_len, b"13")
    elif same(name, name_len, b"sec-websocket-key"):
        if request.key != NULL or not key_is_valid(value, value_len):
            return False
        request.key = value
    elif same(name, name_len, b"sec-websocket-protocol"):
        # Names are compared as they are, and `mqtt` goes before the name that MQTT 3.1 had [MQTT-6.0.0-4].
        while next_token(value, value_len, &at, &token, &token_len):
            if token_len == 4 and memcmp(token, b"mqtt", 4) == 0:
                request.subprotocol = b"mqtt"
            elif token_len == 8 and memcmp(token, b"mqttv3.1", 8) == 0 and request.subprotocol == NULL:
                request.subprotocol = b"mqttv3.1"
    elif same(name, name_len, b"origin"):
        if request.has_origin:
            return False
        request.has_origin = 1
        request.wrong_origin = not origin_is_allowed(value, value_len, rules.origins)
    elif same(name, name_len, b"content-length"):
        request.has_body |= not same(value, value_len, b"0")
    elif same(name, name_len, b"transfer-encoding"):
        request.has_body = 1
    return True


cdef bint refuse(UpgradeResult* result, const char* status, const char* why) noexcept nogil:
    result.accepted = 0
    result.response_len = <uint32_t>snprintf(
        result.response, sizeof(result.response),
        b"HTTP/1.1 %s\r\nSec-WebSocket-Version: 13\r\nConnection: close\r\nContent-Type: text/plain\r\n"
        b"Content-Length: %zu\r\n\r\n%s\n", status, strlen(why) + 1, why)
    return True


cdef bint accept(UpgradeResult* result, const Request* request) noexcept nogil:
    cdef unsigned char joined[60]
    cdef unsigned char digest[20]
    cdef unsigned char encoded[32]
    memcpy(joined, request.key, KEY_BYTES)
    memcpy(joined + KEY_BYTES, b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 36)
    SHA1(joined, 60, digest)
    EVP_EncodeBlock(encoded, digest, 20)
    result.accepted = 1
    result.response_len = <uint32_t>snprintf(
        result.response, sizeof(result.response),
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: %s\r\n\r\n",
        encoded, request.subprotocol)
    return True


cdef bint path_matches(const uint8_t* target, uint32_t length, const char* path) noexcept nogil:
    """Compare without the query."""
    cdef const uint8_t* question = <const uint8_t*>memchr(target, c"?", length)
    if path[0] == 0:
        return True
    if question != NULL:
        length = <uint32_t>(question - target)
    return strlen(path) == length and memcmp(path, target, length) == 0


cdef bint upgrade_parse(const uint8_t* data, uint32_t length, const UpgradeRules* rules, UpgradeResult* result) noexcept nogil:
    cdef Request request
    cdef uint32_t line = 0
    cdef uint32_t end
    cdef uint32_t colon
    cdef uint32_t start
    cdef uint32_t stop
    cdef uint32_t i
    cdef const uint8_t* newline
    cdef const uint8_t* space
    cdef bint first = True
    memset(&request, 0, sizeof(request))
    memset(result, 0, sizeof(UpgradeResult))
    # Strangers who speak something else are turned away by their first bytes.
    if memcmp(data, b"GET ", length if length < 4 else 4) != 0:
        return refuse(result, b"405 Method Not Allowed", b"this is MQTT over WebSocket: GET only")
    while True:
        newline = <const uint8_t*>memchr(data + line, c"\n", length - line)
        end = length if newline == NULL else <uint32_t>(newline - data)
        if end >= REQUEST_BYTES_MAX:
            return refuse(result, b"431 Request Header Fields Too Large", b"at most 8 KiB")
        if newline == NULL:
            return False
        if end == line or data[end - 1] != c"\r":
            return refuse(result, b"400 Bad Request", b"lines end with CR LF")
        for i in range(line, end - 1):
            if (data[i] < 32 and data[i] != c"\t") or data[i] == 127:
                return refuse(result, b"400 Bad Request", b"control character")
        if first:
            first = False
            space = <const uint8_t*>memchr(data + 4, c" ", end - 1 - 4 if end > 5 else 0)
            if space == NULL or end - 1 - (space + 1 - data) != 8 or memcmp(space + 1, b"HTTP/1.1", 8) != 0:
                return refuse(result, b"400 Bad Request", b"HTTP/1.1 only")
            if not path_matches(data + 4, <uint32_t>(space - data - 4), rules.path):
                return refuse(result, b"404 Not Found", b"no MQTT at this path")
        elif end - 1 == line:
            break
        else:
            colon = line
            while colon < end - 1 and data[colon] != c":":
                if data[colon] == c" " or data[colon] == c"\t":
                    return refuse(result, b"400 Bad Request", b"malformed header")
                colon += 1
            if colon == end - 1 or colon == line:
                return refuse(result, b"400 Bad Request", b"malformed header")
            start = colon + 1
            stop = end - 1
            while start < stop and (data[start] == c" " or data[start] == c"\t"):
                start += 1
            while stop > start and (data[stop - 1] == c" " or data[stop - 1] == c"\t"):
                stop -= 1
            if not header(&request, data + line, colon - line, data + start, stop - start, rules):
                return refuse(result, b"400 Bad Request", b"malformed header")
        line = end + 1
    result.request_bytes = end + 1
    if not request.has_host or request.has_body:
        return refuse(result, b"400 Bad Request", b"a Host header and no body")
    if not request.has_upgrade or not request.has_connection:
        return refuse(result, b"426 Upgrade Required", b"this is MQTT over WebSocket")
    if not request.has_version or request.wrong_version:
        return refuse(result, b"426 Upgrade Required", b"WebSocket version 13 only")
    if request.key == NULL:
        return refuse(result, b"400 Bad Request", b"Sec-WebSocket-Key is missing")
    if request.wrong_origin:
        return refuse(result, b"403 Forbidden", b"this Origin is not allowed")
    if request.subprotocol == NULL:
        return refuse(result, b"400 Bad Request", b"the subprotocol must be mqtt")     # [MQTT-6.0.0-3]
    return accept(result, &request)


def parse(bytes data, bytes path=b"/mqtt", origins=()):
    """Parse for tests; see upgrade.pyi."""
    cdef UpgradeRules rules
    cdef UpgradeResult result
    cdef bytes packed = b"".join([origin.lower() + b"\0" for origin in origins]) + b"\0"
    rules.path = path
    rules.origins = packed
    if not upgrade_parse(<const uint8_t*><char*>data, <uint32_t>len(data), &rules, &result):
        return None
    return bool(result.accepted), result.request_bytes, result.response[:result.response_len]
