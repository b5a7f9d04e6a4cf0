// submit_header: one walk to see what is there, one to write it.
#include "mail/submit/submit_header.h"

#include "mail/header/auth_results.h"
#include "mail/header/header.h"

// What the section has.
struct seen {
    struct header_field from, sender;
    unsigned froms, senders;
    bool date, message_id;
};

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

static bool is(const struct header_field *f, const char *name) { return slice_ieq(f->name, slice_str(name)); }

static bool is_dropped(const struct header_field *f, struct slice hostname) {
    return is(f, "Bcc") || is(f, "Resent-Bcc") ||
           (is(f, "Authentication-Results") && auth_results_forged(f->value, hostname));
}

static void look(struct slice section, struct seen *seen, struct submit_header *found) {
    struct header_field f;
    while (header_next(&section, &f)) {
        if (is(&f, "From") && seen->froms++ == 0)
            seen->from = f;
        else if (is(&f, "Sender") && seen->senders++ == 0)
            seen->sender = f;
        seen->date |= is(&f, "Date");
        seen->message_id |= is(&f, "Message-ID");
        found->mime |= is(&f, "MIME-Version") || slice_istarts(f.name, SLICE("Content-"));
    }
}

// --- who it is from

static bool read_from(const struct seen *seen, struct arena *arena, struct submit_header *found, struct err *e) {
    if (seen->froms > 1)
        return err_smtp(e, 550, "5.6.0", "the message has %u From fields; one is allowed", seen->froms);
    if (!mailboxes_parse(seen->from.value, arena, &found->from, e))
        return err_while(e, "From");
    return found->from.n || err_smtp(e, 550, "5.6.0", "From: there is no address");
}

static bool read_sender(const struct seen *seen, struct arena *arena, struct submit_header *found, struct err *e) {
    if (seen->senders > 1)
        return err_smtp(e, 550, "5.6.0", "the message has %u Sender fields; one is allowed", seen->senders);
    if (!mailboxes_parse(seen->sender.value, arena, &found->sender, e))
        return err_while(e, "Sender");
    return found->sender.n == 1 || err_smtp(e, 550, "5.6.0", "Sender: there must be one address");
}

// --- writing

static void add_missing(const struct seen *seen, const struct submit_header_facts *facts,
                        const struct submit_header *found, struct buf *out) {
    if (!seen->date) {
        buf_add_str(out, "Date: ");
        wall_add_rfc5322(out, facts->now);
        buf_add_str(out, "\r\n");
    }
    if (!seen->froms)
        buf_addf(out, "From: %.*s\r\n", SLICE_ARG(facts->user));
    if (!seen->senders && found->from.n > 1)
        buf_addf(out, "Sender: %.*s\r\n", SLICE_ARG(facts->user));
    if (!seen->message_id)
        buf_addf(out, "Message-ID: <%.*s>\r\n", SLICE_ARG(facts->message_id));
}

// Where to fold `line` so that at most `most` octets stand before: before a blank that something follows, and behind
// something, since a line of blanks alone ends the header for some. 0: nowhere.
static size_t find_fold(struct slice line, size_t least, size_t most) {
    while (least < line.n && is_blank(line.p[least]))
        least++;
    for (size_t i = most; i > least; i--)
        if (is_blank(line.p[i]) && i + 1 < line.n && !is_blank(line.p[i + 1]))
            return i;
    return 0;
}

// `least`: the bytes that must not be cut, "Name:" of the first line.
static bool fold_line(struct slice line, size_t least, struct buf *out, struct err *e) {
    bool added = false; // a blank of ours, which the line's length must count
    while (line.n + added > SUBMIT_LINE_MAX) {
        size_t most = SUBMIT_LINE_MAX - added, at = find_fold(line, least, most);
        if (at == 0)
            for (at = most; at > most - 3 && ((uint8_t)line.p[at] & 0xc0) == 0x80;) // not inside of a character
                at--;
        if (at < least)
            return err_smtp(e, 550, "5.6.0", "the name of a header field is too long");
        buf_add(out, slice_upto(line, at));
        line = slice_from(line, at);
        added = !is_blank(line.p[0]);
        buf_add_str(out, added ? "\r\n " : "\r\n");
        least = 1;
    }
    return buf_add(out, line);
}

static bool add_field(const struct header_field *f, struct buf *out, struct err *e) {
    if (f->whole.n <= SUBMIT_LINE_MAX)
        return buf_add(out, f->whole);
    struct slice rest = f->whole;
    size_t least = (size_t)(f->value.p - f->whole.p);
    while (rest.n) {
        size_t n = slice_find(rest, '\n'), end = n < rest.n ? 1 : 0;
        if (n > 0 && end && rest.p[n - 1] == '\r') {
            n--;
            end++;
        }
        if (!fold_line(slice_upto(rest, n), least, out, e))
            return false;
        buf_add(out, slice_upto(slice_from(rest, n), end));
        rest = slice_from(rest, n + end);
        least = 1;
    }
    return true;
}

bool submit_header_fix(struct slice section, const struct submit_header_facts *facts, struct arena *arena,
                       struct buf *out, struct submit_header *found, struct err *e) {
    struct submit_header h = {0};
    struct seen seen = {0};
    struct header_field f;
    bool ends = section.n == 0 || section.p[section.n - 1] == '\n';
    look(section, &seen, &h);
    if ((seen.froms && !read_from(&seen, arena, &h, e)) || (seen.senders && !read_sender(&seen, arena, &h, e)))
        return false;
    if (!seen.froms && !mailboxes_parse(facts->user, arena, &h.from, e))
        return false;
    h.from_added = !seen.froms;
    add_missing(&seen, facts, &h, out);
    while (header_next(&section, &f))
        if (!is_dropped(&f, facts->hostname) && !add_field(&f, out, e))
            return false;
    if (!ends && out->n && out->p[out->n - 1] != '\n')
        buf_add_str(out, "\r\n");
    if (out->failed)
        return err_smtp(e, 451, "4.3.0", "out of memory for a header");
    *found = h;
    return true;
}
