/* Latencies in buckets whose width grows with the value: 64 steps for each power of two, so that a
 * percentile read from the buckets is within 1.6 % of the true value, at any scale, in 30 KB. */
#ifndef LOADGEN_HISTOGRAM_H
#define LOADGEN_HISTOGRAM_H

#include <stdint.h>
#include <stdio.h>

#define HISTOGRAM_STEP_BITS 6
#define HISTOGRAM_BUCKET_COUNT ((64 - HISTOGRAM_STEP_BITS + 1) << HISTOGRAM_STEP_BITS)

struct histogram {
    uint64_t count;
    uint64_t sum_ns;
    uint64_t max_ns;
    uint64_t buckets[HISTOGRAM_BUCKET_COUNT];
};

/* Return the bucket of a value: the value itself below 64, else its exponent and top 6 bits. */
static inline uint32_t histogram_bucket(uint64_t value_ns)
{
    if (value_ns < (1u << HISTOGRAM_STEP_BITS))
        return (uint32_t)value_ns;
    uint32_t shift = 63 - (uint32_t)__builtin_clzll(value_ns) - HISTOGRAM_STEP_BITS;
    return (shift << HISTOGRAM_STEP_BITS) + (uint32_t)(value_ns >> shift);
}

static inline void histogram_add(struct histogram *h, uint64_t value_ns)
{
    h->count++;
    h->sum_ns += value_ns;
    if (value_ns > h->max_ns)
        h->max_ns = value_ns;
    h->buckets[histogram_bucket(value_ns)]++;
}

/* Return the value in nanoseconds below which the given fraction (0 to 1) of the samples lie. */
uint64_t histogram_quantile(const struct histogram *h, double fraction);

/* Write the histogram as a JSON object of microseconds: count, mean, p50, p90, p99, p999, max. */
void histogram_print(const struct histogram *h, FILE *out);

#endif
