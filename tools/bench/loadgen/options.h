/* What one run of the load generator does. Every option is `--name value`; see options.c. */
#ifndef LOADGEN_OPTIONS_H
#define LOADGEN_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#define WINDOW_MAX 32768u       /* a slot of the window is a Packet Identifier, which has 16 bits */
#define PAYLOAD_BYTES_MIN 16u   /* publisher index, sequence number, send stamp */
#define PAYLOAD_BYTES_MAX (1u << 20)

enum mode {
    MODE_CLOSED,   /* as fast as the window allows: throughput, and an exact account of messages */
    MODE_PACED,    /* at a fixed rate: latency and cost per message */
    MODE_IDLE,     /* connections that say nothing: memory */
};

enum pattern {
    PATTERN_PAIRS,     /* publisher i to subscriber i, one topic each */
    PATTERN_FAN_IN,    /* all publishers to all subscribers through one wildcard */
    PATTERN_FAN_OUT,   /* all publishers to all subscribers through exact filters */
    PATTERN_FLAT,      /* pairs that cycle through many short topics, exact filters */
    PATTERN_DEEP,      /* pairs that cycle through many seven-level topics, wildcard filters */
};

struct options {
    uint16_t port;
    enum mode mode;
    enum pattern pattern;
    uint8_t protocol_level;        /* 4 is MQTT 3.1.1, 5 is MQTT 5.0 */
    uint8_t qos;
    uint32_t publisher_count;
    uint32_t subscriber_count;
    uint32_t payload_bytes;
    uint32_t window;               /* messages of one publisher that may be on their way */
    uint32_t filter_count;         /* of all subscribers together, in the flat and deep patterns */
    bool is_spinning;              /* poll without sleeping while traffic runs; see loop.c */
    double rate_per_s;             /* of all publishers together, in a paced run */
    double warmup_s;
    double duration_s;
    double drain_s;                /* longest wait for the last messages after a run */
    double setup_s;                /* longest wait until every client is connected and subscribed */
    uint32_t idle_count;
    uint32_t opening_max;          /* connections being opened at once; above a broker's backlog, the
                                      system drops some and they wait a second to try again */
    uint32_t storm_count;          /* clients that log in while a paced flow is measured */
    const char *username;          /* of the ordinary clients, or NULL */
    const char *password;          /* of every client that sends a User Name */
    const char *storm_prefix;      /* storm client k logs in as this prefix and k */
    const char *ca_file;           /* not NULL: use TLS and trust this authority */
};

/* Fill in the options from the command line; on a mistake say which and end the program. */
void options_parse(struct options *options, int argc, char **argv);

/* Return how many subscribers receive each message. */
uint32_t options_fan(const struct options *options);

/* Return through how many topics each publisher cycles. */
uint32_t options_topics_each(const struct options *options);

#endif
