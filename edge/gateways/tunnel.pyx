# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, nonecheck=False, autotestdict=False
"""Moving bytes between a client and the engine; see tunnel.pxd."""

from libc.errno cimport EAGAIN, EINTR, errno
from libc.string cimport memcpy, strlen
from edge.engine.engine cimport engine_adopt
from edge.engine.memory cimport mem_alloc, mem_calloc, mem_free, mem_realloc
from edge.gateways.frames cimport FRAME_HEADER_BYTES_MAX, frame_header, frames_read
from edge.gateways.openssl cimport (
    ERR_clear_error, SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE, SSL_ERROR_ZERO_RETURN, SSL_do_handshake,
    SSL_free, SSL_get_error, SSL_read, SSL_shutdown, SSL_write,
)
from edge.gateways.proxy_header cimport ProxyHeader, proxy_header_parse
from edge.gateways.tls cimport tls_identity
from edge.gateways.upgrade cimport REQUEST_BYTES_MAX, UpgradeResult, upgrade_parse

cdef extern from "<sys/epoll.h>" nogil:
    ctypedef union epoll_data_t:
        uint64_t u64
    struct epoll_event:
        uint32_t events
        epoll_data_t data
    int epoll_ctl(int, int, int, epoll_event*)
    int EPOLLIN
    int EPOLLOUT
    int EPOLLHUP
    int EPOLLERR
    int EPOLL_CTL_ADD
    int EPOLL_CTL_DEL
    int EPOLL_CTL_MOD

cdef extern from "<sys/socket.h>" nogil:
    ssize_t recv(int, void*, size_t, int)
    ssize_t send(int, const void*, size_t, int)
    int socketpair(int, int, int, int*)
    int shutdown(int, int)
    int AF_UNIX
    int SOCK_STREAM
    int SOCK_NONBLOCK
    int SOCK_CLOEXEC
    int SHUT_WR
    int MSG_NOSIGNAL
    int MSG_PEEK

cdef extern from "<unistd.h>" nogil:
    int c_close "close"(int)

cdef enum:
    CLOSING_MS = 2000               # for the client to answer our goodbye
    LAST_WORDS_MS = 10000           # for the client to take what was sent before the engine closed
    NOTHING = -1                    # would block
    ENDED = -2                      # end of stream or broken
    EARLY_BYTES_MAX = 16384

cdef enum Opcode:
    OPCODE_BINARY = 2
    OPCODE_CLOSE = 8
    OPCODE_PONG = 10


# ---------------------------------------------------------------- deadlines and descriptors

cdef void set_deadline(PumpState* pump, Tunnel* tunnel, int64_t deadline_ms) noexcept nogil:
    """File a tunnel under a deadline (0: none). All deadlines lie few seconds ahead: the list is scanned whole."""
    if tunnel.deadline_ms:
        tunnel.previous.next = tunnel.next
        tunnel.next.previous = tunnel.previous
    tunnel.deadline_ms = deadline_ms
    if deadline_ms:
        tunnel.next = &pump.deadlines
        tunnel.previous = pump.deadlines.previous
        pump.deadlines.previous.next = tunnel
        pump.deadlines.previous = tunnel


cdef void watch(PumpState* pump, Tunnel* tunnel) noexcept nogil:
    """Tell epoll what this tunnel waits for, if that changed."""
    cdef epoll_event event
    cdef uint32_t wanted = 0
    if tunnel.stage == STAGE_DEAD:
        return
    if not tunnel.client_eof and tunnel.up.data == NULL:
        wanted |= EPOLLIN
    if tunnel.down.data != NULL or tunnel.tls_wants_write:
        wanted |= EPOLLOUT
    if wanted != tunnel.client_events:
        tunnel.client_events = wanted
        event.events = wanted
        event.data.u64 = <uint64_t><size_t>tunnel
        epoll_ctl(pump.epoll_fd, EPOLL_CTL_MOD, tunnel.client_fd, &event)
    if tunnel.inner_fd < 0 or tunnel.inner_gone:
        return
    wanted = 0
    if tunnel.down.data == NULL:
        wanted |= EPOLLIN
    if tunnel.up.data != NULL:
        wanted |= EPOLLOUT
    if wanted != tunnel.inner_events:
        tunnel.inner_events = wanted
        event.events = wanted
        event.data.u64 = <uint64_t><size_t>tunnel | 1
        epoll_ctl(pump.epoll_fd, EPOLL_CTL_MOD, tunnel.inner_fd, &event)


