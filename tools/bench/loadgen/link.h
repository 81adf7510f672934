/* One TCP connection to the broker, with or without TLS, never blocking.
 *
 * Reads go into a buffer that all links share; only an incomplete packet is kept by the link.
 * Writes go straight to the socket; only what the socket refuses is kept. */
#ifndef LOADGEN_LINK_H
#define LOADGEN_LINK_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINK_READ_BYTES 65536u

struct bytes {
    uint8_t *data;
    size_t start;
    size_t end;
    size_t room;
};

struct link {
    int fd;
    SSL *tls;                /* NULL on a plain connection */
    bool tls_ready;
    bool awaits_writable;    /* the socket refused bytes: wait for EPOLLOUT */
    struct bytes stash;      /* the start of an incomplete packet */
    struct bytes pending;    /* bytes to send later */
};

/* Start to connect to 127.0.0.1; return false if the system refuses. */
bool link_open(struct link *link, uint16_t port, SSL_CTX *tls_context);

/* Go on with the TLS handshake: 1 done, 0 not yet, -1 failed. */
int link_handshake(struct link *link);

/* Read once into `into`; return the number of bytes, 0 if there are none now, -1 at the end. */
int64_t link_read(struct link *link, uint8_t *into, size_t room);

/* Send now what the socket takes and keep the rest; return false if the connection is gone. */
bool link_write(struct link *link, const uint8_t *data, size_t data_bytes);

/* Keep bytes for the next link_flush: small answers are sent together. */
void link_later(struct link *link, const uint8_t *data, size_t data_bytes);

/* Send what was kept; return false if the connection is gone. */
bool link_flush(struct link *link);

static inline bool link_has_pending(const struct link *link)
{
    return link->pending.start != link->pending.end;
}

void link_close(struct link *link);

/* Make the TLS context that trusts one authority, or end the program with a message. */
SSL_CTX *link_tls_context(const char *ca_file);

/* Append to a growing buffer. */
void bytes_append(struct bytes *bytes, const uint8_t *data, size_t data_bytes);

#endif
