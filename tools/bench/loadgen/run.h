/* The state of one run: every client, what is being counted, and what the loop has to do next. */
#ifndef LOADGEN_RUN_H
#define LOADGEN_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "flow.h"
#include "histogram.h"
#include "link.h"
#include "options.h"
#include "window.h"

enum role { ROLE_SUBSCRIBER, ROLE_PUBLISHER, ROLE_IDLE, ROLE_STORM };

enum stage {
    STAGE_NEW,
    STAGE_CONNECTING,       /* TCP and TLS */
    STAGE_LOGIN,            /* CONNECT sent */
    STAGE_SUBSCRIBING,
    STAGE_READY,
    STAGE_REFUSED,          /* CONNACK said no */
    STAGE_GONE,             /* the connection ended */
};

/* The bytes of a PUBLISH up to its payload; only the Packet Identifier differs between messages. */
struct publish_header {
    uint8_t *data;
    uint32_t data_bytes;
    uint32_t packet_id_offset;
};

struct client {
    struct link link;
    enum role role;
    enum stage stage;
    uint32_t index;                  /* among the clients of its role */
    uint32_t epoll_events;           /* what epoll is told to wait for */
    bool is_dirty;                   /* in run->dirty */
    bool is_eager;                   /* in run->eager */
    uint32_t filters_done;
    uint64_t opened_mono_ns;
    struct flow *flows;              /* of a subscriber, by publisher */
    struct window window;            /* of a publisher */
    struct publish_header *headers;  /* of a publisher, by topic */
    uint32_t header_count;
    uint32_t header_next;
};

struct client_list {
    struct client **items;
    uint32_t count;
};

/* Clients that are opened in order, a bounded number at a time. */
struct opener {
    struct client *clients;
    uint32_t count;
    uint32_t begun;
    uint32_t ready;
    uint32_t failed;
};

struct tally {
    uint64_t sent;
    uint64_t delivered;              /* unique deliveries */
    uint64_t acknowledged;           /* publishes that the broker has acknowledged in full */
    uint64_t doubled;
    uint64_t reordered;
    uint64_t given_up;               /* times a run stood still for a second and went on */
    uint64_t malformed;
    uint64_t refused;                /* acknowledgements with a failure Reason Code */
    uint64_t disconnects;
};

struct run {
    struct options options;
    int epoll_fd;
    int timer_fd;
    SSL_CTX *tls_context;
    struct client *clients;
    uint32_t client_count;
    struct client *subscribers;      /* three parts of `clients` */
    struct client *publishers;
    struct client *extras;           /* idle or storm clients */
    struct opener setup;
    struct opener storm;
    struct client_list dirty;        /* clients with bytes for the end of this turn */
    struct client_list eager;        /* publishers that may send */
    uint8_t *input;                  /* shared by all links */
    size_t input_room;
    uint8_t *output;                 /* one batch of a publisher */
    uint8_t *filler;                 /* random payload bytes: nobody gains by compressing */
    uint64_t now_mono_ns;            /* at the start of this turn */
    bool is_sending;
    bool is_measuring;
    bool is_unfinished;              /* the broker was still delivering when the run ended */
    bool is_closing;                 /* clients that go now are no failure */
    struct tally tally;
    struct histogram latency;        /* from send to arrival, while measuring */
    struct histogram lateness;       /* of paced sends: how late this program itself was */
    struct histogram login;          /* from connect() to CONNACK, of storm clients */
};

/* Print a message and end the program with status 1. */
_Noreturn void run_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

static inline void mark_dirty(struct run *run, struct client *client)
{
    if (!client->is_dirty) {
        client->is_dirty = true;
        run->dirty.items[run->dirty.count++] = client;
    }
}

/* In a paced run the clock alone decides who sends. */
static inline void mark_eager(struct run *run, struct client *client)
{
    if (!client->is_eager && run->options.mode == MODE_CLOSED) {
        client->is_eager = true;
        run->eager.items[run->eager.count++] = client;
    }
}

#endif
