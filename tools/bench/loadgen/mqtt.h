/* The few MQTT packets that a load generator writes and reads. Bytes only, no sockets. */
#ifndef LOADGEN_MQTT_H
#define LOADGEN_MQTT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum packet_type {
    CONNECT = 1, CONNACK = 2, PUBLISH = 3, PUBACK = 4, PUBREC = 5, PUBREL = 6, PUBCOMP = 7,
    SUBSCRIBE = 8, SUBACK = 9, PINGRESP = 13, DISCONNECT = 14,
};

/* One packet found in a stream of bytes. */
struct packet {
    uint8_t type;
    uint8_t flags;
    const uint8_t *body;        /* what follows the fixed header */
    uint32_t body_bytes;
};

/* What every payload begins with, in the byte order of this machine: it never leaves it. */
struct identity {
    uint32_t publisher;
    uint32_t sequence;
    uint64_t sent_mono_ns;
};

static inline uint16_t read_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint8_t *write_u16(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
    return p + 2;
}

/* Find the first packet; return its whole length, 0 if more bytes are needed, -1 if malformed. */
static inline int64_t mqtt_next(const uint8_t *data, size_t data_bytes, struct packet *packet)
{
    uint32_t remaining = 0, header = 1;

    for (uint32_t shift = 0;; shift += 7) {
        if (shift > 21)
            return -1;
        if (header >= data_bytes)
            return 0;
        uint8_t byte = data[header++];
        remaining |= (uint32_t)(byte & 127) << shift;
        if (byte < 128)
            break;
    }
    if (data_bytes - header < remaining)
        return 0;
    packet->type = data[0] >> 4;
    packet->flags = data[0] & 15;
    packet->body = data + header;
    packet->body_bytes = remaining;
    return (int64_t)header + remaining;
}

/* Return where the payload of a PUBLISH starts in its body, or -1 if the body is too short. */
int64_t mqtt_payload_offset(const struct packet *packet, uint8_t protocol_level);

/* Write a variable byte integer; return the byte after it. */
uint8_t *mqtt_write_length(uint8_t *out, uint32_t value);

/* Write a CONNECT with Clean Session and Keep Alive 0; return its length in bytes. */
size_t mqtt_write_connect(uint8_t *out, uint8_t protocol_level, const char *client_id,
                          const char *username, const char *password);

/* Write the four bytes of PUBACK, PUBREC, PUBREL or PUBCOMP. */
static inline size_t mqtt_write_ack(uint8_t *out, enum packet_type type, uint16_t packet_id)
{
    out[0] = (uint8_t)(type << 4 | (type == PUBREL ? 2 : 0));
    out[1] = 2;
    write_u16(out + 2, packet_id);
    return 4;
}

#endif
