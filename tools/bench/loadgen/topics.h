/* Topic Names and Topic Filters of each pattern. In every pattern one Topic Name matches exactly one
 * filter of each subscriber it is meant for, so no broker may deliver a message twice. */
#ifndef LOADGEN_TOPICS_H
#define LOADGEN_TOPICS_H

#include "options.h"

#define TOPIC_BYTES_MAX 128

/* Write the n-th Topic Name of a publisher; return its length in bytes. */
uint32_t topic_name(const struct options *options, uint32_t publisher, uint32_t n,
                    char out[TOPIC_BYTES_MAX]);

/* Write the n-th Topic Filter of a subscriber; return its length in bytes. */
uint32_t topic_filter(const struct options *options, uint32_t subscriber, uint32_t n,
                      char out[TOPIC_BYTES_MAX]);

#endif