cdef Tunnel* tunnel_new(PumpState* pump, int fd, uint16_t listener_index, const char* peer, SSL* ssl,
                        bint websocket, bint proxy_header, const UpgradeRules* rules) noexcept nogil:
    """Take an accepted socket; owns `fd` and `ssl` from here on."""
    cdef Tunnel* tunnel = <Tunnel*>mem_calloc(1, sizeof(Tunnel))
    cdef epoll_event event
    tunnel.client_fd = fd
    tunnel.inner_fd = -1
    tunnel.listener_index = listener_index
    tunnel.ssl = ssl
    tunnel.has_tls = ssl != NULL
    tunnel.has_websocket = websocket
    tunnel.rules = rules[0]
    memcpy(tunnel.peer, peer, strlen(peer) + 1)
    tunnel.stage = STAGE_PROXY if proxy_header else STAGE_HANDSHAKE if tunnel.has_tls else STAGE_UPGRADE
    tunnel.client_events = EPOLLIN
    event.events = EPOLLIN
    event.data.u64 = <uint64_t><size_t>tunnel
    epoll_ctl(pump.epoll_fd, EPOLL_CTL_ADD, fd, &event)
    set_deadline(pump, tunnel, pump.now_ms + pump.handshake_ms)
    tunnel.all_next = &pump.everybody
    tunnel.all_previous = pump.everybody.all_previous
    tunnel.all_previous.all_next = tunnel
    pump.everybody.all_previous = tunnel
    pump.open += 1
    pump.open_counts[listener_index] += 1
    return tunnel


cdef void tunnel_kill(PumpState* pump, Tunnel* tunnel) noexcept nogil:
    """Close both ends now; freed at the end of the turn."""
    if tunnel.stage == STAGE_DEAD:
        return
    if tunnel.stage < STAGE_OPEN:
        pump.handshakes_failed += 1
    tunnel.stage = STAGE_DEAD
    set_deadline(pump, tunnel, 0)
    tunnel.all_previous.all_next = tunnel.all_next
    tunnel.all_next.all_previous = tunnel.all_previous
    c_close(tunnel.client_fd)
    if tunnel.inner_fd >= 0:
        c_close(tunnel.inner_fd)
    pump.open -= 1
    pump.open_counts[tunnel.listener_index] -= 1
    if pump.grave_count == pump.grave_capacity:
        pump.grave_capacity = pump.grave_capacity * 2 if pump.grave_capacity else 64
        pump.graves = <Tunnel**>mem_realloc(pump.graves, pump.grave_capacity * sizeof(Tunnel*))
    pump.graves[pump.grave_count] = tunnel
    pump.grave_count += 1


cdef void tunnel_bury(PumpState* pump) noexcept nogil:
    cdef uint32_t i
    cdef Tunnel* tunnel
    for i in range(pump.grave_count):
        tunnel = pump.graves[i]
        if tunnel.ssl != NULL:
            SSL_free(tunnel.ssl)
        mem_free(tunnel.frames)
        mem_free(tunnel.up.data)
        mem_free(tunnel.down.data)
        mem_free(tunnel.early)
        mem_free(tunnel)
    pump.grave_count = 0


# ---------------------------------------------------------------- the client's side of the wire

cdef int client_read(Tunnel* tunnel, uint8_t* out, uint32_t room) noexcept nogil:
    """Read and decrypt; bytes, NOTHING or ENDED. TLS records are gathered until `room` is full."""
    cdef int got
    cdef int error
    cdef uint32_t have = 0
    if not tunnel.has_tls or tunnel.stage == STAGE_PROXY:
        while True:
            got = <int>recv(tunnel.client_fd, out, room, 0)
            if got > 0:
                return got
            if got < 0 and errno == EINTR:
                continue
            return NOTHING if got < 0 and errno == EAGAIN else ENDED
    while have < room:
        ERR_clear_error()
        got = SSL_read(tunnel.ssl, out + have, <int>(room - have))
        if got > 0:
            have += <uint32_t>got
            continue
        error = SSL_get_error(tunnel.ssl, got)
        if error == SSL_ERROR_WANT_READ:
            break
        if error == SSL_ERROR_WANT_WRITE:
            tunnel.tls_wants_write = 1
            break
        tunnel.client_eof = 1
        if have == 0:
            return ENDED
        break
    return <int>have if have else NOTHING


