# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=False, autotestdict=False
# distutils: libraries = ssl crypto
"""The stages before OPEN; see greet.pxd."""

from libc.string cimport memcpy, strlen
from edge.engine.memory cimport mem_calloc, mem_realloc
from edge.gateways.frames cimport FrameReader
from edge.gateways.proxy_header cimport ProxyHeader, proxy_header_parse
from edge.gateways.tls_wire cimport (
    RECORD_BYTES_MAX, WIRE_BROKEN, WIRE_ENDED, WIRE_MORE, WireResult, wire_decrypt, wire_handshake, wire_open,
)
from edge.gateways.tunnel cimport (
    CHUNK_BYTES, HELD_BYTES_MAX, STAGE_HANDSHAKE, STAGE_UPGRADE, held_drop, held_keep,
    tunnel_fail, tunnel_kill, tunnel_open, tunnel_part, tunnel_say, tunnel_say_wire,
)
from edge.gateways.upgrade cimport UpgradeResult, upgrade_parse


cdef void join_held(Tunnel* tunnel, uint8_t** data, uint32_t* length) noexcept nogil:
    """Put what was held before the new bytes; a step holds fewer than HELD_BYTES_MAX."""
    cdef uint32_t held = tunnel.up.end
    if held == 0:
        return
    data[0] -= held
    length[0] += held
    memcpy(data[0], tunnel.up.data, held)
    held_drop(&tunnel.up)


cdef bint greet_proxy(PumpState* pump, Tunnel* tunnel, uint8_t** data, uint32_t* length) noexcept nogil:
    cdef ProxyHeader header
    cdef size_t source_bytes
    cdef int used
    join_held(tunnel, data, length)
    used = proxy_header_parse(data[0], length[0], &header)
    if used == 0:
        held_keep(&tunnel.up, data[0], length[0])
        return False
    if used < 0:
        tunnel_fail(pump, tunnel, b"no PROXY protocol header")
        tunnel_kill(pump, tunnel)
        return False
    if not header.is_local:
        source_bytes = strlen(header.source) + 1
        tunnel.peer = <char*>mem_realloc(tunnel.peer, source_bytes)
        memcpy(tunnel.peer, header.source, source_bytes)
    data[0] += used
    length[0] -= <uint32_t>used
    tunnel.stage = STAGE_HANDSHAKE if tunnel.listener.context != NULL else STAGE_UPGRADE
    return length[0] != 0


cdef bint shake_hands(PumpState* pump, Tunnel* tunnel) noexcept nogil:
    """True: the handshake is over and the next stage has come."""
    cdef WireResult result
    if tunnel.ssl == NULL:
        # Not at accept: a flood of silent connections costs no TLS state.
        tunnel.ssl = wire_open(&pump.wire, tunnel.listener.context)
        if tunnel.ssl == NULL:
            tunnel_fail(pump, tunnel, b"OpenSSL has no memory")
            tunnel_kill(pump, tunnel)
            return False
    result = wire_handshake(&pump.wire, tunnel.ssl)
    if not tunnel_say_wire(pump, tunnel) or result == WIRE_MORE:
        return False
    if result == WIRE_BROKEN:
        # The alert that says why is on its way already.
        tunnel_fail(pump, tunnel, pump.wire.failure)
        tunnel_part(pump, tunnel, 0)
        return False
    if tunnel.listener.has_websocket:
        tunnel.stage = STAGE_UPGRADE
        return True
    return tunnel_open(pump, tunnel)


cdef bint greet_tls(PumpState* pump, Tunnel* tunnel, uint8_t** data, uint32_t* length) noexcept nogil:
    cdef WireResult result
    pump.wire.input = data[0]
    pump.wire.input_len = length[0]
    if tunnel.stage == STAGE_HANDSHAKE and not shake_hands(pump, tunnel):
        return False
    data[0] = pump.plain + HELD_BYTES_MAX
    result = wire_decrypt(&pump.wire, tunnel.ssl, data[0], CHUNK_BYTES + RECORD_BYTES_MAX, length)
    if not tunnel_say_wire(pump, tunnel):
        return False
    if result == WIRE_ENDED or result == WIRE_BROKEN:
        # What came before close_notify, or before a forged record, is genuine.
        tunnel.client_eof = 1
    return length[0] != 0


cdef bint greet_upgrade(PumpState* pump, Tunnel* tunnel, uint8_t** data, uint32_t* length) noexcept nogil:
    cdef UpgradeResult result
    join_held(tunnel, data, length)
    if not upgrade_parse(data[0], length[0], &tunnel.listener.rules, &result):
        held_keep(&tunnel.up, data[0], length[0])
        return False
    if not tunnel_say(pump, tunnel, <const uint8_t*>result.response, result.response_len):
        return False
    if not result.accepted:
        tunnel_fail(pump, tunnel, b"no WebSocket upgrade")
        tunnel_part(pump, tunnel, 0)
        return False
    tunnel.frames = <FrameReader*>mem_calloc(1, sizeof(FrameReader))
    data[0] += result.request_bytes
    length[0] -= result.request_bytes
    return tunnel_open(pump, tunnel) and length[0] != 0
