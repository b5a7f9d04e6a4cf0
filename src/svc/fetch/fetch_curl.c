// fetch_curl: transfers of a multi handle. libcurl names the descriptors it waits for; the loop says once when one of
// them changes. Since libcurl may leave something unread, all are looked at again a little later while transfers run.
#include "svc/fetch/fetch_curl.h"

#include "base/mem.h"
#include "rt/host_address.h"
#include "svc/fetch/fetch.h"
#include "svc/fetch/fetch_host.h"

#include <curl/curl.h>
#include <stdlib.h>

enum { LOOK_AGAIN_MS = 50, WATCHES_MAX = 4 * FETCH_AT_ONCE, CONNECTIONS_KEPT = 4 };

struct watch {
    struct list entry;
    struct fetch_curl *curl;
    struct loop_fd fd;
};

struct transfer {
    struct list entry; // fresh or running
    struct fetch_curl *curl;
    const struct message_fetch *m;
    void (*done)(void *arg, const struct message_fetch_reply *reply);
    void *arg;
    CURL *easy;
    struct curl_slist *headers, *resolve;
    struct buf url, user_password, answer;
    char error[CURL_ERROR_SIZE];
};

struct fetch_curl {
    struct world *world;
    char *authorities; // NULL: the system's
    CURLM *multi;
    struct fetch_host host;
    struct list fresh, running, watches;
    struct loop_task task;
    struct loop_timer timer;
};

// --- what libcurl waits for

static void on_event(struct loop_fd *fd) {
    struct watch *w = LIST_ENTRY(fd, struct watch, fd);
    loop_task_set(w->curl->world->loop, &w->curl->task);
}

static void unwatch(struct watch *w) {
    loop_fd_remove(w->curl->world->loop, &w->fd);
    list_remove(&w->entry);
    free(w);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known) {
    struct fetch_curl *f = arg;
    struct watch *w = known;
    if (what == CURL_POLL_REMOVE && w) {
        unwatch(w);
    } else if (what != CURL_POLL_REMOVE && !w) {
        w = MEM_NEW(struct watch);
        *w = (struct watch){.curl = f, .fd = {.on_event = on_event}};
        list_append(&f->watches, &w->entry);
        (void)loop_fd_add(f->world->loop, &w->fd, fd); // looking again finds what this would have told
        curl_multi_assign(f->multi, fd, w);
    }
    return 0;
}

// --- one transfer

static size_t on_answer(char *bytes, size_t one, size_t n, void *arg) {
    struct transfer *t = arg;
    return buf_add(&t->answer, slice_of(bytes, one * n)) ? one * n : 0;
}

static void wipe(struct buf *b) {
    if (b->p)
        explicit_bzero(b->p, b->cap);
    buf_done(b);
}

static void transfer_free(struct transfer *t) {
    list_remove(&t->entry);
    if (t->easy) {
        curl_multi_remove_handle(t->curl->multi, t->easy);
        curl_easy_cleanup(t->easy);
    }
    curl_slist_free_all(t->headers);
    curl_slist_free_all(t->resolve);
    buf_done(&t->url);
    wipe(&t->user_password);
    wipe(&t->answer);
    free(t);
}

static void fail(struct transfer *t, struct slice why) {
    t->done(t->arg, &(struct message_fetch_reply){.why = why});
    transfer_free(t);
}

static void add_text(struct buf *to, struct slice s) {
    to->max = s.n + 1;
    buf_add(to, s);
    buf_add_char(to, '\0');
}

static bool set_target(struct transfer *t) {
    CURL *c = t->easy;
    bool ok = curl_easy_setopt(c, CURLOPT_URL, t->url.p) == CURLE_OK &&
              curl_easy_setopt(c, CURLOPT_RESOLVE, t->resolve) == CURLE_OK &&
              curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
              curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
              curl_easy_setopt(c, CURLOPT_PROXY, "") == CURLE_OK &&
              curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
              curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
              curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK;
    const char *authorities = t->curl->authorities;
    return ok && (!authorities || curl_easy_setopt(c, CURLOPT_CAINFO, authorities) == CURLE_OK);
}

static bool set_request(struct transfer *t) {
    CURL *c = t->easy;
    bool ok = curl_easy_setopt(c, CURLOPT_HTTPHEADER, t->headers) == CURLE_OK &&
              curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK;
    if (ok && t->m->user_password.n)
        ok = curl_easy_setopt(c, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC) == CURLE_OK &&
             curl_easy_setopt(c, CURLOPT_USERPWD, t->user_password.p) == CURLE_OK;
    if (ok && t->m->body.n)
        ok = curl_easy_setopt(c, CURLOPT_POST, 1L) == CURLE_OK &&
             curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, (long)t->m->body.n) == CURLE_OK &&
             curl_easy_setopt(c, CURLOPT_POSTFIELDS, t->m->body.p) == CURLE_OK;
    return ok;
}

static bool set_bounds(struct transfer *t) {
    CURL *c = t->easy;
    long ms = t->m->timeout_ms < FETCH_MS_MAX ? (long)t->m->timeout_ms : (long)FETCH_MS_MAX;
    t->answer.max = t->m->size_max < FETCH_SIZE_MAX ? t->m->size_max : FETCH_SIZE_MAX;
    return curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, ms > 0 ? ms : 1) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_answer) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_WRITEDATA, t) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->error) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_PRIVATE, t) == CURLE_OK;
}

