// blast: an SMTP load generator for loopback: one thread, epoll, many sessions, latencies in a histogram.
#include "blast.h"
#include "tcp.h"

#include "base/mem.h"
#include "base/num.h"

#include <error.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>

enum { EVENTS = 512, TICK_MS = 100 };

static volatile sig_atomic_t stopped;

static void on_signal(int which) {
    (void)which;
    stopped = 1;
}

static void usage(int code) {
    fputs("usage: blast --port PORT [--host ADDRESS]\n"
          "  --connections N     at once (10)\n"
          "  --messages N        in all (1000)\n"
          "  --seconds S         begin no message later\n"
          "  --per-connection N  messages before QUIT and a new connection (0: all)\n"
          "  --size BYTES        of a message (1024)\n"
          "  --recipients N      of a message (1)\n"
          "  --from ADDRESS, --recipient ADDRESS\n"
          "  --sources N         come from 127.0.1.1, 127.0.2.1, ...: networks of their own\n"
          "  --opening N         connections that wait for their greeting at once (100)\n"
          "  --pipelining        MAIL, RCPT and DATA in one go (RFC 2920)\n"
          "  --starttls, --tls   TLS by STARTTLS, or from the first byte; no certificate is checked\n"
          "  --resume            TLS sessions are resumed; without it every handshake is a full one\n"
          "  --auth USER:SECRET  AUTH PLAIN\n"
          "  --crowd S           open all connections, say EHLO, say how it went, hold them for S seconds\n"
          "  --drip S            and send a byte from each of them every S seconds\n"
          "  --content FILE      what is sent, with dots as they must be, without the final one\n"
          "  --give-up S         end everything after S seconds (120)\n"
          "  --json\n"
          "Addresses are loopback's only. Exit status 1 when not all was done.\n",
          code ? stderr : stdout);
    exit(code);
}

static uint64_t number(const char *text, uint64_t max) {
    uint64_t n;
    if (!num_u64(slice_str(text), max, &n))
        error(64, 0, "a number up to %" PRIu64 " was expected, found \"%s\"", max, text);
    return n;
}

static double seconds(const char *text) {
    char *end;
    double s = strtod(text, &end);
    if (*end || s < 0 || s > 86400)
        error(64, 0, "seconds were expected, found \"%s\"", text);
    return s;
}

enum option_code {
    O_HOST = 256,
    O_PORT,
    O_CONNECTIONS,
    O_MESSAGES,
    O_SECONDS,
    O_PER,
    O_SIZE,
    O_RECIPIENTS,
    O_FROM,
    O_TO,
    O_SOURCES,
    O_OPENING,
    O_PIPELINING,
    O_STARTTLS,
    O_TLS,
    O_RESUME,
    O_AUTH,
    O_CROWD,
    O_CONTENT,
    O_DRIP,
    O_GIVE_UP,
    O_JSON,
    O_HELP
};

static const struct option OPTIONS[] = {{"host", required_argument, NULL, O_HOST},
                                        {"port", required_argument, NULL, O_PORT},
                                        {"connections", required_argument, NULL, O_CONNECTIONS},
                                        {"messages", required_argument, NULL, O_MESSAGES},
                                        {"seconds", required_argument, NULL, O_SECONDS},
                                        {"per-connection", required_argument, NULL, O_PER},
                                        {"size", required_argument, NULL, O_SIZE},
                                        {"recipients", required_argument, NULL, O_RECIPIENTS},
                                        {"from", required_argument, NULL, O_FROM},
                                        {"recipient", required_argument, NULL, O_TO},
                                        {"sources", required_argument, NULL, O_SOURCES},
                                        {"opening", required_argument, NULL, O_OPENING},
                                        {"pipelining", no_argument, NULL, O_PIPELINING},
                                        {"starttls", no_argument, NULL, O_STARTTLS},
                                        {"tls", no_argument, NULL, O_TLS},
                                        {"resume", no_argument, NULL, O_RESUME},
                                        {"auth", required_argument, NULL, O_AUTH},
                                        {"crowd", required_argument, NULL, O_CROWD},
                                        {"content", required_argument, NULL, O_CONTENT},
                                        {"drip", required_argument, NULL, O_DRIP},
                                        {"give-up", required_argument, NULL, O_GIVE_UP},
                                        {"json", no_argument, NULL, O_JSON},
                                        {"help", no_argument, NULL, O_HELP},
                                        {0}};

