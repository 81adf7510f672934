/* The event loop and the phases of a run. */
#ifndef LOADGEN_LOOP_H
#define LOADGEN_LOOP_H

#include "run.h"

/* Where a counted stretch began or ended. */
struct mark {
    uint64_t mono_ns;
    uint64_t cpu_ns;          /* of this program */
    struct tally tally;
};

/* Connect and subscribe every ordinary client, or end the program. */
void loop_setup(struct run *run);

/* Hold idle connections until standard input ends. */
void loop_hold(struct run *run);

/* Warm up, measure between the two marks, and wait for the last messages. */
void loop_traffic(struct run *run, struct mark *begin, struct mark *end);

/* Tell the harness, on standard output, that a phase has begun. */
void loop_announce(const char *phase);

#endif
