/* Receiving: deliveries at subscribers, acknowledgements at both sides. */
#include <string.h>

#include "client.h"
#include "clock.h"
#include "mqtt.h"
#include "traffic.h"

static void settle(struct run *run, struct client *publisher, uint32_t sequence)
{
    if (window_settle(&publisher->window, sequence))
        mark_eager(run, publisher);
}

static void answer(struct run *run, struct client *client, enum packet_type type,
                   uint16_t packet_id)
{
    uint8_t packet[4];

    link_later(&client->link, packet, mqtt_write_ack(packet, type, packet_id));
    mark_dirty(run, client);
}

/* Account for one arrival and make room in its publisher's window. */
static void account(struct run *run, struct client *subscriber, const struct identity *identity,
                    uint64_t arrived_mono_ns)
{
    struct client *publisher = &run->publishers[identity->publisher];
    struct flow *flow = &subscriber->flows[identity->publisher];
    uint32_t expected = flow->next;

    switch (flow_arrive(flow, identity->sequence)) {
    case ARRIVAL_IN_ORDER:
        /* At QoS 0 nobody sends the skipped ones again, so do not hold the window for them. */
        for (; run->options.qos == 0 && expected != identity->sequence; expected++)
            settle(run, publisher, expected);
        settle(run, publisher, identity->sequence);
        break;
    case ARRIVAL_REORDERED:
        run->tally.reordered++;
        if (run->options.qos > 0)
            settle(run, publisher, identity->sequence);
        break;
    case ARRIVAL_DOUBLED:
        run->tally.doubled++;
        return;
    }
    run->tally.delivered++;
    if (run->is_measuring)
        histogram_add(&run->latency, arrived_mono_ns - identity->sent_mono_ns);
}

static void on_publish(struct run *run, struct client *client, const struct packet *packet,
                       uint64_t arrived_mono_ns)
{
    int64_t offset = mqtt_payload_offset(packet, run->options.protocol_level);
    uint8_t qos = packet->flags >> 1 & 3;
    struct identity identity;

    if (client->role != ROLE_SUBSCRIBER || offset < 0
        || packet->body_bytes - offset != run->options.payload_bytes) {
        run->tally.malformed++;
        return;
    }
    memcpy(&identity, packet->body + offset, sizeof identity);
    if (identity.publisher >= run->options.publisher_count) {
        run->tally.malformed++;
        return;
    }
    account(run, client, &identity, arrived_mono_ns);
    if (qos) {
        uint16_t packet_id = read_u16(packet->body + 2 + read_u16(packet->body));
        answer(run, client, qos == 1 ? PUBACK : PUBREC, packet_id);
    }
}

/* PUBACK, PUBREC, PUBREL or PUBCOMP. */
static void on_ack(struct run *run, struct client *client, const struct packet *packet)
{
    if (packet->body_bytes < 2) {
        run->tally.malformed++;
        return;
    }
    uint16_t packet_id = read_u16(packet->body);
    bool failed = packet->body_bytes > 2 && packet->body[2] >= 0x80;
    if (packet->type == PUBREL) {
        answer(run, client, PUBCOMP, packet_id);
    } else if (packet->type == PUBREC && !failed) {
        answer(run, client, PUBREL, packet_id);
    } else if (client->role == ROLE_PUBLISHER) {
        run->tally.refused += failed;
        run->tally.acknowledged += !failed;
        settle(run, client, window_sequence(&client->window, packet_id));
    }
}

static void on_packet(struct run *run, struct client *client, const struct packet *packet,
                      uint64_t arrived_mono_ns)
{
    if (packet->type == PUBLISH && client->stage >= STAGE_SUBSCRIBING)
        on_publish(run, client, packet, arrived_mono_ns);
    else if (client->stage < STAGE_READY)
        client_login_packet(run, client, packet);
    else if (packet->type >= PUBACK && packet->type <= PUBCOMP)
        on_ack(run, client, packet);
    else if (packet->type == DISCONNECT)
        client_gone(run, client, "the broker sent DISCONNECT");
}

/* Handle the complete packets among these bytes; return how many bytes they had, -1 if the client
 * is gone. */
static int64_t consume(struct run *run, struct client *client, const uint8_t *data,
                       size_t data_bytes, uint64_t arrived_mono_ns)
{
    struct packet packet;
    size_t used = 0;

    while (used < data_bytes) {
        int64_t packet_bytes = mqtt_next(data + used, data_bytes - used, &packet);
        if (packet_bytes == 0)
            break;
        if (packet_bytes < 0)
            client_gone(run, client, "malformed packet");
        else
            on_packet(run, client, &packet, arrived_mono_ns);
        if (client->stage == STAGE_GONE)
            return -1;
        used += (size_t)packet_bytes;
    }
    return (int64_t)used;
}

/* Read once; return false when there is nothing more to do now. */
static bool read_once(struct run *run, struct client *client)
{
    struct bytes *stash = &client->link.stash;
    size_t have = stash->end;

    if (have + LINK_READ_BYTES > run->input_room) {
        client_gone(run, client, "the broker sent a packet larger than any that was published");
        return false;
    }
    /* The incomplete packet of last time goes in front, so that each packet is in one piece. */
    if (have)
        memcpy(run->input, stash->data, have);
    int64_t got = link_read(&client->link, run->input + have, LINK_READ_BYTES);
    if (got < 0) {
        client_gone(run, client, "the broker closed the connection");
        return false;
    }
    if (got == 0)
        return false;
    have += (size_t)got;
    int64_t used = consume(run, client, run->input, have, now_mono_ns());
    if (used < 0)
        return false;
    stash->start = stash->end = 0;
    if (have > (size_t)used)
        bytes_append(stash, run->input + used, have - (size_t)used);
    /* Bytes that OpenSSL has taken from the socket would not wake epoll again. */
    return client->link.tls != NULL && SSL_has_pending(client->link.tls);
}

void traffic_read(struct run *run, struct client *client)
{
    while (read_once(run, client)) {
    }
}
