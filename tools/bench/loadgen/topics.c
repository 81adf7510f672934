#include "topics.h"

#include <stdio.h>

/* The deep tree looks like a factory: four halls with eight lines each, and cells below. A cell's
 * number is unique in the whole tree, so a filter may put wildcards at any other level and still
 * match this cell alone, while the broker has to look down every branch that the wildcards open. */
#define HALL_COUNT 4
#define LINE_COUNT 8

static uint32_t deep_name(uint32_t site, uint32_t n, uint32_t each, char *out)
{
    return (uint32_t)snprintf(out, TOPIC_BYTES_MAX, "plant/site%u/hall%u/line%u/cell%u/unit%u/temp",
                              site, n % HALL_COUNT, n % LINE_COUNT, site * each + n, n % 3);
}

static uint32_t deep_filter(uint32_t site, uint32_t n, uint32_t each, char *out)
{
    uint32_t hall = n % HALL_COUNT, line = n % LINE_COUNT, unit = n % 3, cell = site * each + n;

    /* The shape must not follow from the hall, or a hall would hold one shape only. */
    switch ((n / HALL_COUNT) % 4) {
    case 0:
        return (uint32_t)snprintf(out, TOPIC_BYTES_MAX, "plant/+/hall%u/line%u/cell%u/+/temp",
                                  hall, line, cell);
    case 1:
        return (uint32_t)snprintf(out, TOPIC_BYTES_MAX, "plant/site%u/+/line%u/cell%u/#",
                                  site, line, cell);
    case 2:
        return (uint32_t)snprintf(out, TOPIC_BYTES_MAX, "plant/site%u/hall%u/+/cell%u/unit%u/+",
                                  site, hall, cell, unit);
    default:
        return (uint32_t)snprintf(out, TOPIC_BYTES_MAX, "+/site%u/+/+/cell%u/#", site, cell);
    }
}

uint32_t topic_name(const struct options *o, uint32_t publisher, uint32_t n,
                    char out[TOPIC_BYTES_MAX])
{
    switch (o->pattern) {
    case PATTERN_PAIRS: return (uint32_t)snprintf(out, TOPIC_BYTES_MAX, "pair/%u", publisher);
    case PATTERN_FAN_IN: return (uint32_t)snprintf(out, TOPIC_BYTES_MAX, "in/%u", publisher);
    case PATTERN_FAN_OUT: return (uint32_t)snprintf(out, TOPIC_BYTES_MAX, "out");
    case PATTERN_FLAT: return (uint32_t)snprintf(out, TOPIC_BYTES_MAX, "flat%u/%u", publisher, n);
    case PATTERN_DEEP: return deep_name(publisher, n, options_topics_each(o), out);
    }
    return 0;
}

uint32_t topic_filter(const struct options *o, uint32_t subscriber, uint32_t n,
                      char out[TOPIC_BYTES_MAX])
{
    switch (o->pattern) {
    case PATTERN_FAN_IN: return (uint32_t)snprintf(out, TOPIC_BYTES_MAX, "in/+");
    case PATTERN_DEEP: return deep_filter(subscriber, n, options_topics_each(o), out);
    default: return topic_name(o, subscriber, n, out);
    }
}