static void begin(struct transfer *t) {
    struct fetch_curl *f = t->curl;
    struct err e;
    add_text(&t->url, t->m->url);
    add_text(&t->user_password, t->m->user_password);
    if (!fetch_host_find(&f->host, t->url.p, loop_now(f->world->loop), &e)) {
        fail(t, slice_str(e.text));
        return;
    }
    t->resolve = curl_slist_append(NULL, f->host.entry.p);
    t->headers = curl_slist_append(NULL, "Accept: application/json");
    t->easy = curl_easy_init();
    if (!t->resolve || !t->headers || !t->easy || !set_target(t) || !set_request(t) || !set_bounds(t) ||
        curl_multi_add_handle(f->multi, t->easy) != CURLM_OK)
        fail(t, SLICE("libcurl takes no request"));
}

static void end(struct transfer *t, CURLcode code) {
    long status = 0;
    if (code != CURLE_OK) {
        fail(t, slice_str(t->error[0] ? t->error : curl_easy_strerror(code)));
        return;
    }
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    struct message_fetch_reply reply = {.status = status > 0 ? (uint32_t)status : 0, .body = buf_slice(&t->answer)};
    t->done(t->arg, &reply);
    transfer_free(t);
}

// --- all of them

static void begin_fresh(struct fetch_curl *f) {
    for (struct list *at = list_shift(&f->fresh); at; at = list_shift(&f->fresh)) {
        list_append(&f->running, at);
        begin(LIST_ENTRY(at, struct transfer, entry));
    }
}

// Which of them are ready is not asked: a read too many costs nothing on so few.
static void look(struct fetch_curl *f) {
    curl_socket_t fds[WATCHES_MAX];
    size_t n = 0;
    int running;
    LIST_EACH(at, &f->watches) if (n < WATCHES_MAX) fds[n++] = LIST_ENTRY(at, struct watch, entry)->fd.fd;
    for (size_t i = 0; i < n; i++)
        curl_multi_socket_action(f->multi, fds[i], CURL_CSELECT_IN | CURL_CSELECT_OUT, &running);
    curl_multi_socket_action(f->multi, CURL_SOCKET_TIMEOUT, 0, &running);
}

static void end_finished(struct fetch_curl *f) {
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(f->multi, &left))) {
        struct transfer *t = NULL;
        if (message->msg == CURLMSG_DONE && curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &t) == CURLE_OK)
            end(t, message->data.result);
    }
}

static void on_task(struct loop_task *task) {
    struct fetch_curl *f = LIST_ENTRY(task, struct fetch_curl, task);
    begin_fresh(f);
    look(f);
    end_finished(f);
    bool some = !list_empty(&f->running);
    loop_timer_set(f->world->loop, &f->timer, some ? loop_in_ms(f->world->loop, LOOK_AGAIN_MS) : MONO_NEVER);
}

static void on_timer(struct loop_timer *timer) {
    struct fetch_curl *f = LIST_ENTRY(timer, struct fetch_curl, timer);
    loop_task_set(f->world->loop, &f->task);
}

void fetch_curl_start(struct fetch_curl *f, const struct message_fetch *m,
                      void (*done)(void *arg, const struct message_fetch_reply *reply), void *arg) {
    struct transfer *t = MEM_NEW(struct transfer);
    *t = (struct transfer){.curl = f, .m = m, .done = done, .arg = arg};
    list_append(&f->fresh, &t->entry);
    loop_task_set(f->world->loop, &f->task);
}

static bool set_up(struct fetch_curl *f) {
    return f->multi && curl_multi_setopt(f->multi, CURLMOPT_SOCKETFUNCTION, on_socket) == CURLM_OK &&
           curl_multi_setopt(f->multi, CURLMOPT_SOCKETDATA, f) == CURLM_OK &&
           curl_multi_setopt(f->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT) == CURLM_OK;
}

struct fetch_curl *fetch_curl_new(struct world *w, struct slice authorities, struct err *e) {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        err_set(e, ERR_TEMPORARY, "libcurl can't be set up");
        return NULL;
    }
    host_address_prepare();
    struct fetch_curl *f = MEM_NEW(struct fetch_curl);
    *f = (struct fetch_curl){.world = w, .task = {.run = on_task}, .timer = {.fire = on_timer}};
    list_init(&f->fresh);
    list_init(&f->running);
    list_init(&f->watches);
    if (authorities.n) {
        f->authorities = mem_new(authorities.n + 1, 1);
        memcpy(f->authorities, authorities.p, authorities.n);
    }
    f->multi = curl_multi_init();
    if (set_up(f))
        return f;
    err_set(e, ERR_TEMPORARY, "libcurl can't be set up");
    fetch_curl_free(f);
    return NULL;
}

void fetch_curl_free(struct fetch_curl *f) {
    if (!f)
        return;
    LIST_EACH(at, &f->running) transfer_free(LIST_ENTRY(at, struct transfer, entry));
    LIST_EACH(at, &f->fresh) transfer_free(LIST_ENTRY(at, struct transfer, entry));
    curl_multi_cleanup(f->multi);
    LIST_EACH(at, &f->watches) unwatch(LIST_ENTRY(at, struct watch, entry));
    loop_timer_stop(f->world->loop, &f->timer);
    loop_task_stop(&f->task);
    fetch_host_done(&f->host);
    free(f->authorities);
    free(f);
    curl_global_cleanup();
}