cdef int client_write(Tunnel* tunnel, const uint8_t* data, uint32_t length) noexcept nogil:
    """Encrypt and write as much as goes; bytes (0: would block) or ENDED."""
    cdef uint32_t done = 0
    cdef int put
    cdef int error
    while done < length:
        if tunnel.has_tls:
            ERR_clear_error()
            put = SSL_write(tunnel.ssl, data + done, <int>(length - done))
            if put <= 0:
                error = SSL_get_error(tunnel.ssl, put)
                if error == SSL_ERROR_WANT_WRITE or error == SSL_ERROR_WANT_READ:
                    return <int>done
                return ENDED
        else:
            put = <int>send(tunnel.client_fd, data + done, length - done, MSG_NOSIGNAL)
            if put < 0:
                if errno == EINTR:
                    continue
                return <int>done if errno == EAGAIN else ENDED
        done += <uint32_t>put
    return <int>done


cdef void keep(Pending* pending, const uint8_t* data, uint32_t length) noexcept nogil:
    """Keep what could not be written; behind what is kept already."""
    cdef uint32_t left = pending.len - pending.offset
    cdef uint8_t* joined
    if length == 0:
        return
    joined = <uint8_t*>mem_alloc(left + length)
    if left:
        memcpy(joined, pending.data + pending.offset, left)
    memcpy(joined + left, data, length)
    mem_free(pending.data)
    pending.data = joined
    pending.offset = 0
    pending.len = left + length


cdef void forget(Pending* pending) noexcept nogil:
    mem_free(pending.data)
    pending.data = NULL
    pending.offset = pending.len = 0


cdef bint send_down(PumpState* pump, Tunnel* tunnel, const uint8_t* data, uint32_t length) noexcept nogil:
    """Write to the client, keep the rest. False: the tunnel is dead."""
    cdef int put
    if tunnel.down.data != NULL:
        keep(&tunnel.down, data, length)
        return True
    put = client_write(tunnel, data, length)
    if put == ENDED:
        tunnel_kill(pump, tunnel)
        return False
    pump.bytes_down += put
    keep(&tunnel.down, data + put, length - <uint32_t>put)
    return True


cdef bint flush_down(PumpState* pump, Tunnel* tunnel) noexcept nogil:
    cdef int put
    if tunnel.down.data == NULL:
        return True
    put = client_write(tunnel, tunnel.down.data + tunnel.down.offset, tunnel.down.len - tunnel.down.offset)
    if put == ENDED:
        tunnel_kill(pump, tunnel)
        return False
    pump.bytes_down += put
    tunnel.down.offset += <uint32_t>put
    if tunnel.down.offset == tunnel.down.len:
        forget(&tunnel.down)
    return True


cdef bint send_up(PumpState* pump, Tunnel* tunnel, const uint8_t* data, uint32_t length) noexcept nogil:
    """Write to the engine, keep the rest. False: the engine has closed, the client is told."""
    cdef ssize_t put = 0
    if length == 0:
        return True
    if tunnel.up.data == NULL:
        put = send(tunnel.inner_fd, data, length, MSG_NOSIGNAL)
        if put < 0:
            if errno != EAGAIN and errno != EINTR:
                # The engine's last words may still wait on the socketpair: they are read first.
                tunnel.client_eof = 1
                return True
            put = 0
    pump.bytes_up += put
    keep(&tunnel.up, data + put, length - <uint32_t>put)
    return True


cdef void flush_up(PumpState* pump, Tunnel* tunnel) noexcept nogil:
    cdef ssize_t put
    if tunnel.up.data == NULL:
        return
    put = send(tunnel.inner_fd, tunnel.up.data + tunnel.up.offset, tunnel.up.len - tunnel.up.offset, MSG_NOSIGNAL)
    if put < 0:
        if errno != EAGAIN and errno != EINTR:
            forget(&tunnel.up)
            tunnel.client_eof = 1
        return
    pump.bytes_up += put
    tunnel.up.offset += <uint32_t>put
    if tunnel.up.offset == tunnel.up.len:
        forget(&tunnel.up)


