#include "loop.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "client.h"
#include "clock.h"
#include "traffic.h"

#define EVENTS_PER_TURN 256
#define WAIT_MS_MAX 20             /* the phases change at most this late */
#define STANDSTILL_NS NS_PER_S     /* a closed run that long without an answer has lost messages */

void loop_announce(const char *phase)
{
    printf("{\"event\": \"%s\"}\n", phase);
    fflush(stdout);
}

static struct mark mark_now(const struct run *run)
{
    struct timespec cpu;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    return (struct mark){
        .mono_ns = now_mono_ns(),
        .cpu_ns = (uint64_t)cpu.tv_sec * NS_PER_S + (uint64_t)cpu.tv_nsec,
        .tally = run->tally,
    };
}

/* Send what answers and logins have piled up in this turn, one send for each client. */
static void flush_dirty(struct run *run)
{
    for (uint32_t i = 0; i < run->dirty.count; i++) {
        struct client *client = run->dirty.items[i];
        client->is_dirty = false;
        if (client->stage != STAGE_GONE)
            client_flush(run, client);
    }
    run->dirty.count = 0;
}

/* Let every publisher that may send fill its window; those with room left stay in the list. */
static void send_eager(struct run *run)
{
    uint32_t count = run->eager.count, kept = 0;

    for (uint32_t i = 0; i < count; i++) {
        struct client *publisher = run->eager.items[i];
        traffic_send(run, publisher, UINT32_MAX);
        publisher->is_eager = publisher->stage == STAGE_READY && window_free(&publisher->window) > 0
                              && !link_has_pending(&publisher->link);
        if (publisher->is_eager)
            run->eager.items[kept++] = publisher;
    }
    run->eager.count = kept;
}

/* One turn: wait for events, handle them, send what they allow. */
static void turn(struct run *run, int wait_ms)
{
    struct epoll_event events[EVENTS_PER_TURN];
    int count = epoll_wait(run->epoll_fd, events, EVENTS_PER_TURN, wait_ms);

    if (count < 0 && errno != EINTR)
        run_fail("epoll_wait: %s", strerror(errno));
    run->now_mono_ns = now_mono_ns();
    for (int i = 0; i < count; i++) {
        uint64_t expirations;
        if (events[i].data.ptr != NULL)
            client_event(run, events[i].data.ptr, events[i].events);
        else if (read(run->timer_fd, &expirations, sizeof expirations) < 0 && errno != EAGAIN)
            run_fail("timer: %s", strerror(errno));
    }
    if (run->is_sending && run->options.mode == MODE_CLOSED)
        send_eager(run);
    flush_dirty(run);
}

void loop_setup(struct run *run)
{
    uint64_t deadline_mono_ns = now_mono_ns() + seconds_to_ns(run->options.setup_s);

    while (!opener_done(&run->setup)) {
        bool more = opener_step(run, &run->setup);
        turn(run, more ? 0 : WAIT_MS_MAX);
        if (run->now_mono_ns > deadline_mono_ns)
            run_fail("only %u of %u clients are ready after %g s", run->setup.ready,
                     run->setup.count, run->options.setup_s);
    }
}

void loop_hold(struct run *run)
{
    struct pollfd waits[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                             {.fd = run->epoll_fd, .events = POLLIN}};

    for (;;) {
        if (poll(waits, 2, -1) < 0 && errno != EINTR)
            run_fail("poll: %s", strerror(errno));
        if (waits[0].revents)
            return;
        turn(run, 0);
    }
}

/* ---------------------------------------------------------------- pacing */

/* The schedule of a paced run: message n is due at start + n / rate. */
struct pace {
    uint64_t start_mono_ns;
    uint64_t count;
    double interval_ns;
    uint32_t publisher;
};

static void pace_start(struct run *run, struct pace *pace)
{
    *pace = (struct pace){.start_mono_ns = now_mono_ns(),
                          .interval_ns = (double)NS_PER_S / run->options.rate_per_s};
    uint64_t interval_ns = (uint64_t)pace->interval_ns;
    struct timespec every = {.tv_sec = (time_t)(interval_ns / NS_PER_S),
                             .tv_nsec = (long)(interval_ns % NS_PER_S)};
    struct itimerspec timer = {.it_interval = every, .it_value = every};
    timerfd_settime(run->timer_fd, 0, &timer, NULL);
}

