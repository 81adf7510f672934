/* Messages: what a publisher sends and what comes back to both sides. */
#ifndef LOADGEN_TRAFFIC_H
#define LOADGEN_TRAFFIC_H

#include "run.h"

/* One send of a closed run. More does not lower the cost per message, but it would delay the
 * acknowledgements of the subscribers that wait behind it. */
#define BATCH_BYTES 65536u

/* Give a publisher its topics and its window, or a subscriber its flows. */
void traffic_prepare(struct run *run, struct client *client);

/* Let a publisher send up to `count_max` messages as its window allows; return how many it sent. */
uint32_t traffic_send(struct run *run, struct client *publisher, uint32_t count_max);

/* Read from a client and handle every complete packet. */
void traffic_read(struct run *run, struct client *client);

#endif
