/* Sending: PUBLISH packets from prepared headers, in batches. */
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "clock.h"
#include "mqtt.h"
#include "topics.h"
#include "traffic.h"

static void prepare_header(const struct options *o, uint32_t publisher, uint32_t n,
                           struct publish_header *header)
{
    char name[TOPIC_BYTES_MAX];
    uint32_t name_bytes = topic_name(o, publisher, n, name);
    uint32_t variable_bytes = 2 + name_bytes + (o->qos ? 2 : 0) + (o->protocol_level == 5 ? 1 : 0);
    uint8_t *p;

    header->data = malloc(5 + variable_bytes);
    if (header->data == NULL)
        abort();
    header->data[0] = (uint8_t)(PUBLISH << 4 | o->qos << 1);
    p = mqtt_write_length(header->data + 1, variable_bytes + o->payload_bytes);
    p = write_u16(p, name_bytes);
    memcpy(p, name, name_bytes);
    p += name_bytes;
    header->packet_id_offset = (uint32_t)(p - header->data);
    if (o->qos)
        p += 2;
    if (o->protocol_level == 5)
        *p++ = 0;
    header->data_bytes = (uint32_t)(p - header->data);
}

void traffic_prepare(struct run *run, struct client *client)
{
    const struct options *o = &run->options;

    if (client->role == ROLE_SUBSCRIBER) {
        client->flows = calloc(o->publisher_count, sizeof *client->flows);
        if (client->flows == NULL)
            abort();
    } else if (client->role == ROLE_PUBLISHER) {
        /* A paced run has no window of its own: only the largest possible one, as a bound. */
        window_init(&client->window, o->mode == MODE_CLOSED ? o->window : WINDOW_MAX);
        client->header_count = options_topics_each(o);
        client->headers = calloc(client->header_count, sizeof *client->headers);
        if (client->headers == NULL)
            abort();
        for (uint32_t n = 0; n < client->header_count; n++)
            prepare_header(o, client->index, n, &client->headers[n]);
    }
}

/* Write one PUBLISH; return the byte after it. */
static uint8_t *write_publish(struct run *run, struct client *publisher, uint8_t *out,
                              uint16_t parts, uint64_t sent_mono_ns)
{
    const struct publish_header *header = &publisher->headers[publisher->header_next];
    struct identity identity = {.publisher = publisher->index, .sent_mono_ns = sent_mono_ns};
    uint32_t filler_bytes = run->options.payload_bytes - (uint32_t)sizeof identity;

    identity.sequence = window_take(&publisher->window, parts);
    memcpy(out, header->data, header->data_bytes);
    if (run->options.qos)
        write_u16(out + header->packet_id_offset,
                  window_packet_id(&publisher->window, identity.sequence));
    out += header->data_bytes;
    memcpy(out, &identity, sizeof identity);
    memcpy(out + sizeof identity, run->filler, filler_bytes);
    if (++publisher->header_next == publisher->header_count)
        publisher->header_next = 0;
    return out + sizeof identity + filler_bytes;
}

uint32_t traffic_send(struct run *run, struct client *publisher, uint32_t count_max)
{
    uint16_t parts = (uint16_t)(options_fan(&run->options) + (run->options.qos ? 1 : 0));
    uint32_t room = window_free(&publisher->window), count = 0;
    uint64_t sent_mono_ns = now_mono_ns();
    uint8_t *out = run->output;

    if (publisher->stage != STAGE_READY || link_has_pending(&publisher->link))
        return 0;
    if (room < count_max)
        count_max = room;
    while (count < count_max && out < run->output + BATCH_BYTES) {
        out = write_publish(run, publisher, out, parts, sent_mono_ns);
        count++;
    }
    if (count == 0)
        return 0;
    run->tally.sent += count;
    if (!link_write(&publisher->link, run->output, (size_t)(out - run->output)))
        client_gone(run, publisher, "connection lost while sending");
    else
        client_watch(run, publisher);
    return count;
}
