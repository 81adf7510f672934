#include "mqtt.h"

#include <string.h>

uint8_t *mqtt_write_length(uint8_t *out, uint32_t value)
{
    while (value > 127) {
        *out++ = (uint8_t)(value | 128);
        value >>= 7;
    }
    *out++ = (uint8_t)value;
    return out;
}

static uint8_t *write_string(uint8_t *out, const char *text)
{
    size_t text_bytes = strlen(text);

    out = write_u16(out, (uint32_t)text_bytes);
    memcpy(out, text, text_bytes);
    return out + text_bytes;
}

int64_t mqtt_payload_offset(const struct packet *packet, uint8_t protocol_level)
{
    uint32_t offset, properties = 0;

    if (packet->body_bytes < 2)
        return -1;
    offset = 2u + read_u16(packet->body) + (packet->flags & 6 ? 2 : 0);
    if (protocol_level == 5) {
        for (uint32_t shift = 0;; shift += 7) {
            if (shift > 21 || offset >= packet->body_bytes)
                return -1;
            uint8_t byte = packet->body[offset++];
            properties |= (uint32_t)(byte & 127) << shift;
            if (byte < 128)
                break;
        }
        offset += properties;
    }
    return offset <= packet->body_bytes ? (int64_t)offset : -1;
}

size_t mqtt_write_connect(uint8_t *out, uint8_t protocol_level, const char *client_id,
                          const char *username, const char *password)
{
    /* Client ids are made by client.c and names come from the harness: all are short. */
    uint8_t body[512], *p = body;

    p = write_string(p, "MQTT");
    *p++ = protocol_level;
    *p++ = (uint8_t)(2 | (username ? 0xC0 : 0));
    p = write_u16(p, 0);
    if (protocol_level == 5)
        *p++ = 0;
    p = write_string(p, client_id);
    if (username) {
        p = write_string(p, username);
        p = write_string(p, password);
    }
    out[0] = CONNECT << 4;
    uint8_t *start = mqtt_write_length(out + 1, (uint32_t)(p - body));
    memcpy(start, body, (size_t)(p - body));
    return (size_t)(start - out) + (size_t)(p - body);
}
