// keys_cost: what it costs that private keys are in a process of their own: full TLS handshakes a second of one server
// process that holds its key itself, and of the same one that asks a keys process, in turn.
//
//     keys_cost CERTIFICATE KEY [SECONDS [ROUNDS [CLIENTS]]]
//
// Loopback only. The clients are processes of this program; with two cores they share them with what is measured, so
// look at the server's own CPU a handshake as well.
#include "base/mem.h"
#include "rt/disk/file.h"
#include "rt/journal.h"
#include "rt/listen.h"
#include "rt/net_kernel.h"
#include "rt/tls/private_key.h"
#include "rt/process.h"
#include "rt/tls/tls.h"
#include "rt/world.h"
#include "svc/keys/keys.h"
#include "svc/keys_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CLIENTS_MAX = 64, ROUNDS_MAX = 99, HANDSHAKE_MS = 10 * MS_SECOND };

static const char *certificate_path, *key_path;
static uint16_t port;
static _Atomic uint64_t *handshakes; // shared by the clients

_Noreturn static void die(const char *what) {
    fprintf(stderr, "keys_cost: %s\n", what);
    exit(1);
}

static struct buf read_all(const char *path) {
    struct buf b = {.max = 1 << 20};
    struct err e;
    if (!file_read(path, &b, &e))
        die(e.text);
    return b;
}

// --- the server

struct server {
    struct world world;
    struct journal journal;
    struct fiber_group group;
    struct tls_server *tls;
    struct private_key *key; // NULL: it asks
    struct keys_client *keys;
    struct listener *listener;
};

struct session {
    struct server *server;
    struct transport *t;
};

static FIBER_FN bool sign(void *arg, const struct message_keys_sign *what, struct buf *out) {
    struct server *s = arg;
    struct err e;
    return s->key ? private_key_sign(s->key, what, out, &e) : keys_client_sign(s->keys, what, out, &e);
}

static void serve(void *arg) {
    struct session *s = arg;
    struct mono deadline = loop_in_ms(fiber_loop(), HANDSHAKE_MS);
    struct transport *t = s->t;
    struct err e;
    size_t got;
    char byte;
    if (tls_accept(s->server->tls, s->t, deadline, &t, &e) &&
        transport_write_all(t, SLICE("220 ready\r\n"), deadline, &e))
        while (t->ops->read(t, &byte, 1, &got, &e) == TRANSPORT_AGAIN && t->ops->wait_read(t, deadline, &e))
            ;
    t->ops->close(t);
    free(s);
}

static void accept_all(void *arg) {
    struct server *s = arg;
    struct netaddr peer;
    struct err e;
    for (struct transport *t; listener_accept(s->listener, MONO_NEVER, &t, &peer, &e);) {
        struct session *session = MEM_NEW(struct session);
        *session = (struct session){s, t};
        if (!fiber_spawn(&s->group, "session", serve, session, &e))
            die(e.text);
    }
}

static void take_set(void *arg, const struct message_keys_set *set) {
    struct err e;
    if (!tls_server_update(((struct server *)arg)->tls, set, &e))
        die(e.text);
}

static void make_world(struct world *w, struct journal *j, const char *role) {
    *w = (struct world){.loop = loop_new(false), .journal = j, .ops = &world_kernel_ops};
    journal_init_fd(j, &(struct journal_setup){.role = role, .least = JOURNAL_ERROR, .now = world_kernel_ops.wall}, 2);
}

_Noreturn static void run_server(int listener, int link) {
    struct server s = {0};
    struct err e;
    make_world(&s.world, &s.journal, "server");
    fiber_group_init(&s.group, s.world.loop, "server");
    s.tls = tls_server_new(
        &(struct tls_server_setup){.name = "bench", .ticket_life = MS_HOUR, .sign = sign, .sign_arg = &s}, &e);
    s.listener = listener_of_fd(s.world.loop, listener);
    if (!s.tls || !s.listener || !fiber_spawn(&s.group, "accept", accept_all, &s, &e))
        die("the server can't be set up");
    if (link >= 0) {
        s.keys = keys_client_new(&s.world, &s.group, 1);
        keys_client_on_set(s.keys, take_set, &s);
        struct transport *t = transport_of_fd(s.world.loop, link);
        keys_client_attach(s.keys, link_new(s.world.loop, t, ROLE_SMTPD, ROLE_KEYS), 0);
    } else {
        struct buf chain = read_all(certificate_path), pem = read_all(key_path);
        struct message_keys_certificate one = {.key = 1, .chain = buf_slice(&chain)};
        static const char tickets[MESSAGE_TICKET_KEY] = "a key";
        s.key = private_key_read(buf_slice(&pem), &e);
        if (!s.key)
            die(e.text);
        take_set(&s, &(struct message_keys_set){
                         .certificates = &one, .certificates_n = 1, .tickets = slice_of(tickets, sizeof tickets)});
    }
    loop_run(s.world.loop);
    _exit(0);
}