struct arguments {
    const char *host;
    uint16_t port;
    struct blast_job job;
};

static void take_user(struct blast_job *j, char *text) {
    char *colon = strchr(text, ':');
    if (!colon)
        error(64, 0, "USER:SECRET was expected");
    *colon = '\0';
    j->user = text;
    j->password = colon + 1;
}

static void take_option(struct arguments *a, int code) {
    struct blast_job *j = &a->job;
    switch (code) {
    case O_HOST:
        a->host = optarg;
        break;
    case O_PORT:
        a->port = (uint16_t)number(optarg, UINT16_MAX);
        break;
    case O_CONNECTIONS:
        j->connections = number(optarg, 200000);
        break;
    case O_MESSAGES:
        j->messages = number(optarg, 1000000000);
        break;
    case O_SECONDS:
        j->seconds = seconds(optarg);
        break;
    case O_PER:
        j->per_connection = number(optarg, UINT32_MAX);
        break;
    case O_SIZE:
        j->size = number(optarg, 1u << 30);
        break;
    case O_RECIPIENTS:
        j->recipients = number(optarg, BLAST_RECIPIENTS_MAX);
        break;
    case O_FROM:
        j->from = optarg;
        break;
    case O_TO:
        j->recipient = optarg;
        break;
    case O_SOURCES:
        j->sources = number(optarg, 250);
        break;
    case O_OPENING:
        j->opening = number(optarg, 100000);
        break;
    case O_PIPELINING:
        j->pipelining = true;
        break;
    case O_STARTTLS:
        j->starttls = true;
        break;
    case O_TLS:
        j->tls = true;
        break;
    case O_RESUME:
        j->resume = true;
        break;
    case O_AUTH:
        take_user(j, optarg);
        break;
    case O_CROWD:
        j->crowd = seconds(optarg);
        break;
    case O_CONTENT:
        j->content = optarg;
        break;
    case O_DRIP:
        j->drip = seconds(optarg);
        break;
    case O_GIVE_UP:
        j->give_up = seconds(optarg);
        break;
    case O_JSON:
        j->json = true;
        break;
    default:
        usage(code == O_HELP ? 0 : 64);
    }
}

