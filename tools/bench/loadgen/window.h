/* The end-to-end window of one publisher: which of its messages are still on their way.
 *
 * A message stays in the window until every subscriber has it and, above QoS 0, until the broker has
 * finished the acknowledgement. So the generator can never outrun the receivers without limit, at
 * any QoS, and a broker gains nothing by acknowledging early and queueing.
 *
 * The window slides: sequence number n may be sent once n - size is through. A slot is also the
 * Packet Identifier (slot + 1), which is therefore never in use twice. */
#ifndef LOADGEN_WINDOW_H
#define LOADGEN_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

struct window {
    uint16_t *parts_left;    /* by slot: deliveries and acknowledgements still to come */
    uint32_t mask;           /* slots - 1; the number of slots is a power of two */
    uint32_t size;
    uint32_t oldest;         /* sequence number of the oldest message on its way */
    uint32_t next;           /* sequence number of the next message */
};

void window_init(struct window *window, uint32_t size);

static inline uint32_t window_free(const struct window *window)
{
    return window->size - (window->next - window->oldest);
}

/* Take the next sequence number into the window. There must be room. */
static inline uint32_t window_take(struct window *window, uint16_t parts)
{
    window->parts_left[window->next & window->mask] = parts;
    return window->next++;
}

static inline uint16_t window_packet_id(const struct window *window, uint32_t sequence)
{
    return (uint16_t)((sequence & window->mask) + 1);
}

/* Return the sequence number on its way that has this Packet Identifier. */
static inline uint32_t window_sequence(const struct window *window, uint16_t packet_id)
{
    return window->oldest + ((packet_id - 1u - window->oldest) & window->mask);
}

/* One part of a message is done; return true if that made room in the window. */
static inline bool window_settle(struct window *window, uint32_t sequence)
{
    uint16_t *left = &window->parts_left[sequence & window->mask];

    if (sequence - window->oldest >= window->next - window->oldest || *left == 0)
        return false;   /* a late or unknown answer: the message was given up before */
    if (--*left != 0 || sequence != window->oldest)
        return false;
    do
        window->oldest++;
    while (window->oldest != window->next
           && window->parts_left[window->oldest & window->mask] == 0);
    return true;
}

/* Give up everything on its way, so that a run with losses can go on. */
static inline void window_give_up(struct window *window)
{
    window->oldest = window->next;
}

#endif
