// metric: counting, packing and rendering, all driven by the one table.
#include "rt/metric.h"
#include "base/hash.h"
#include "base/pack.h"

#include <assert.h>
#include <sys/resource.h>

enum type { TYPE_COUNTER, TYPE_GAUGE, TYPE_HISTOGRAM };
enum unit { UNIT_ONE, UNIT_NS };
enum merge { MERGE_SUM, MERGE_EACH };

struct label {
    const char *key;
    const char *const *values;
    unsigned n;
};

#define X_MEMBER(list, member, value) value,
#define X(list, key) static const char *const values_##list[] = {METRIC_LABEL_##list(X_MEMBER, list)};
METRIC_LABELS(X)
#undef X
#define X(list, key) static const struct label label_##list = {key, values_##list, METRIC_##list##__COUNT};
METRIC_LABELS(X)
#undef X
#undef X_MEMBER

struct row {
    const char *name;
    enum type type;
    enum unit unit;
    enum merge merge;
    const struct label *label;
    size_t slot;  // the first
    size_t slots; // of one label value
    const char *help;
};

static const struct row rows[] = {
#define X(id, name, type, unit, merge, label, help)                                                                    \
    {name, TYPE_##type, UNIT_##unit, MERGE_##merge, &label_##label, METRIC_SLOT_##id, METRIC_##type##_SLOTS, help},
    METRICS(X)
#undef X
};

#define MS_NS INT64_C(1000000)
#define SECOND_NS INT64_C(1000000000)

// Fine where a sync or a lookup lies, coarse where a retry does.
static const int64_t bounds[METRIC_BOUNDS] = {
    MS_NS / 2,         MS_NS,
    MS_NS * 5 / 2,     5 * MS_NS,
    10 * MS_NS,        25 * MS_NS,
    50 * MS_NS,        100 * MS_NS,
    250 * MS_NS,       500 * MS_NS,
    SECOND_NS,         SECOND_NS * 5 / 2,
    5 * SECOND_NS,     10 * SECOND_NS,
    30 * SECOND_NS,    60 * SECOND_NS,
    300 * SECOND_NS,   3600 * SECOND_NS,
    14400 * SECOND_NS, 86400 * SECOND_NS,
};

size_t metric_slot(enum metric_id id, unsigned label) {
    assert(id < METRIC_COUNT && label < rows[id].label->n);
    return rows[id].slot + label * rows[id].slots;
}

void metric_observe(struct metric *m, enum metric_id id, unsigned label, int64_t ns) {
    assert(rows[id].type == TYPE_HISTOGRAM);
    uint64_t *v = m->v + metric_slot(id, label);
    size_t i = 0;
    while (i < METRIC_BOUNDS && ns > bounds[i])
        i++;
    v[i]++;
    v[METRIC_BOUNDS + 1] += ns > 0 ? (uint64_t)ns : 0;
}

static int64_t timeval_ns(struct timeval t) { return t.tv_sec * SECOND_NS + t.tv_usec * 1000; }

void metric_observe_process(struct metric *m) {
    struct rusage use;
    if (getrusage(RUSAGE_SELF, &use) != 0)
        return;
    metric_set(m, METRIC_PROCESS_CPU, timeval_ns(use.ru_utime) + timeval_ns(use.ru_stime));
    metric_set(m, METRIC_PROCESS_MEMORY, use.ru_maxrss * 1024);
}

// Of all names, labels and types: equal only when both ends mean the same slots.
static uint32_t table_mark(void) {
    uint32_t crc = METRIC_SLOTS;
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        crc = hash_crc32c(crc, slice_str(rows[i].name));
        crc = hash_crc32c(crc, slice_of(&rows[i].type, sizeof rows[i].type));
        for (unsigned l = 0; l < rows[i].label->n; l++)
            crc = hash_crc32c(crc, slice_str(rows[i].label->values[l]));
    }
    return crc;
}

bool metric_pack(const struct metric *m, struct buf *out) {
    pack_u32(out, table_mark());
    for (size_t i = 0; i < METRIC_SLOTS; i++)
        pack_u64(out, m->v[i]);
    return !out->failed;
}

bool metric_unpack(struct slice bytes, struct metric *out, struct err *e) {
    struct unpack u = {.rest = bytes};
    if (unpack_u32(&u) != table_mark())
        return err_set(e, ERR_TEMPORARY, "metrics of another version");
    struct metric m;
    for (size_t i = 0; i < METRIC_SLOTS; i++)
        m.v[i] = unpack_u64(&u);
    if (!unpack_end(&u))
        return err_set(e, ERR_TEMPORARY, "metrics cut short, or too long");
    *out = m;
    return true;
}

void metric_retire(struct metric *gone, const struct metric *last) {
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        const struct row *r = &rows[i];
        if (r->type == TYPE_GAUGE || r->merge == MERGE_EACH)
            continue;
        for (size_t s = r->slot; s < r->slot + r->slots * r->label->n; s++)
            gone->v[s] += last->v[s];
    }
}

