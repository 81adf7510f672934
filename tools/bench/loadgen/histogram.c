#include "histogram.h"

/* Return the middle of a bucket, the best single guess for the samples in it. */
static uint64_t bucket_middle_ns(uint32_t bucket)
{
    if (bucket < (2u << HISTOGRAM_STEP_BITS))
        return bucket;
    uint32_t shift = (bucket >> HISTOGRAM_STEP_BITS) - 1;
    uint64_t low = (uint64_t)(bucket - (shift << HISTOGRAM_STEP_BITS)) << shift;
    return low + ((1ull << shift) >> 1);
}

uint64_t histogram_quantile(const struct histogram *h, double fraction)
{
    uint64_t wanted = (uint64_t)((double)h->count * fraction), passed = 0;

    if (h->count == 0)
        return 0;
    for (uint32_t i = 0; i < HISTOGRAM_BUCKET_COUNT; i++) {
        passed += h->buckets[i];
        if (passed > wanted) {
            uint64_t middle_ns = bucket_middle_ns(i);
            return middle_ns < h->max_ns ? middle_ns : h->max_ns;
        }
    }
    return h->max_ns;
}

void histogram_print(const struct histogram *h, FILE *out)
{
    double mean_ns = h->count ? (double)h->sum_ns / (double)h->count : 0.0;

    fprintf(out,
            "{\"count\": %llu, \"mean\": %.2f, \"p50\": %.2f, \"p90\": %.2f, \"p99\": %.2f, "
            "\"p999\": %.2f, \"max\": %.2f}",
            (unsigned long long)h->count, mean_ns / 1e3,
            (double)histogram_quantile(h, 0.5) / 1e3, (double)histogram_quantile(h, 0.9) / 1e3,
            (double)histogram_quantile(h, 0.99) / 1e3, (double)histogram_quantile(h, 0.999) / 1e3,
            (double)h->max_ns / 1e3);
}
