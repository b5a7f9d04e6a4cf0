// gate_facts: whom to ask for a fact; what belongs to the client and its HELO.
#include "core/gate/gate_inside.h"

static struct gate *gate_of(struct rule_facts *f) { return LIST_ENTRY(f, struct gate, facts); }

static void remember_field(struct gate *g, struct slice name, struct slice value) {
    struct gate_message *m = g->message;
    struct gate_field *f = m->fields_n < GATE_ASKED_HEADERS_MAX ? ARENA_NEW(&g->mail.arena, struct gate_field) : NULL;
    if (!f)
        return;
    *f = (struct gate_field){m->fields, arena_dup(&g->mail.arena, name), arena_dup(&g->mail.arena, value)};
    m->fields = f;
    m->fields_n++;
}

static bool is_remembered(const struct gate *g, struct slice name, struct slice *value) {
    for (const struct gate_field *f = g->message->fields; f; f = f->older)
        if (slice_ieq(f->name, name)) {
            *value = f->value;
            return true;
        }
    return false;
}

static void find_out(struct gate *g, enum fact which, struct slice name, struct fact_value *out) {
    enum config_stage stage = fact_infos[which].stage;
    if (stage <= CONFIG_STAGE_HELO)
        gate_fact_client(g, which, out);
    else if (g->message && stage <= CONFIG_STAGE_RECIPIENT)
        gate_fact_mail(g, which, out);
    else if (g->message)
        gate_fact_content(g, which, name, out);
}

static void get(struct gate *g, enum fact which, struct slice name, struct fact_value *out) {
    enum fact_type type = fact_infos[which].type;
    if (!g->outside->fact || !g->outside->fact(g->arg, which, name, out)) {
        *out = (struct fact_value){.type = type};
        find_out(g, which, name, out);
    }
    out->type = type;
}

void gate_fact(struct rule_facts *f, enum fact which, struct slice name, struct fact_value *out) {
    struct gate *g = gate_of(f);
    bool field = which == FACT_HEADER && g->message;
    *out = (struct fact_value){.type = fact_infos[which].type};
    gate_mark_seen(g, which);
    if (field && is_remembered(g, name, &out->text))
        return;
    get(g, which, name, out);
    if (field)
        remember_field(g, name, out->text);
}

static struct slice value_text(const struct fact_value *v, struct arena *arena) {
    BUF_AUTO struct buf b = {.max = GATE_HEADER_VALUE};
    if (v->type == FACT_TEXT)
        return v->text;
    fact_value_add(&b, v);
    return arena_dup(arena, buf_slice(&b));
}

bool gate_in_table(struct rule_facts *f, struct slice table, const struct fact_value *v) {
    struct gate *g = gate_of(f);
    ARENA_AUTO struct arena arena = {.max = GATE_HEADER_VALUE};
    bool found = false;
    return g->outside->in_table && g->outside->in_table(g->arg, table, value_text(v, &arena), &found) && found;
}