// One line's labels: {process="smtpd-1",reason="relay",le="0.5"}, those that are there.
struct labels {
    const char *process;
    const char *key, *value;
    const char *le;
};

static void add_label(struct buf *out, char *before, const char *key, const char *value) {
    if (!value || !*key)
        return;
    buf_add_char(out, *before);
    *before = ',';
    buf_add_str(out, key);
    buf_add(out, SLICE("=\""));
    buf_add_str(out, value); // ours, and plain
    buf_add_char(out, '"');
}

static void begin_line(struct buf *out, const struct row *r, const char *suffix, struct labels l) {
    char before = '{';
    buf_add(out, SLICE("posthouse_"));
    buf_add_str(out, r->name);
    buf_add_str(out, suffix);
    add_label(out, &before, "process", l.process);
    add_label(out, &before, l.key, l.value);
    add_label(out, &before, "le", l.le);
    buf_add_str(out, before == ',' ? "} " : " ");
}

// Nanoseconds as seconds, without trailing zeros.
static void add_seconds(struct buf *out, int64_t ns) {
    uint64_t size = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    char text[48];
    struct buf b = {.p = text, .cap = sizeof text, .max = sizeof text};
    buf_addf(&b, "%s%llu.%09llu", ns < 0 ? "-" : "", (unsigned long long)(size / (uint64_t)SECOND_NS),
             (unsigned long long)(size % (uint64_t)SECOND_NS));
    while (b.n > 0 && text[b.n - 1] == '0')
        b.n--;
    if (b.n > 0 && text[b.n - 1] == '.')
        b.n--;
    buf_add(out, buf_slice(&b));
}

static void add_value(struct buf *out, const struct row *r, uint64_t v) {
    int64_t i = (int64_t)v;
    if (r->unit == UNIT_NS) {
        add_seconds(out, i);
    } else if (r->type == TYPE_GAUGE && i < 0) {
        buf_add_char(out, '-');
        buf_add_u64(out, 0 - v);
    } else {
        buf_add_u64(out, v);
    }
    buf_add_char(out, '\n');
}

static void render_histogram(struct buf *out, const struct row *r, struct labels l, const uint64_t *v) {
    uint64_t count = 0;
    for (size_t i = 0; i <= METRIC_BOUNDS; i++) {
        char text[32] = "+Inf";
        struct buf b = {.p = text, .cap = sizeof text, .max = sizeof text - 1};
        if (i < METRIC_BOUNDS) {
            add_seconds(&b, bounds[i]);
            text[b.n] = 0;
        }
        l.le = text;
        count += v[i];
        begin_line(out, r, "_bucket", l);
        buf_add_u64(out, count);
        buf_add_char(out, '\n');
    }
    l.le = NULL;
    begin_line(out, r, "_sum", l);
    add_value(out, r, v[METRIC_BOUNDS + 1]);
    begin_line(out, r, "_count", l);
    buf_add_u64(out, count);
    buf_add_char(out, '\n');
}

// Every label value of one metric of one process, or of the sum.
static void render_row(struct buf *out, const struct row *r, const char *process, const struct metric *m) {
    for (unsigned i = 0; i < r->label->n; i++) {
        struct labels l = {.process = process, .key = r->label->key, .value = r->label->values[i]};
        const uint64_t *v = m->v + r->slot + i * r->slots;
        if (r->type == TYPE_HISTOGRAM) {
            render_histogram(out, r, l, v);
        } else {
            begin_line(out, r, "", l);
            add_value(out, r, *v);
        }
    }
}

static void render_head(struct buf *out, const char *name, const char *type, const char *help) {
    const char *const parts[] = {"# HELP posthouse_", name, " ", help, "\n# TYPE posthouse_", name, " ", type, "\n"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        buf_add_str(out, parts[i]);
}

static void sum_all(const struct metric_process *processes, size_t n, const struct metric *gone, struct metric *sum) {
    *sum = gone ? *gone : (struct metric){0};
    for (size_t p = 0; p < n; p++) {
        for (size_t i = 0; i < METRIC_SLOTS; i++)
            sum->v[i] += processes[p].values.v[i];
    }
}

bool metric_render(const struct metric_process *processes, size_t n, const struct metric *gone, struct slice version,
                   struct buf *out) {
    static const char *const types[] = {"counter", "gauge", "histogram"};
    struct metric sum;
    sum_all(processes, n, gone, &sum);
    render_head(out, "build_info", "gauge", "1, with the version of the program");
    buf_addf(out, "posthouse_build_info{version=\"%.*s\"} 1\n", SLICE_ARG(version));
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        const struct row *r = &rows[i];
        render_head(out, r->name, types[r->type], r->help);
        if (r->merge == MERGE_SUM)
            render_row(out, r, NULL, &sum);
        for (size_t p = 0; p < n && r->merge == MERGE_EACH; p++)
            render_row(out, r, processes[p].name, &processes[p].values);
    }
    return !out->failed;
}