# ---------------------------------------------------------------- goodbye

cdef void say_goodbye(PumpState* pump, Tunnel* tunnel, uint16_t close_code) noexcept nogil:
    """Close towards the client in the words of each layer, then wait for its answer for a while."""
    cdef uint8_t frame[4]
    if tunnel.stage >= STAGE_CLOSING:
        return
    if tunnel.has_websocket and tunnel.stage == STAGE_OPEN:
        frame_header(frame, OPCODE_CLOSE, 2)
        frame[2] = <uint8_t>(close_code >> 8)
        frame[3] = <uint8_t>(close_code & 0xFF)
        if not send_down(pump, tunnel, frame, 4):
            return
    tunnel.stage = STAGE_CLOSING
    if tunnel.inner_fd >= 0:
        c_close(tunnel.inner_fd)
        tunnel.inner_fd = -1
    forget(&tunnel.up)
    set_deadline(pump, tunnel, pump.now_ms + CLOSING_MS)
    finish_goodbye(pump, tunnel)


cdef void finish_goodbye(PumpState* pump, Tunnel* tunnel) noexcept nogil:
    """Once everything is written: close_notify and FIN."""
    if tunnel.down.data != NULL or tunnel.goodbye_said:
        return
    tunnel.goodbye_said = 1
    if tunnel.has_tls and tunnel.ssl != NULL:
        ERR_clear_error()
        SSL_shutdown(tunnel.ssl)
    shutdown(tunnel.client_fd, SHUT_WR)
    if tunnel.client_eof:
        tunnel_kill(pump, tunnel)


# ---------------------------------------------------------------- before the tunnel is open

cdef bint open_inner(PumpState* pump, Tunnel* tunnel) noexcept nogil:
    """Everything is agreed: give the engine its end."""
    cdef int pair[2]
    cdef uint8_t peer[1024]
    cdef uint32_t peer_len = <uint32_t>strlen(tunnel.peer)
    cdef epoll_event event
    if socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0:
        tunnel_kill(pump, tunnel)
        return False
    memcpy(peer, tunnel.peer, peer_len)
    peer[peer_len] = 0
    peer_len += 1
    if tunnel.has_tls:
        peer_len += tls_identity(tunnel.ssl, peer + peer_len, sizeof(peer) - peer_len)
    else:
        peer[peer_len] = 0
        peer_len += 1
    tunnel.inner_fd = pair[0]
    tunnel.inner_events = EPOLLIN
    event.events = EPOLLIN
    event.data.u64 = <uint64_t><size_t>tunnel | 1
    epoll_ctl(pump.epoll_fd, EPOLL_CTL_ADD, tunnel.inner_fd, &event)
    tunnel.stage = STAGE_OPEN
    set_deadline(pump, tunnel, 0)
    engine_adopt(pump.engine, tunnel.listener_index, pair[1], peer, peer_len)
    return True


cdef void on_proxy(PumpState* pump, Tunnel* tunnel) noexcept nogil:
    """Peek at the header and take exactly its bytes off the socket: what follows may be TLS."""
    cdef ProxyHeader header
    cdef uint8_t data[4096]
    cdef ssize_t got = recv(tunnel.client_fd, data, sizeof(data), MSG_PEEK)
    cdef int used
    if got <= 0:
        if got == 0 or (errno != EAGAIN and errno != EINTR):
            tunnel_kill(pump, tunnel)
        return
    used = proxy_header_parse(data, <uint32_t>got, &header)
    if used < 0:
        tunnel_kill(pump, tunnel)
        return
    if used == 0:
        # Peeked bytes would wake us again at once: they are taken and kept, a little at a time.
        used = <int>recv(tunnel.client_fd, data, <size_t>got, 0)
        if used <= 0 or not keep_early(pump, tunnel, data, <uint32_t>used):
            return
        used = proxy_header_parse(tunnel.early, tunnel.early_len, &header)
        if used <= 0:
            if used < 0:
                tunnel_kill(pump, tunnel)
            return
        # A header in pieces, complete now; bytes behind it would belong to TLS and cannot be put back.
        if <uint32_t>used != tunnel.early_len:
            tunnel_kill(pump, tunnel)
            return
    elif tunnel.early_len:
        tunnel_kill(pump, tunnel)
        return
    else:
        recv(tunnel.client_fd, data, <size_t>used, 0)
    if not header.is_local:
        memcpy(tunnel.peer, header.source, strlen(header.source) + 1)
    mem_free(tunnel.early)
    tunnel.early = NULL
    tunnel.early_len = 0
    tunnel.stage = STAGE_HANDSHAKE if tunnel.has_tls else STAGE_UPGRADE


