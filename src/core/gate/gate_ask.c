// gate_ask: Postfix's policy delegation: what is said of a client and its mail, and what the answer means (access(5) of
// Postfix, SMTPD_POLICY_README).
#include "core/gate/gate_inside.h"

#include "base/num.h"
#include "core/queue/queue_id.h"
#include "wire/delegation.h"

enum { VALUE_MAX = 1024, FIELD_MAX = 990 }; // RFC 5322 2.1.1: a line

// --- the request

static void put(struct buf *b, const char *name, struct slice value) {
    delegation_put(b, slice_str(name), slice_upto(value, VALUE_MAX));
}

static void put_number(struct buf *b, const char *name, uint64_t n) {
    char place[24];
    struct buf text = {.p = place, .cap = sizeof place, .max = sizeof place};
    buf_add_u64(&text, n);
    put(b, name, buf_slice(&text));
}

static void put_ip(struct buf *b, const char *name, const struct netaddr *ip) {
    char place[64];
    struct buf text = {.p = place, .cap = sizeof place, .max = sizeof place};
    netaddr_add_ip(&text, ip);
    put(b, name, buf_slice(&text));
}

static void put_client(struct gate *g, const struct gate_wire *w, struct buf *b) {
    const struct iprev *i = gate_find_iprev(g);
    bool confirmed = i->result == AUTH_IPREV_PASS;
    put_ip(b, "client_address", &g->who.ip);
    put(b, "client_name", confirmed ? i->name : SLICE("unknown"));
    put(b, "reverse_client_name", i->name.n ? i->name : SLICE("unknown"));
    put_number(b, "client_port", g->who.ip.port);
    put_ip(b, "server_address", &g->who.local);
    put_number(b, "server_port", g->who.local.port);
    put(b, "helo_name", g->helo_name);
    put(b, "sasl_method", SLICE_EMPTY);
    put(b, "sasl_username", g->who.user);
    put(b, "sasl_sender", SLICE_EMPTY);
    put(b, "encryption_protocol", g->who.tls && w->tls_version.n == 0 ? SLICE("TLS") : w->tls_version);
    put(b, "encryption_cipher", w->cipher);
    put_number(b, "encryption_keysize", (uint64_t)w->cipher_bits);
}

static void put_mail(const struct gate_message *m, enum config_stage stage, const struct gate_wire *w, struct buf *b) {
    bool content = stage == CONFIG_STAGE_CONTENT;
    char id[QUEUE_ID_TEXT];
    queue_id_print(m->content.queue_id, id);
    put(b, "queue_id", content && m->content.queue_id ? slice_of(id, sizeof id) : SLICE_EMPTY);
    put(b, "sender", m->sender);
    put(b, "recipient",
        stage == CONFIG_STAGE_RECIPIENT           ? m->recipient
        : content && m->content.recipients_n == 1 ? m->content.recipients[0]
                                                  : SLICE_EMPTY);
    put_number(b, "recipient_count", content ? m->content.recipients_n : 0);
    put_number(b, "size", content ? m->content.size : w->size);
}

