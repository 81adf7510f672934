/* An MQTT load generator in one thread: it opens clients, sends, receives, counts, and prints one
 * JSON object. The harness in Python starts it once for each broker and scenario. */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/timerfd.h>

#include "client.h"
#include "clock.h"
#include "loop.h"
#include "traffic.h"

void run_fail(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fputs("loadgen: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static void *zeroed(size_t count, size_t item_bytes)
{
    void *memory = calloc(count ? count : 1, item_bytes);

    if (memory == NULL)
        run_fail("out of memory");
    return memory;
}

static void raise_file_limit(uint32_t wanted)
{
    struct rlimit limit;

    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < wanted) {
        limit.rlim_cur = wanted;
        limit.rlim_max = limit.rlim_max > wanted ? limit.rlim_max : wanted;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
            run_fail("cannot raise the limit of open files to %u", wanted);
    }
}

static void make_clients(struct run *run)
{
    const struct options *o = &run->options;
    bool is_idle = o->mode == MODE_IDLE;
    uint32_t subscribers = is_idle ? 0 : o->subscriber_count;
    uint32_t publishers = is_idle ? 0 : o->publisher_count;
    uint32_t extras = is_idle ? o->idle_count : o->storm_count;

    run->client_count = subscribers + publishers + extras;
    run->clients = zeroed(run->client_count, sizeof *run->clients);
    run->subscribers = run->clients;
    run->publishers = run->subscribers + subscribers;
    run->extras = run->publishers + publishers;
    run->dirty.items = zeroed(run->client_count, sizeof *run->dirty.items);
    run->eager.items = zeroed(publishers, sizeof *run->eager.items);
    for (uint32_t i = 0; i < run->client_count; i++) {
        struct client *client = &run->clients[i];
        client->role = client < run->publishers ? ROLE_SUBSCRIBER
                     : client < run->extras     ? ROLE_PUBLISHER
                     : is_idle                  ? ROLE_IDLE
                                                : ROLE_STORM;
        client->index = (uint32_t)(client - (client->role == ROLE_SUBSCRIBER ? run->subscribers
                                             : client->role == ROLE_PUBLISHER ? run->publishers
                                                                              : run->extras));
        traffic_prepare(run, client);
    }
    run->setup = (struct opener){.clients = run->clients,
                                 .count = is_idle ? extras : subscribers + publishers};
    if (!is_idle)
        run->storm = (struct opener){.clients = run->extras, .count = extras};
    raise_file_limit(run->client_count + 64);
}

static void make_buffers(struct run *run)
{
    uint32_t payload_bytes = run->options.payload_bytes;
    uint64_t state = 88172645463325252ull;

    run->input_room = LINK_READ_BYTES + payload_bytes + 1024;
    run->input = zeroed(run->input_room, 1);
    run->output = zeroed(BATCH_BYTES + payload_bytes + 1024, 1);
    run->filler = zeroed(payload_bytes, 1);
    for (uint32_t i = 0; i < payload_bytes; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        run->filler[i] = (uint8_t)state;
    }
}

static void make_epoll(struct run *run)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};   /* NULL: the timer */

    run->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    run->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (run->epoll_fd < 0 || run->timer_fd < 0)
        run_fail("cannot create epoll and timer");
    epoll_ctl(run->epoll_fd, EPOLL_CTL_ADD, run->timer_fd, &event);
}

static void print_result(const struct run *run, const struct mark *begin, const struct mark *end)
{
    const struct tally *t = &run->tally;
    double elapsed_s = (double)(end->mono_ns - begin->mono_ns) / 1e9;
    uint64_t delivered = end->tally.delivered - begin->tally.delivered;
    int64_t missing = (int64_t)(t->sent * options_fan(&run->options)) - (int64_t)t->delivered;

    printf("{\"event\": \"result\", \"elapsed_s\": %.6f, \"sent\": %llu, \"delivered\": %llu, "
           "\"delivered_per_s\": %.2f, \"cpu_s\": %.6f, ",
           elapsed_s, (unsigned long long)(end->tally.sent - begin->tally.sent),
           (unsigned long long)delivered, elapsed_s > 0 ? (double)delivered / elapsed_s : 0.0,
           (double)(end->cpu_ns - begin->cpu_ns) / 1e9);
    printf("\"total\": {\"sent\": %llu, \"delivered\": %llu, \"acknowledged\": %llu}, "
           "\"lost\": %lld, \"unfinished\": %lld, \"doubled\": %llu, \"reordered\": %llu, \"given_up\": %llu, "
           "\"malformed\": %llu, \"refused\": %llu, \"disconnects\": %llu, ",
           (unsigned long long)t->sent, (unsigned long long)t->delivered,
           (unsigned long long)t->acknowledged, (long long)(run->is_unfinished ? 0 : missing),
           (long long)(run->is_unfinished ? missing : 0), (unsigned long long)t->doubled,
           (unsigned long long)t->reordered, (unsigned long long)t->given_up,
           (unsigned long long)t->malformed, (unsigned long long)t->refused,
           (unsigned long long)t->disconnects);
    printf("\"storm\": {\"ready\": %u, \"failed\": %u, \"login_us\": ", run->storm.ready,
           run->storm.failed);
    histogram_print(&run->login, stdout);
    printf("}, \"latency_us\": ");
    histogram_print(&run->latency, stdout);
    printf(", \"lateness_us\": ");
    histogram_print(&run->lateness, stdout);
    puts("}");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct run *run = zeroed(1, sizeof *run);
    struct mark begin = {0}, end = {0};

    /* End with the harness, however it ends, and take a lost connection as an error code. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    options_parse(&run->options, argc, argv);
    if (run->options.ca_file != NULL)
        run->tls_context = link_tls_context(run->options.ca_file);
    make_clients(run);
    make_buffers(run);
    make_epoll(run);
    loop_setup(run);
    loop_announce("ready");
    if (run->options.mode == MODE_IDLE)
        loop_hold(run);
    else
        loop_traffic(run, &begin, &end);
    run->is_closing = true;
    for (uint32_t i = 0; i < run->client_count; i++)
        client_close(run, &run->clients[i]);
    print_result(run, &begin, &end);
    return 0;
}
