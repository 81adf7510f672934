#include "flow.h"

#include <stdlib.h>
#include <string.h>

static void remember_hole(struct flow *flow, uint32_t first, uint32_t end)
{
    if (flow->holes == NULL) {
        flow->holes = calloc(FLOW_HOLES_MAX, sizeof *flow->holes);
        if (flow->holes == NULL)
            abort();
    }
    if (flow->hole_count == FLOW_HOLES_MAX) {
        flow->hole_count--;
        memmove(flow->holes, flow->holes + 1, flow->hole_count * sizeof *flow->holes);
    }
    flow->holes[flow->hole_count++] = (struct hole){first, end};
}

static enum arrival fill_hole(struct flow *flow, uint32_t sequence)
{
    for (uint32_t i = 0; i < flow->hole_count; i++) {
        struct hole *hole = &flow->holes[i];
        if (sequence < hole->first || sequence >= hole->end)
            continue;
        uint32_t first = hole->first, end = hole->end;
        flow->hole_count--;
        memmove(hole, hole + 1, (flow->hole_count - i) * sizeof *hole);
        if (first < sequence)
            remember_hole(flow, first, sequence);
        if (sequence + 1 < end)
            remember_hole(flow, sequence + 1, end);
        return ARRIVAL_REORDERED;
    }
    return ARRIVAL_DOUBLED;
}

enum arrival flow_arrive_odd(struct flow *flow, uint32_t sequence)
{
    if (sequence < flow->next)
        return fill_hole(flow, sequence);
    if (sequence > flow->next)
        remember_hole(flow, flow->next, sequence);
    flow->next = sequence + 1;
    return ARRIVAL_IN_ORDER;
}