cdef bint keep_early(PumpState* pump, Tunnel* tunnel, const uint8_t* data, uint32_t length) noexcept nogil:
    if tunnel.early_len + length > EARLY_BYTES_MAX:
        tunnel_kill(pump, tunnel)
        return False
    tunnel.early = <uint8_t*>mem_realloc(tunnel.early, tunnel.early_len + length)
    memcpy(tunnel.early + tunnel.early_len, data, length)
    tunnel.early_len += length
    return True


cdef void on_handshake(PumpState* pump, Tunnel* tunnel) noexcept nogil:
    cdef int result
    cdef int error
    ERR_clear_error()
    result = SSL_do_handshake(tunnel.ssl)
    tunnel.tls_wants_write = 0
    if result == 1:
        tunnel.stage = STAGE_UPGRADE
        if not tunnel.has_websocket:
            open_inner(pump, tunnel)
        return
    error = SSL_get_error(tunnel.ssl, result)
    if error == SSL_ERROR_WANT_WRITE:
        tunnel.tls_wants_write = 1
    elif error != SSL_ERROR_WANT_READ:
        # The alert that says why is already on its way: OpenSSL wrote it.
        tunnel_kill(pump, tunnel)


cdef void on_upgrade(PumpState* pump, Tunnel* tunnel) noexcept nogil:
    cdef UpgradeResult result
    cdef int got = client_read(tunnel, pump.scratch, REQUEST_BYTES_MAX)
    if got == NOTHING:
        return
    if got == ENDED or not keep_early(pump, tunnel, pump.scratch, <uint32_t>got):
        tunnel_kill(pump, tunnel)
        return
    if not upgrade_parse(tunnel.early, tunnel.early_len, &tunnel.rules, &result):
        return
    if not send_down(pump, tunnel, <const uint8_t*>result.response, result.response_len):
        return
    if not result.accepted:
        pump.handshakes_failed += 1
        say_goodbye(pump, tunnel, 0)
        return
    tunnel.frames = <FrameReader*>mem_calloc(1, sizeof(FrameReader))
    if open_inner(pump, tunnel) and tunnel.early_len > result.request_bytes:
        on_data(pump, tunnel, tunnel.early + result.request_bytes, tunnel.early_len - result.request_bytes)
    mem_free(tunnel.early)
    tunnel.early = NULL
    tunnel.early_len = 0


# ---------------------------------------------------------------- open

cdef bint on_data(PumpState* pump, Tunnel* tunnel, uint8_t* data, uint32_t length) noexcept nogil:
    """Decrypted bytes of the client: unframe them if need be and hand them to the engine."""
    cdef uint8_t pong[127]
    cdef uint32_t used
    cdef uint32_t got
    if tunnel.frames == NULL:
        return send_up(pump, tunnel, data, length)
    while length or tunnel.frames.pong_wanted:
        got = frames_read(tunnel.frames, data, length, &used)
        if not send_up(pump, tunnel, data, got):
            return False
        data += used
        length -= used
        if tunnel.frames.pong_wanted:
            tunnel.frames.pong_wanted = 0
            frame_header(pong, OPCODE_PONG, tunnel.frames.control_len)
            memcpy(pong + 2, tunnel.frames.control, tunnel.frames.control_len)
            if not send_down(pump, tunnel, pong, 2 + tunnel.frames.control_len):
                return False
        elif tunnel.frames.closed:
            say_goodbye(pump, tunnel, tunnel.frames.close_code)
            return False
    return True