/* Send every message that is due by now, each in a send of its own as real devices would. */
static void pace_step(struct run *run, struct pace *pace)
{
    const struct options *o = &run->options;

    for (;;) {
        uint64_t due_mono_ns =
            pace->start_mono_ns + (uint64_t)((double)pace->count * pace->interval_ns);
        uint64_t now = now_mono_ns();
        if (due_mono_ns > now)
            return;
        /* A publisher that cannot send now loses its turn; the run reports how many were sent. */
        traffic_send(run, &run->publishers[pace->publisher], 1);
        if (run->is_measuring)
            histogram_add(&run->lateness, now - due_mono_ns);
        pace->publisher = (pace->publisher + 1) % o->publisher_count;
        pace->count++;
    }
}

/* ---------------------------------------------------------------- phases */

/* Notices when a closed run stands still, because messages that it waits for are lost. */
struct watch {
    uint64_t answers;
    uint64_t since_mono_ns;
};

static bool stands_still(const struct run *run, struct watch *watch)
{
    uint64_t answers = run->tally.delivered + run->tally.acknowledged;

    if (answers != watch->answers || watch->since_mono_ns == 0) {
        *watch = (struct watch){answers, run->now_mono_ns};
        return false;
    }
    return run->now_mono_ns - watch->since_mono_ns > STANDSTILL_NS;
}

static void give_up_messages(struct run *run)
{
    run->tally.given_up++;
    for (uint32_t i = 0; i < run->options.publisher_count; i++) {
        window_give_up(&run->publishers[i].window);
        mark_eager(run, &run->publishers[i]);
    }
}

/* Run with traffic until a time, or until the storm is over if there is one.
 *
 * A broker that sends to a sleeping process on this machine also pays for the interrupt that wakes
 * the other CPU, which costs more than the message. Real clients sleep on their own machines, so a
 * spinning generator shows the broker's own cost and the latency that the broker is to blame for. */
static void run_until(struct run *run, struct pace *pace, uint64_t end_mono_ns, bool with_storm)
{
    struct watch watch = {0};

    do {
        bool more = with_storm && opener_step(run, &run->storm);
        bool has_work = more || run->eager.count > 0 || run->options.is_spinning;
        turn(run, has_work ? 0 : WAIT_MS_MAX);
        if (run->options.mode == MODE_PACED)
            pace_step(run, pace);
        else if (stands_still(run, &watch)) {
            give_up_messages(run);
            watch = (struct watch){0};
        }
        if (with_storm && opener_done(&run->storm))
            return;
    } while (run->now_mono_ns < end_mono_ns);
}

/* Wait for what is on its way. What has not come after a second of silence is lost; a broker that
 * still delivers after drain_s is only slow. */
static void drain(struct run *run)
{
    uint64_t end_mono_ns = now_mono_ns() + seconds_to_ns(run->options.drain_s);
    uint64_t wanted = run->tally.sent * options_fan(&run->options);
    uint64_t wanted_acks = run->options.qos ? run->tally.sent : 0;
    struct watch watch = {0};

    run->is_sending = false;
    while (run->tally.delivered < wanted
           || run->tally.acknowledged + run->tally.refused < wanted_acks) {
        turn(run, WAIT_MS_MAX);
        if (stands_still(run, &watch))
            break;
        if (run->now_mono_ns > end_mono_ns) {
            run->is_unfinished = true;
            break;
        }
    }
    /* Stay a moment for messages that come twice. */
    end_mono_ns = now_mono_ns() + 50 * NS_PER_MS;
    do
        turn(run, WAIT_MS_MAX);
    while (run->now_mono_ns < end_mono_ns);
}

void loop_traffic(struct run *run, struct mark *begin, struct mark *end)
{
    const struct options *o = &run->options;
    struct pace pace = {0};

    run->is_sending = true;
    if (o->mode == MODE_PACED)
        pace_start(run, &pace);
    else
        for (uint32_t i = 0; i < o->publisher_count; i++)
            mark_eager(run, &run->publishers[i]);
    run_until(run, &pace, now_mono_ns() + seconds_to_ns(o->warmup_s), false);
    loop_announce("measure");
    run->is_measuring = true;
    *begin = mark_now(run);
    run_until(run, &pace, begin->mono_ns + seconds_to_ns(o->duration_s), o->storm_count > 0);
    *end = mark_now(run);
    run->is_measuring = false;
    loop_announce("measured");
    struct itimerspec off = {0};
    timerfd_settime(run->timer_fd, 0, &off, NULL);
    drain(run);
}
