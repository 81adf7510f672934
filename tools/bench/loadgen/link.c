#include "link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void bytes_append(struct bytes *b, const uint8_t *data, size_t data_bytes)
{
    if (b->start == b->end)
        b->start = b->end = 0;
    if (b->end + data_bytes > b->room) {
        b->room = (b->end + data_bytes) * 2;
        b->data = realloc(b->data, b->room);
        if (b->data == NULL)
            abort();
    }
    memcpy(b->data + b->end, data, data_bytes);
    b->end += data_bytes;
}

bool link_open(struct link *link, uint16_t port, SSL_CTX *tls_context)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int one = 1;

    *link = (struct link){.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    if (link->fd < 0)
        return false;
    setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (tls_context != NULL) {
        link->tls = SSL_new(tls_context);
        SSL_set_fd(link->tls, link->fd);
        SSL_set_connect_state(link->tls);
    }
    return connect(link->fd, (struct sockaddr *)&address, sizeof address) == 0
        || errno == EINPROGRESS;
}

/* Say what a failed OpenSSL call means: 0 come back later, -1 the connection is over. */
static int tls_verdict(struct link *link, int result)
{
    int error = SSL_get_error(link->tls, result);

    ERR_clear_error();
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

int link_handshake(struct link *link)
{
    if (link->tls == NULL || link->tls_ready)
        return 1;
    int result = SSL_do_handshake(link->tls);
    if (result != 1)
        return tls_verdict(link, result);
    link->tls_ready = true;
    return 1;
}

/* One SSL_read returns one record of at most 16 KiB, so go on until the buffer is full. */
static int64_t tls_read(struct link *link, uint8_t *into, size_t room)
{
    size_t have = 0;

    while (have < room) {
        int got = SSL_read(link->tls, into + have, (int)(room - have));
        if (got > 0)
            have += (size_t)got;
        else if (tls_verdict(link, got) == 0)
            break;
        else
            return have ? (int64_t)have : -1;
    }
    return (int64_t)have;
}

int64_t link_read(struct link *link, uint8_t *into, size_t room)
{
    if (link->tls != NULL)
        return tls_read(link, into, room);
    ssize_t got = recv(link->fd, into, room, 0);
    if (got > 0)
        return got;
    return got < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

/* Return how many bytes the connection took, or -1 if it is gone. */
static int64_t write_some(struct link *link, const uint8_t *data, size_t data_bytes)
{
    if (link->tls == NULL) {
        ssize_t sent = send(link->fd, data, data_bytes, MSG_NOSIGNAL);
        if (sent >= 0)
            return sent;
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    }
    size_t done = 0;
    while (done < data_bytes) {
        int sent = SSL_write(link->tls, data + done, (int)(data_bytes - done));
        if (sent <= 0)
            return tls_verdict(link, sent) == 0 ? (int64_t)done : -1;
        done += (size_t)sent;
    }
    return (int64_t)done;
}

bool link_write(struct link *link, const uint8_t *data, size_t data_bytes)
{
    if (link_has_pending(link)) {
        bytes_append(&link->pending, data, data_bytes);
        return link_flush(link);
    }
    int64_t sent = write_some(link, data, data_bytes);
    if (sent < 0)
        return false;
    if ((size_t)sent < data_bytes) {
        bytes_append(&link->pending, data + sent, data_bytes - (size_t)sent);
        link->awaits_writable = true;
    }
    return true;
}

void link_later(struct link *link, const uint8_t *data, size_t data_bytes)
{
    bytes_append(&link->pending, data, data_bytes);
}

bool link_flush(struct link *link)
{
    struct bytes *pending = &link->pending;

    if (!link_has_pending(link))
        return true;
    int64_t sent = write_some(link, pending->data + pending->start, pending->end - pending->start);
    if (sent < 0)
        return false;
    pending->start += (size_t)sent;
    link->awaits_writable = link_has_pending(link);
    return true;
}

void link_close(struct link *link)
{
    if (link->tls != NULL)
        SSL_free(link->tls);
    if (link->fd >= 0)
        close(link->fd);
    free(link->stash.data);
    free(link->pending.data);
    *link = (struct link){.fd = -1};
}

SSL_CTX *link_tls_context(const char *ca_file)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());

    if (context == NULL || SSL_CTX_load_verify_locations(context, ca_file, NULL) != 1) {
        fprintf(stderr, "loadgen: --ca %s: must be a PEM file with a certificate\n", ca_file);
        exit(2);
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    /* Pending bytes move when their buffer grows, and a partial write is a normal event here. */
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
                                  | SSL_MODE_RELEASE_BUFFERS);
    return context;
}