// What Postfix has and isn't here: strangers show no certificates that mean something.
static void put_nothing(struct buf *b) {
    static const char *const names[] = {
        "ccert_subject", "ccert_issuer",   "ccert_fingerprint",   "ccert_pubkey_fingerprint",
        "etrn_domain",   "policy_context", "compatibility_level", "mail_version"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        put(b, names[i], SLICE_EMPTY);
}

bool gate_ask_request(struct gate *g, enum config_stage stage, struct buf *out) {
    static const char *const states[CONFIG_STAGE_COUNT] = {"CONNECT", "EHLO", "MAIL", "RCPT", "END-OF-MESSAGE"};
    static const struct gate_message nothing = {0};
    struct gate_wire w = {0};
    char place[128];
    struct buf instance = {.p = place, .cap = sizeof place, .max = sizeof place};
    buf_add(&instance, slice_upto(g->who.session, 64));
    buf_addf(&instance, ".%u", g->messages);
    if (g->outside->wire)
        g->outside->wire(g->arg, &w);
    bool hello = w.hello && stage >= CONFIG_STAGE_HELO;
    put(out, "request", SLICE("smtpd_access_policy"));
    put(out, "protocol_state", hello && stage == CONFIG_STAGE_HELO ? SLICE("HELO") : slice_str(states[stage]));
    put(out, "protocol_name", hello || stage == CONFIG_STAGE_CONNECT ? SLICE("SMTP") : SLICE("ESMTP"));
    put(out, "instance", buf_slice(&instance));
    put_client(g, &w, out);
    put_mail(g->message ? g->message : &nothing, stage, &w, out);
    put(out, "stress", w.stress ? SLICE("yes") : SLICE_EMPTY);
    put_nothing(out);
    return delegation_end(out);
}

// --- the answer

static struct slice take_word(struct slice *rest) {
    struct slice s = slice_trim(*rest);
    size_t n = 0;
    while (n < s.n && !ascii_space(s.p[n]))
        n++;
    *rest = slice_trim(slice_from(s, n));
    return slice_upto(s, n);
}

static bool is_code(struct slice word, int *code) {
    uint64_t n;
    if (word.n != 3 || !num_u64(word, 599, &n) || n < 400)
        return false;
    *code = (int)n;
    return true;
}

// "5.7.1" of the class of `code`.
static bool is_enhanced(struct slice word, int code) {
    struct slice class, subject, detail;
    uint64_t a, b, c;
    return slice_cut(word, '.', &class, &subject) && slice_cut(subject, '.', &subject, &detail) && subject.n <= 3 &&
           detail.n <= 3 && num_u64(class, 5, &a) && num_u64(subject, 999, &b) && num_u64(detail, 999, &c) &&
           (int)a == code / 100;
}

// A reply is a line of ASCII, whatever a server of policy says.
static void set_reply(struct err *e, int code, const char *enhanced, struct slice text) {
    char line[ERR_TEXT];
    size_t n = 0;
    for (; n < text.n && n + 1 < sizeof line; n++)
        line[n] = text.p[n] >= ' ' && text.p[n] < 0x7f ? text.p[n] : '?';
    err_smtp(e, code, enhanced, "%.*s", (int)n, line);
}

static void refuse(struct gate_answer *out, int code, struct slice text) {
    struct slice rest = text, first = take_word(&rest);
    char enhanced[16] = "5.7.1";
    enhanced[0] = (char)('0' + code / 100);
    if (first.n < sizeof enhanced && is_enhanced(first, code)) {
        memcpy(enhanced, first.p, first.n);
        enhanced[first.n] = '\0';
        text = rest;
    }
    out->kind = GATE_ANSWER_REFUSE;
    if (text.n == 0)
        text = code / 100 == 4 ? SLICE("not now, by policy; try again later") : SLICE("refused by policy");
    set_reply(&out->why, code, enhanced, text);
}

// Only what is a field: a name, a colon, a value of visible characters and blanks.
static bool is_field(struct slice s) {
    size_t colon = slice_find(s, ':');
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f || (i < colon && (s.p[i] == ' ' || s.p[i] & 0x80)))
            return false;
    return colon > 0 && colon < s.n && s.n <= FIELD_MAX;
}

static bool is_address(struct slice s) {
    size_t at = slice_rfind(s, '@');
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
            return false;
    return at > 0 && at + 1 < s.n;
}

// There is no transport that a message could be given to, so FILTER can't be obeyed.
static const struct {
    const char *word;
    enum gate_answer_kind kind;
    int code;
} words[] = {
    {"DUNNO", GATE_ANSWER_GO_ON, 0},
    {"OK", GATE_ANSWER_ACCEPT, 0},
    {"PERMIT", GATE_ANSWER_ACCEPT, 0},
    {"REJECT", GATE_ANSWER_REFUSE, 554},
    {"DEFER", GATE_ANSWER_REFUSE, 450},
    {"DEFER_IF_PERMIT", GATE_ANSWER_DEFER_IF_PERMIT, 450},
    {"DEFER_IF_REJECT", GATE_ANSWER_DEFER_IF_REJECT, 450},
    {"PREPEND", GATE_ANSWER_PREPEND, 0},
    {"REDIRECT", GATE_ANSWER_REDIRECT, 0},
    {"BCC", GATE_ANSWER_BCC, 0},
    {"FILTER", GATE_ANSWER_ODD, 0},
    {"HOLD", GATE_ANSWER_HOLD, 0},
    {"DISCARD", GATE_ANSWER_DISCARD, 0},
    {"WARN", GATE_ANSWER_WARN, 0},
    {"INFO", GATE_ANSWER_WARN, 0},
};

static void take_known(struct slice word, struct slice text, struct gate_answer *out) {
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (slice_ieq(word, slice_str(words[i].word))) {
            if (words[i].code)
                refuse(out, words[i].code, text);
            out->kind = words[i].kind;
            out->text = text;
        }
}

// Stamps of time, from those who keep track of who fetched mail: access(5) of Postfix.
static bool is_number(struct slice s) {
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_digit(s.p[i]))
            return false;
    return s.n > 0;
}

void gate_answer_read(struct slice answer, struct gate_answer *out) {
    struct slice text = answer, word = take_word(&text);
    int code;
    *out = (struct gate_answer){.kind = word.n ? GATE_ANSWER_UNKNOWN : GATE_ANSWER_ODD};
    if (is_code(word, &code))
        refuse(out, code, text);
    else if (is_number(answer))
        out->kind = GATE_ANSWER_ACCEPT;
    else
        take_known(word, text, out);
    bool address = out->kind == GATE_ANSWER_REDIRECT || out->kind == GATE_ANSWER_BCC;
    if ((out->kind == GATE_ANSWER_PREPEND && !is_field(out->text)) || (address && !is_address(out->text)))
        out->kind = GATE_ANSWER_ODD;
}
