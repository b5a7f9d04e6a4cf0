// config_value: numbers with units, choices and switches.
#include "core/config/config_value.h"

#include "base/num.h"
#include "base/when.h"

#include <stdio.h>

struct unit {
    const char *name;
    uint64_t factor;
};

// Largest first: that is how a value is written.
static const struct unit size_units[] = {{"G", 1 << 30}, {"M", 1 << 20}, {"K", 1 << 10}, {"", 1}};
static const struct unit time_units[] = {{"d", MS_DAY}, {"h", MS_HOUR}, {"m", MS_MINUTE}, {"s", MS_SECOND}, {"ms", 1}};
static const struct unit no_units[] = {{"", 1}};
static const char *const switch_words[] = {"off", "on", NULL};

static const struct unit *units_of(const struct config_directive *d, size_t *n) {
    switch (d->type) {
    case CONFIG_SIZE:
    case CONFIG_BIG_SIZE:
        *n = sizeof size_units / sizeof *size_units;
        return size_units;
    case CONFIG_TIME:
    case CONFIG_TIME_RANGE:
        *n = sizeof time_units / sizeof *time_units;
        return time_units;
    default:
        *n = 1;
        return no_units;
    }
}

static const char *const *words_of(const struct config_directive *d) {
    return d->type == CONFIG_SWITCH ? switch_words : d->type == CONFIG_CHOICE ? d->choices : NULL;
}

static bool parse_word(const char *const *words, struct slice word, uint64_t *out) {
    for (uint64_t i = 0; words[i]; i++)
        if (slice_eq(word, slice_str(words[i]))) {
            *out = i;
            return true;
        }
    return false;
}

bool config_value_parse(const struct config_directive *d, struct slice word, uint64_t *out) {
    const char *const *words = words_of(d);
    if (words)
        return parse_word(words, word, out);
    size_t digits = 0, n;
    while (digits < word.n && ascii_digit(word.p[digits]))
        digits++;
    uint64_t value;
    if (!num_u64(slice_upto(word, digits), d->most, &value))
        return false;
    const struct unit *units = units_of(d, &n);
    for (size_t i = 0; i < n; i++) {
        if (!slice_ieq(slice_from(word, digits), slice_str(units[i].name)))
            continue;
        if (value > d->most / units[i].factor || value * units[i].factor < d->least)
            return false;
        *out = value * units[i].factor;
        return true;
    }
    return false;
}

bool config_value_write(struct buf *b, const struct config_directive *d, uint64_t value) {
    const char *const *words = words_of(d);
    if (words)
        return buf_add_str(b, words[value]);
    size_t n, i = 0;
    const struct unit *units = units_of(d, &n);
    while (i + 1 < n && (value == 0 || value % units[i].factor != 0))
        i++;
    return buf_add_u64(b, value / units[i].factor) && buf_add_str(b, units[i].name);
}

static void expect_words(const char *const *words, struct buf *b) {
    for (size_t i = 0; words[i]; i++)
        buf_addf(b, "%s\"%s\"", i == 0 ? "" : words[i + 1] ? ", " : " or ", words[i]);
}

void config_value_expected(const struct config_directive *d, char *text, size_t n) {
    BUF_AUTO struct buf b = {.max = 512};
    if (words_of(d)) {
        expect_words(words_of(d), &b);
    } else {
        size_t units;
        units_of(d, &units);
        buf_add_str(&b, units == 1                          ? "a number from "
                        : units_of(d, &units) == size_units ? "a size from "
                                                            : "a time from ");
        config_value_write(&b, d, d->least);
        buf_add_str(&b, " to ");
        config_value_write(&b, d, d->most);
    }
    snprintf(text, n, "%.*s", SLICE_ARG(buf_slice(&b)));
}

static size_t width_of(const struct config_directive *d) {
    switch (d->type) {
    case CONFIG_SWITCH:
        return sizeof(bool);
    case CONFIG_COUNT:
    case CONFIG_SIZE:
    case CONFIG_COUNT_RANGE:
    case CONFIG_CHOICE:
        return sizeof(uint32_t);
    default:
        return sizeof(uint64_t);
    }
}

_Static_assert(sizeof(enum config_line_ends) == sizeof(uint32_t), "choices are stored as 32 bits");

void config_value_store(struct config *c, const struct config_directive *d, bool second, uint64_t value) {
    char *at = (char *)c + (second ? d->at_most : d->at);
    uint32_t word = (uint32_t)value;
    bool flag = value != 0;
    switch (width_of(d)) {
    case sizeof(bool):
        memcpy(at, &flag, sizeof flag);
        break;
    case sizeof word:
        memcpy(at, &word, sizeof word);
        break;
    default:
        memcpy(at, &value, sizeof value);
        break;
    }
}

uint64_t config_value_load(const struct config *c, const struct config_directive *d, bool second) {
    const char *at = (const char *)c + (second ? d->at_most : d->at);
    uint64_t value = 0;
    uint32_t word;
    bool flag;
    switch (width_of(d)) {
    case sizeof(bool):
        memcpy(&flag, at, sizeof flag);
        return flag;
    case sizeof word:
        memcpy(&word, at, sizeof word);
        return word;
    default:
        memcpy(&value, at, sizeof value);
        return value;
    }
}
