/* The life of one client outside the traffic: connect, log in, subscribe, go. */
#ifndef LOADGEN_CLIENT_H
#define LOADGEN_CLIENT_H

#include "mqtt.h"
#include "run.h"

/* Open the next clients of a list, as many as the limit allows; return true if more can be opened
 * at once in the next turn. */
bool opener_step(struct run *run, struct opener *opener);

static inline bool opener_done(const struct opener *opener)
{
    return opener->ready + opener->failed == opener->count;
}

/* Handle what epoll said about a client. */
void client_event(struct run *run, struct client *client, uint32_t events);

/* Handle a packet that arrives before the client is ready. */
void client_login_packet(struct run *run, struct client *client, const struct packet *packet);

/* Send what a client has kept, and tell epoll if the socket is full. */
void client_flush(struct run *run, struct client *client);

/* Bring what epoll waits for up to date with the link. */
void client_watch(struct run *run, struct client *client);

/* The connection is over; count it unless the run is closing. */
void client_gone(struct run *run, struct client *client, const char *why);

/* Send DISCONNECT and close. */
void client_close(struct run *run, struct client *client);

#endif