cdef void read_client(PumpState* pump, Tunnel* tunnel) noexcept nogil:
    """One chunk from the client, unless the engine still owes us room for the last."""
    cdef uint8_t* data = pump.scratch + FRAME_HEADER_BYTES_MAX
    cdef int got
    while tunnel.stage == STAGE_OPEN and tunnel.up.data == NULL and not tunnel.client_eof:
        got = client_read(tunnel, data, CHUNK_BYTES)
        if got == NOTHING:
            return
        if got == ENDED:
            tunnel.client_eof = 1
            break
        if not on_data(pump, tunnel, data, <uint32_t>got):
            return
        # A plain socket reports again what is left; OpenSSL keeps decrypted bytes that epoll cannot see.
        if not tunnel.has_tls or got < CHUNK_BYTES:
            break
    if tunnel.client_eof and tunnel.up.data == NULL and tunnel.stage == STAGE_OPEN:
        shutdown(tunnel.inner_fd, SHUT_WR)


cdef void tunnel_on_client(PumpState* pump, Tunnel* tunnel, uint32_t events) noexcept nogil:
    cdef int got
    if tunnel.stage == STAGE_DEAD:
        return
    if tunnel.stage == STAGE_PROXY:
        on_proxy(pump, tunnel)
    elif tunnel.stage == STAGE_HANDSHAKE:
        on_handshake(pump, tunnel)
        if tunnel.stage == STAGE_UPGRADE:
            on_upgrade(pump, tunnel)
        elif tunnel.stage == STAGE_OPEN:
            read_client(pump, tunnel)
    elif tunnel.stage == STAGE_UPGRADE:
        on_upgrade(pump, tunnel)
    else:
        tunnel.tls_wants_write = 0
        if not flush_down(pump, tunnel):
            return
        if tunnel.stage == STAGE_OPEN:
            while tunnel.inner_gone and tunnel.stage == STAGE_OPEN and tunnel.down.data == NULL:
                read_inner(pump, tunnel)
            if events & (EPOLLHUP | EPOLLERR) and (tunnel.up.data != NULL or tunnel.client_eof):
                # Nobody is left to read for, and epoll would report it for ever.
                tunnel_kill(pump, tunnel)
                return
            read_client(pump, tunnel)
        elif tunnel.stage == STAGE_CLOSING:
            finish_goodbye(pump, tunnel)
            if tunnel.stage == STAGE_CLOSING and events & (EPOLLIN | EPOLLHUP | EPOLLERR):
                # What the client still says is thrown away until its end.
                got = <int>recv(tunnel.client_fd, pump.scratch, CHUNK_BYTES, 0)
                if got == 0 or (got < 0 and errno != EAGAIN and errno != EINTR):
                    tunnel_kill(pump, tunnel)
    watch(pump, tunnel)


cdef void read_inner(PumpState* pump, Tunnel* tunnel) noexcept nogil:
    """One chunk from the engine to the client; the engine's end is our goodbye."""
    cdef uint8_t* data = pump.scratch + FRAME_HEADER_BYTES_MAX
    cdef uint8_t header[10]
    cdef uint32_t header_len = 0
    cdef ssize_t got = recv(tunnel.inner_fd, data, CHUNK_BYTES, 0)
    if got > 0:
        if tunnel.has_websocket:
            header_len = frame_header(header, OPCODE_BINARY, <uint64_t>got)
            memcpy(data - header_len, header, header_len)
        send_down(pump, tunnel, data - header_len, <uint32_t>got + header_len)
    elif got == 0 or (errno != EAGAIN and errno != EINTR):
        say_goodbye(pump, tunnel, 1000)


cdef void tunnel_on_inner(PumpState* pump, Tunnel* tunnel, uint32_t events) noexcept nogil:
    if tunnel.stage != STAGE_OPEN:
        return
    flush_up(pump, tunnel)
    if tunnel.down.data == NULL:
        if events & (EPOLLIN | EPOLLHUP | EPOLLERR):
            read_inner(pump, tunnel)
    elif events & (EPOLLHUP | EPOLLERR):
        # Closed, with words that the client has yet to take: epoll would report it for ever.
        tunnel.inner_gone = 1
        epoll_ctl(pump.epoll_fd, EPOLL_CTL_DEL, tunnel.inner_fd, NULL)
        set_deadline(pump, tunnel, pump.now_ms + LAST_WORDS_MS)
    if tunnel.stage == STAGE_OPEN:
        read_client(pump, tunnel)
    watch(pump, tunnel)


cdef void tunnel_on_deadline(PumpState* pump, Tunnel* tunnel) noexcept nogil:
    """Too slow in saying hello, or in answering goodbye."""
    tunnel_kill(pump, tunnel)
