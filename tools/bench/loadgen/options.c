#include "options.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void refuse(const char *name, const char *value, const char *wanted)
{
    fprintf(stderr, "loadgen: %s %s: must be %s\n", name, value ? value : "(nothing)", wanted);
    exit(2);
}

static double number(const char *name, const char *value, double low, double high)
{
    char *end, wanted[64];
    double parsed = strtod(value, &end);

    if (*end != '\0' || end == value || !isfinite(parsed) || parsed < low || parsed > high) {
        snprintf(wanted, sizeof wanted, "a number from %g to %g", low, high);
        refuse(name, value, wanted);
    }
    return parsed;
}

static uint32_t whole(const char *name, const char *value, uint32_t low, uint32_t high)
{
    return (uint32_t)number(name, value, (double)low, (double)high);
}

/* Return the index of a word in a list that ends with NULL. */
static int choice(const char *name, const char *value, const char *const *words)
{
    for (int i = 0; words[i] != NULL; i++)
        if (strcmp(words[i], value) == 0)
            return i;
    refuse(name, value, "one of the words in options.c");
}

static void set(struct options *o, const char *name, const char *value)
{
    static const char *const modes[] = {"closed", "paced", "idle", NULL};
    static const char *const patterns[] = {"pairs", "fan-in", "fan-out", "flat", "deep", NULL};

    if (!strcmp(name, "--port")) o->port = (uint16_t)whole(name, value, 1, 65535);
    else if (!strcmp(name, "--mode")) o->mode = (enum mode)choice(name, value, modes);
    else if (!strcmp(name, "--pattern")) o->pattern = (enum pattern)choice(name, value, patterns);
    else if (!strcmp(name, "--protocol")) o->protocol_level = (uint8_t)whole(name, value, 4, 5);
    else if (!strcmp(name, "--qos")) o->qos = (uint8_t)whole(name, value, 0, 2);
    else if (!strcmp(name, "--publishers")) o->publisher_count = whole(name, value, 1, 10000);
    else if (!strcmp(name, "--subscribers")) o->subscriber_count = whole(name, value, 1, 10000);
    else if (!strcmp(name, "--payload"))
        o->payload_bytes = whole(name, value, PAYLOAD_BYTES_MIN, PAYLOAD_BYTES_MAX);
    else if (!strcmp(name, "--window")) o->window = whole(name, value, 1, WINDOW_MAX);
    else if (!strcmp(name, "--filters")) o->filter_count = whole(name, value, 1, 1000000);
    else if (!strcmp(name, "--spin")) o->is_spinning = whole(name, value, 0, 1) == 1;
    else if (!strcmp(name, "--rate")) o->rate_per_s = number(name, value, 0.1, 1e7);
    else if (!strcmp(name, "--warmup")) o->warmup_s = number(name, value, 0, 3600);
    else if (!strcmp(name, "--duration")) o->duration_s = number(name, value, 0.01, 3600);
    else if (!strcmp(name, "--drain")) o->drain_s = number(name, value, 0, 600);
    else if (!strcmp(name, "--setup")) o->setup_s = number(name, value, 0.1, 600);
    else if (!strcmp(name, "--idle")) o->idle_count = whole(name, value, 1, 500000);
    else if (!strcmp(name, "--opening")) o->opening_max = whole(name, value, 1, 10000);
    else if (!strcmp(name, "--storm")) o->storm_count = whole(name, value, 0, 100000);
    else if (!strcmp(name, "--storm-prefix")) o->storm_prefix = value;
    else if (!strcmp(name, "--username")) o->username = value;
    else if (!strcmp(name, "--password")) o->password = value;
    else if (!strcmp(name, "--ca")) o->ca_file = value;
    else refuse(name, value, "a known option");
}

void options_parse(struct options *o, int argc, char **argv)
{
    *o = (struct options){
        .mode = MODE_CLOSED, .pattern = PATTERN_PAIRS, .protocol_level = 4,
        .publisher_count = 1, .subscriber_count = 1, .payload_bytes = 64, .window = 64,
        .filter_count = 1000, .rate_per_s = 1000, .warmup_s = 0.5, .duration_s = 2, .drain_s = 3,
        .setup_s = 30, .idle_count = 1000, .opening_max = 64, .storm_prefix = "storm",
        .password = "",
    };
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc)
            refuse(argv[i], NULL, "followed by a value");
        set(o, argv[i], argv[i + 1]);
    }
    if (o->port == 0)
        refuse("--port", NULL, "given");
    bool pairs = o->pattern != PATTERN_FAN_IN && o->pattern != PATTERN_FAN_OUT;
    if (pairs && o->publisher_count != o->subscriber_count)
        refuse("--subscribers", NULL, "as many as --publishers in this pattern");
    if (options_topics_each(o) * o->publisher_count != o->filter_count
        && (o->pattern == PATTERN_FLAT || o->pattern == PATTERN_DEEP))
        refuse("--filters", NULL, "a multiple of --publishers");
}

uint32_t options_fan(const struct options *o)
{
    bool pairs = o->pattern != PATTERN_FAN_IN && o->pattern != PATTERN_FAN_OUT;
    return pairs ? 1 : o->subscriber_count;
}

uint32_t options_topics_each(const struct options *o)
{
    bool many = o->pattern == PATTERN_FLAT || o->pattern == PATTERN_DEEP;
    return many ? o->filter_count / o->publisher_count : 1;
}
