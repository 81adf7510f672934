/* The account of one publisher's messages at one subscriber: what is missing, doubled, reordered. */
#ifndef LOADGEN_FLOW_H
#define LOADGEN_FLOW_H

#include <stdbool.h>
#include <stdint.h>

/* More holes than this at a time are closed as lost, oldest first; if such a message comes after
 * all, it counts as doubled. No broker under test has come near. */
#define FLOW_HOLES_MAX 64

struct hole {
    uint32_t first;
    uint32_t end;       /* one past the last missing sequence number */
};

struct flow {
    uint32_t next;              /* one past the highest sequence number seen */
    uint32_t hole_count;
    struct hole *holes;         /* allocated at the first gap: most flows never need it */
};

enum arrival {
    ARRIVAL_IN_ORDER,
    ARRIVAL_REORDERED,          /* a newer message of the same publisher came before */
    ARRIVAL_DOUBLED,
};

/* The rare cases of flow_arrive. */
enum arrival flow_arrive_odd(struct flow *flow, uint32_t sequence);

/* Note one arrival. After a jump forward the skipped numbers are [old next, sequence). */
static inline enum arrival flow_arrive(struct flow *flow, uint32_t sequence)
{
    if (sequence == flow->next) {
        flow->next++;
        return ARRIVAL_IN_ORDER;
    }
    return flow_arrive_odd(flow, sequence);
}

#endif