_Noreturn static void run_keys(int link) {
    struct config_certificate certificate = {.certificate = slice_str(certificate_path), .key = slice_str(key_path)};
    struct config c = {.certificates = &certificate, .certificates_n = 1, .tls_ticket_life = MS_HOUR};
    char chain[8 + 32] = {0};
    struct world w;
    struct journal j;
    struct err e;
    make_world(&w, &j, "keys");
    struct keys_service *keys = keys_new(&w, &c, 0, slice_of(chain, sizeof chain));
    if (!keys_start(keys, &e))
        die(e.text);
    keys_attach(keys, link_new(w.loop, transport_of_fd(w.loop, link), ROLE_KEYS, ROLE_SMTPD), ROLE_SMTPD);
    loop_run(w.loop);
    _exit(0);
}

// --- clients

static bool shake_hands(SSL_CTX *ctx) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    char line[64];
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        die("connecting");
    SSL *ssl = SSL_new(ctx);
    SSL_set_fd(ssl, fd);
    bool ok = SSL_connect(ssl) == 1 && SSL_version(ssl) == TLS1_3_VERSION && SSL_read(ssl, line, sizeof line) > 0;
    SSL_free(ssl);
    close(fd);
    return ok;
}

_Noreturn static void run_client(void) {
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set1_groups_list(ctx, "X25519");
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    for (;;) {
        if (!shake_hands(ctx))
            die("a handshake failed");
        (*handshakes)++;
    }
}

// --- a run

static pid_t fork_or_die(void) {
    pid_t pid = fork();
    if (pid < 0)
        die("fork");
    return pid;
}

static double cpu_of(pid_t pid) {
    char path[64], text[1024];
    unsigned long user, system;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    text[n] = '\0';
    if (f)
        fclose(f);
    const char *at = strrchr(text, ')');
    if (!at || sscanf(at + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
        return 0;
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

struct result {
    double rate, server_us, keys_us;
};

static struct result measure(bool apart, unsigned seconds, unsigned clients) {
    pid_t client[CLIENTS_MAX], keys = 0;
    int ends[2] = {-1, -1}, listener;
    struct netaddr at;
    struct sockaddr_in bound;
    socklen_t n = sizeof bound;
    struct err e;
    netaddr_parse_endpoint(SLICE("127.0.0.1:0"), &at);
    if (!listen_tcp(&at, true, &listener, &e) || getsockname(listener, (struct sockaddr *)&bound, &n) != 0)
        die("listening");
    port = ntohs(bound.sin_port);
    if (apart && !process_link_pair(ends, &e))
        die(e.text);
    if (apart && (keys = fork_or_die()) == 0)
        run_keys(ends[1]);
    pid_t server = fork_or_die();
    if (server == 0)
        run_server(listener, ends[0]);
    process_close(listener);
    process_close(ends[0]);
    process_close(ends[1]);
    for (unsigned i = 0; i < clients; i++)
        if ((client[i] = fork_or_die()) == 0)
            run_client();
    usleep(300 * 1000);
    uint64_t before = *handshakes;
    double server_before = cpu_of(server), keys_before = apart ? cpu_of(keys) : 0;
    sleep(seconds);
    double done = (double)(*handshakes - before);
    struct result r = {.rate = done / seconds,
                       .server_us = (cpu_of(server) - server_before) * 1e6 / done,
                       .keys_us = apart ? (cpu_of(keys) - keys_before) * 1e6 / done : 0};
    for (unsigned i = 0; i < clients; i++)
        kill(client[i], SIGKILL);
    kill(server, SIGKILL);
    if (apart)
        kill(keys, SIGKILL);
    while (wait(NULL) > 0)
        ;
    return r;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *list, unsigned n) {
    qsort(list, n, sizeof *list, ascending);
    return list[n / 2];
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: keys_cost CERTIFICATE KEY [SECONDS [ROUNDS [CLIENTS]]]\n");
        return 64;
    }
    unsigned seconds = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 3;
    unsigned rounds = argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : 5;
    unsigned clients = argc > 5 ? (unsigned)strtoul(argv[5], NULL, 10) : 8;
    double rates[2][ROUNDS_MAX], cpu[2][ROUNDS_MAX];
    if (seconds < 1 || rounds < 1 || rounds > ROUNDS_MAX || clients < 1 || clients > CLIENTS_MAX)
        die("too few, or too many");
    signal(SIGPIPE, SIG_IGN);
    certificate_path = argv[1];
    key_path = argv[2];
    handshakes = mmap(NULL, sizeof *handshakes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (unsigned i = 0; i < rounds; i++)
        for (int apart = 0; apart < 2; apart++) {
            struct result r = measure(apart, seconds, clients);
            rates[apart][i] = r.rate;
            cpu[apart][i] = r.server_us + r.keys_us;
            printf("%-6s %8.0f handshakes/s, CPU us each: server %4.0f, keys %3.0f\n", apart ? "apart" : "within",
                   r.rate, r.server_us, r.keys_us);
            fflush(stdout);
        }
    double within = median(rates[0], rounds), apart = median(rates[1], rounds);
    printf("medians: within %.0f, apart %.0f: %+.1f %%; CPU us each %.0f and %.0f\n", within, apart,
           (apart / within - 1) * 100, median(cpu[0], rounds), median(cpu[1], rounds));
    return 0;
}