static struct blast_job parse_arguments(int argc, char **argv) {
    struct arguments a = {.host = "127.0.0.1",
                          .job = {.connections = 10,
                                  .messages = 1000,
                                  .size = 1024,
                                  .recipients = 1,
                                  .opening = 100,
                                  .give_up = 120,
                                  .from = "sender@example.com",
                                  .recipient = "rcpt@example.net"}};
    for (int c; (c = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1;)
        take_option(&a, c);
    if (!a.port || !a.job.connections || !a.job.recipients || !a.job.opening || optind != argc)
        usage(64);
    a.job.to = tcp_address(a.host, a.port);
    if (ntohl(a.job.to.sin_addr.s_addr) >> 24 != 127)
        error(64, 0, "only loopback addresses are loaded, not %s", a.host);
    return a.job;
}

static SSL_CTX *new_tls(bool resume) {
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (!ctx)
        error(1, 0, "OpenSSL can't be started");
    SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_session_cache_mode(ctx,
                                   resume ? SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL : SSL_SESS_CACHE_OFF);
    if (resume)
        SSL_CTX_sess_set_new_cb(ctx, session_keep_ticket);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return ctx;
}

// Opens in small batches, so that no backlog is overrun and what is measured is not SYN retries.
static void open_sessions(struct blast *b) {
    while (b->opening < b->job.opening && b->opened_slots < b->job.connections && (b->job.crowd > 0 || blast_more(b)))
        session_open(b, &b->sessions[b->opened_slots++]);
    for (uint64_t i = 0; i < b->opened_slots && b->opening < b->job.opening && b->active < b->opened_slots; i++)
        if (b->sessions[i].reopen && blast_more(b))
            session_open(b, &b->sessions[i]);
}

static bool at_end(const struct blast *b) {
    if (b->job.crowd > 0)
        return b->opened_slots == b->job.connections && b->done + b->failed + b->connect_failed >= b->job.connections;
    return b->active == 0 && (!blast_more(b) || b->connect_failed > BLAST_FAILURES_MAX);
}

static void turn(struct blast *b) {
    struct epoll_event events[EVENTS];
    int n = epoll_wait(b->epoll, events, EVENTS, TICK_MS);
    for (int i = 0; i < n; i++)
        session_event(b, events[i].data.ptr, events[i].events);
}

static double since(int64_t start_ns) { return (double)(tcp_now_ns() - start_ns) / 1e9; }

static void run(struct blast *b, int64_t start_ns) {
    while (!stopped && !at_end(b) && since(start_ns) < b->job.give_up) {
        if (b->job.seconds > 0 && since(start_ns) >= b->job.seconds)
            b->job.messages = b->begun;
        open_sessions(b);
        turn(b);
    }
}

static double cpu_seconds(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static const char JSON_REPORT[] =
    "{\"done\": %" PRIu64 ", \"failed\": %" PRIu64 ", \"temporary\": %" PRIu64 ", \"connections\": %" PRIu64
    ", \"connect_failed\": %" PRIu64 ", \"handshakes\": %" PRIu64 ", \"resumed\": %" PRIu64
    ", \"seconds\": %.6f, \"rate\": %.1f"
    ", \"p50_us\": %" PRIu64 ", \"p90_us\": %" PRIu64 ", \"p99_us\": %" PRIu64 ", \"p999_us\": %" PRIu64
    ", \"max_us\": %" PRIu64 ", \"cpu\": %.3f, \"start_ns\": %" PRId64 ", \"last_ns\": %" PRId64 "}\n";
static const char TEXT_REPORT[] =
    "done %" PRIu64 "  failed %" PRIu64 " (temporary %" PRIu64 ")  connections %" PRIu64 " (failed %" PRIu64
    ")  handshakes %" PRIu64 ", %" PRIu64 " resumed\n%.2f s  %.1f/s\nlatency us: p50 %" PRIu64 "  p90 %" PRIu64
    "  p99 %" PRIu64 "  p99.9 %" PRIu64 "  max %" PRIu64 "\ngenerator's CPU %.2f s; from %" PRId64 " to %" PRId64
    " ns\n";

static void report(const struct blast *b, int64_t start_ns) {
    double took = b->last_ns ? (double)(b->last_ns - start_ns) / 1e9 : since(start_ns);
    printf(b->job.json ? JSON_REPORT : TEXT_REPORT, b->done, b->failed, b->temporary, b->connections, b->connect_failed,
           b->handshakes, b->resumed, took, (double)b->done / took, hist_at(&b->latency, 0.5),
           hist_at(&b->latency, 0.9), hist_at(&b->latency, 0.99), hist_at(&b->latency, 0.999), b->latency.max,
           cpu_seconds(), start_ns, b->last_ns);
    fflush(stdout);
    if (b->last_error[0])
        fprintf(stderr, "blast: last failure %s\n", b->last_error);
}

// A slow loris: a command that never ends. Each session gets its turn once in `drip` seconds.
static void drip(struct blast *b, int64_t start_ns, uint64_t *dripped) {
    double due = since(start_ns) / b->job.drip * (double)b->job.connections;
    for (; (double)*dripped < due; ++*dripped) {
        const struct session *s = &b->sessions[*dripped % b->job.connections];
        if (s->state == SESSION_IDLE)
            tcp_send(s->fd, SLICE("X"));
    }
}

static void hold(struct blast *b) {
    int64_t start_ns = tcp_now_ns();
    uint64_t dripped = 0;
    while (!stopped && since(start_ns) < b->job.crowd) {
        turn(b);
        if (b->job.drip > 0)
            drip(b, start_ns, &dripped);
    }
}

int main(int argc, char **argv) {
    static struct blast b;
    b.job = parse_arguments(argc, argv);
    signal(SIGPIPE, SIG_IGN); // SSL_write has no MSG_NOSIGNAL
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    tcp_raise_files();
    b.sessions = mem_new(b.job.connections, sizeof *b.sessions);
    b.epoll = epoll_create1(EPOLL_CLOEXEC);
    b.tls = b.job.starttls || b.job.tls ? new_tls(b.job.resume) : NULL;
    blast_write_texts(&b);
    uint64_t wanted = b.job.crowd > 0 ? b.job.connections : b.job.messages;
    int64_t start_ns = tcp_now_ns();
    run(&b, start_ns);
    report(&b, start_ns);
    if (b.job.crowd > 0)
        hold(&b);
    return b.done == wanted || (b.job.seconds > 0 && b.done > 0 && b.done == b.begun) ? 0 : 1;
}
