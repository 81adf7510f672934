#include "client.h"

#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "clock.h"
#include "topics.h"
#include "traffic.h"

/* Opening is slow work for this thread; a few at a time keep a measured flow on schedule. */
#define OPEN_PER_TURN 2u

/* Brokers bound the size of a SUBSCRIBE; fifty short filters fit everywhere. */
#define FILTERS_PER_SUBSCRIBE 50u

static struct opener *opener_of(struct run *run, const struct client *client)
{
    return client->role == ROLE_STORM ? &run->storm : &run->setup;
}

static void send_connect(struct run *run, struct client *client)
{
    static const char letters[] = {'s', 'p', 'i', 'x'};
    const struct options *o = &run->options;
    const char *username = o->username;
    char client_id[32], storm_name[64];
    uint8_t packet[512];

    /* The process id keeps clients of two runs apart, should the broker remember the first. */
    snprintf(client_id, sizeof client_id, "b%d%c%u", (int)getpid() % 100000,
             letters[client->role], client->index);
    if (client->role == ROLE_STORM) {
        snprintf(storm_name, sizeof storm_name, "%.40s%u", o->storm_prefix, client->index);
        username = storm_name;
    }
    size_t packet_bytes = mqtt_write_connect(packet, o->protocol_level, client_id, username,
                                             o->password);
    client->stage = STAGE_LOGIN;
    link_later(&client->link, packet, packet_bytes);
    mark_dirty(run, client);
}

static void send_subscribe(struct run *run, struct client *client)
{
    const struct options *o = &run->options;
    uint8_t body[FILTERS_PER_SUBSCRIBE * (TOPIC_BYTES_MAX + 3) + 3], header[5] = {0x82}, *p = body;
    uint32_t first = client->filters_done, each = options_topics_each(o);

    p = write_u16(p, 1);
    if (o->protocol_level == 5)
        *p++ = 0;
    for (uint32_t n = first; n < each && n < first + FILTERS_PER_SUBSCRIBE; n++) {
        uint32_t filter_bytes = topic_filter(o, client->index, n, (char *)p + 2);
        write_u16(p, filter_bytes);
        p += 2 + filter_bytes;
        *p++ = o->qos;
    }
    uint8_t *header_end = mqtt_write_length(header + 1, (uint32_t)(p - body));
    client->stage = STAGE_SUBSCRIBING;
    link_later(&client->link, header, (size_t)(header_end - header));
    link_later(&client->link, body, (size_t)(p - body));
    mark_dirty(run, client);
}

static void become_ready(struct run *run, struct client *client)
{
    client->stage = STAGE_READY;
    opener_of(run, client)->ready++;
    if (client->role == ROLE_STORM)
        histogram_add(&run->login, now_mono_ns() - client->opened_mono_ns);
}

static void on_connack(struct run *run, struct client *client, const struct packet *packet)
{
    if (packet->body_bytes < 2 || packet->body[1] != 0) {
        client->stage = STAGE_REFUSED;
        opener_of(run, client)->failed++;
        if (client->role != ROLE_STORM)
            run_fail("CONNACK refuses a client with code %d",
                     packet->body_bytes < 2 ? -1 : packet->body[1]);
    } else if (client->role == ROLE_SUBSCRIBER) {
        send_subscribe(run, client);
    } else {
        become_ready(run, client);
    }
}

static void on_suback(struct run *run, struct client *client, const struct packet *packet)
{
    uint32_t offset = run->options.protocol_level == 5 ? 3 : 2;

    for (uint32_t i = offset; i < packet->body_bytes; i++, client->filters_done++)
        if (packet->body[i] != run->options.qos)
            run_fail("SUBACK grants 0x%02x instead of QoS %u", packet->body[i], run->options.qos);
    if (client->filters_done < options_topics_each(&run->options))
        send_subscribe(run, client);
    else
        become_ready(run, client);
}

void client_login_packet(struct run *run, struct client *client, const struct packet *packet)
{
    if (client->stage == STAGE_LOGIN && packet->type == CONNACK)
        on_connack(run, client, packet);
    else if (client->stage == STAGE_SUBSCRIBING && packet->type == SUBACK)
        on_suback(run, client, packet);
    else
        client_gone(run, client, "unexpected packet during login");
}

static void client_open(struct run *run, struct client *client)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = client};

    client->stage = STAGE_CONNECTING;
    client->opened_mono_ns = now_mono_ns();
    client->epoll_events = event.events;
    if (!link_open(&client->link, run->options.port, run->tls_context))
        client_gone(run, client, "cannot connect");
    else
        epoll_ctl(run->epoll_fd, EPOLL_CTL_ADD, client->link.fd, &event);
}

bool opener_step(struct run *run, struct opener *opener)
{
    for (uint32_t i = 0; i < OPEN_PER_TURN && opener->begun < opener->count; i++) {
        if (opener->begun - opener->ready - opener->failed >= run->options.opening_max)
            return false;
        client_open(run, &opener->clients[opener->begun++]);
    }
    return opener->begun < opener->count;
}

void client_watch(struct run *run, struct client *client)
{
    uint32_t wanted = EPOLLIN | (client->link.awaits_writable ? EPOLLOUT : 0u);
    struct epoll_event event = {.events = wanted, .data.ptr = client};

    if (wanted != client->epoll_events) {
        client->epoll_events = wanted;
        epoll_ctl(run->epoll_fd, EPOLL_CTL_MOD, client->link.fd, &event);
    }
}

void client_flush(struct run *run, struct client *client)
{
    if (!link_flush(&client->link))
        client_gone(run, client, "connection lost while sending");
    else
        client_watch(run, client);
}

void client_event(struct run *run, struct client *client, uint32_t events)
{
    if (client->stage == STAGE_CONNECTING) {
        int done = events & (EPOLLERR | EPOLLHUP) ? -1 : link_handshake(&client->link);
        if (done < 0)
            client_gone(run, client, "cannot connect");
        else if (done == 1)
            send_connect(run, client);
        if (done != 0)
            return;
        client_watch(run, client);   /* a TLS handshake goes on when the broker answers */
        return;
    }
    if (client->stage == STAGE_GONE)
        return;
    if (events & EPOLLOUT) {
        client_flush(run, client);
        if (client->role == ROLE_PUBLISHER && client->stage == STAGE_READY)
            mark_eager(run, client);
    }
    if (client->stage != STAGE_GONE && events & (EPOLLIN | EPOLLERR | EPOLLHUP))
        traffic_read(run, client);
}

void client_gone(struct run *run, struct client *client, const char *why)
{
    if (client->stage == STAGE_GONE)
        return;
    bool was_refused = client->stage == STAGE_REFUSED, was_ready = client->stage == STAGE_READY;
    client->stage = STAGE_GONE;
    link_close(&client->link);
    if (run->is_closing || was_refused)
        return;
    if (client->role == ROLE_STORM && !was_ready) {
        run->storm.failed++;
        return;
    }
    if (!was_ready)
        run_fail("client %u of role %d: %s", client->index, (int)client->role, why);
    run->tally.disconnects++;
}

void client_close(struct run *run, struct client *client)
{
    static const uint8_t disconnect[] = {DISCONNECT << 4, 0};

    if (client->stage == STAGE_READY)
        link_write(&client->link, disconnect, sizeof disconnect);
    if (client->stage != STAGE_NEW)
        client_gone(run, client, "closed");
}
