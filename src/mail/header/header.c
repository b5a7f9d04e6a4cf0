// header: a scan that remembers only where in a line it is, and a walk over what is whole.
#include "mail/header/header.h"

// RFC 5322 2.2: a field's name is visible ASCII without the colon.
static bool is_name(char c) { return c > ' ' && c <= '~' && c != ':'; }

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

// state        | what comes now
enum state {
    LINE_START, // the first byte of a line
    NAME,       // a field's name
    AFTER_NAME, // blanks between the name and its colon (obsolete, RFC 5322 4.5.1)
    VALUE,      // anything up to the end of the line
    END_CR,     // a CR stood where a line begins
};

static void finish(struct header_scan *scan, bool broken) {
    scan->done = true;
    scan->broken = broken;
}

// The line turns out to be no field: it belongs to the body.
static void no_field(struct header_scan *scan) {
    scan->bytes -= scan->at.line;
    finish(scan, true);
}

static void begin_value(struct header_scan *scan) {
    struct slice name = slice_of(scan->at.name, scan->at.name_n);
    scan->at.state = VALUE;
    scan->at.some = true;
    scan->at.in_message_id = false;
    if (slice_ieq(name, SLICE("Received"))) {
        scan->received++;
    } else if (slice_ieq(name, SLICE("From"))) {
        scan->has_from = true;
    } else if (slice_ieq(name, SLICE("Date"))) {
        scan->has_date = true;
    } else if (slice_ieq(name, SLICE("Message-ID"))) {
        scan->at.in_message_id = !scan->has_message_id;
        scan->has_message_id = true;
    } else if (slice_ieq(name, SLICE("TLS-Required"))) {
        scan->at.in_tls_required = true;
        scan->at.word_n = 0;
    }
}

// Blanks around the word don't count; more than a short one is some other value.
static void keep_word(struct header_scan *scan, char c) {
    if (scan->at.word_n < sizeof scan->at.word && (scan->at.word_n || !is_blank(c)))
        scan->at.word[scan->at.word_n++] = c;
    else if (!is_blank(c))
        scan->at.word[0] = '?';
}

static void end_word(struct header_scan *scan) {
    struct slice word = slice_trim(slice_of(scan->at.word, scan->at.word_n));
    if (scan->at.in_tls_required && slice_ieq(word, SLICE("No")))
        scan->tls_optional = true;
    scan->at.in_tls_required = false;
}

static void keep_message_id(struct header_scan *scan, char c) {
    if (scan->message_id_n == HEADER_MESSAGE_ID_MAX || (scan->message_id_n == 0 && is_blank(c)))
        return;
    scan->message_id[scan->message_id_n++] = is_blank(c) ? ' ' : is_name(c) || c == ':' ? c : '?';
}

static void trim_message_id(struct header_scan *scan) {
    scan->at.in_message_id = false;
    while (scan->message_id_n && scan->message_id[scan->message_id_n - 1] == ' ')
        scan->message_id_n--;
}

static void end_value(struct header_scan *scan) {
    trim_message_id(scan);
    end_word(scan);
}

static void line_start(struct header_scan *scan, char c) {
    scan->at.line = 1;
    if (is_blank(c) && scan->at.some) { // a continuation
        scan->at.state = VALUE;
        if (scan->at.in_message_id)
            keep_message_id(scan, c);
        return;
    }
    end_value(scan);
    scan->at.name_n = 0;
    if (c == '\r') {
        scan->at.state = END_CR;
    } else if (c == '\n') {
        finish(scan, false);
    } else if (is_name(c)) {
        scan->at.state = NAME;
        scan->at.name[scan->at.name_n++] = c;
    } else {
        no_field(scan);
    }
}

static void name_byte(struct header_scan *scan, char c) {
    if (c == ':')
        begin_value(scan);
    else if (scan->at.state == NAME && is_blank(c))
        scan->at.state = AFTER_NAME;
    else if (scan->at.state == NAME ? !is_name(c) : !is_blank(c))
        no_field(scan);
    else if (scan->at.state == NAME && scan->at.name_n < HEADER_NAME_MAX)
        scan->at.name[scan->at.name_n++] = c;
}

static void value_byte(struct header_scan *scan, char c) {
    if (c == '\n')
        scan->at.state = LINE_START;
    else if (scan->at.in_message_id && c != '\r')
        keep_message_id(scan, c);
    else if (scan->at.in_tls_required && c != '\r')
        keep_word(scan, c);
}

static void take(struct header_scan *scan, char c) {
    scan->bytes++;
    scan->at.line++; // line_start() begins it anew
    switch ((enum state)scan->at.state) {
    case LINE_START:
        line_start(scan, c);
        break;
    case NAME:
    case AFTER_NAME:
        name_byte(scan, c);
        break;
    case VALUE:
        value_byte(scan, c);
        break;
    case END_CR:
        if (c == '\n')
            finish(scan, false);
        else
            no_field(scan);
        break;
    }
}

// Bytes of `piece` inside of a value that nobody looks at.
static size_t skip_value(const struct header_scan *scan, struct slice piece) {
    bool looked_at = scan->at.in_message_id || scan->at.in_tls_required;
    return scan->at.state == VALUE && !looked_at ? slice_find(piece, '\n') : 0;
}

void header_scan_feed(struct header_scan *scan, struct slice piece) {
    while (piece.n && !scan->done) {
        size_t n = skip_value(scan, piece);
        scan->bytes += n;
        scan->at.line += n;
        piece = slice_from(piece, n);
        if (piece.n) {
            take(scan, piece.p[0]);
            piece = slice_from(piece, 1);
        }
    }
}

void header_scan_end(struct header_scan *scan) {
    if (scan->done)
        return;
    if (scan->at.state == NAME || scan->at.state == AFTER_NAME || scan->at.state == END_CR) {
        no_field(scan);
    } else {
        end_value(scan);
        finish(scan, true);
    }
}

// Up to and including its LF; all of `s` where it has none.
static struct slice first_line(struct slice s) { return slice_upto(s, slice_find(s, '\n') + 1); }

static struct slice without_line_end(struct slice s) {
    if (s.n && s.p[s.n - 1] == '\n')
        s.n--;
    if (s.n && s.p[s.n - 1] == '\r')
        s.n--;
    return s;
}

// Whether `line` begins a field; then its name, and what follows the colon.
static bool cut_name(struct slice line, struct slice *name, struct slice *value) {
    size_t n = 0, blank;
    while (n < line.n && is_name(line.p[n]))
        n++;
    for (blank = n; blank < line.n && is_blank(line.p[blank]); blank++)
        ;
    if (n == 0 || blank == line.n || line.p[blank] != ':')
        return false;
    *name = slice_upto(line, n);
    *value = slice_from(line, blank + 1);
    return true;
}

bool header_next(struct slice *rest, struct header_field *out) {
    struct slice line = first_line(*rest);
    struct header_field field;
    if (!cut_name(line, &field.name, &field.value))
        return false;
    size_t n = line.n;
    while (n < rest->n && is_blank(rest->p[n]))
        n += first_line(slice_from(*rest, n)).n;
    field.whole = slice_upto(*rest, n);
    const char *value = field.name.p + (line.n - field.value.n);
    field.value = without_line_end(slice_of(value, n - (line.n - field.value.n)));
    *out = field;
    *rest = slice_from(*rest, n);
    return true;
}

bool header_find(struct slice content, struct slice name, struct header_field *out) {
    struct header_field field;
    while (header_next(&content, &field)) {
        if (slice_ieq(field.name, name)) {
            *out = field;
            return true;
        }
    }
    return false;
}

struct slice header_section(struct slice content) {
    struct slice rest = content;
    struct header_field field;
    while (header_next(&rest, &field))
        ;
    return slice_upto(content, content.n - rest.n);
}

bool header_unfold(struct buf *b, struct slice value) {
    value = slice_trim(value);
    while (value.n) {
        struct slice line;
        slice_cut(value, '\n', &line, &value);
        buf_add(b, value.n ? without_line_end(line) : line);
    }
    return !b->failed;
}

size_t header_comment_length(struct slice s) {
    size_t depth = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\\')
            i++;
        else if (s.p[i] == '(')
            depth++;
        else if (s.p[i] == ')' && --depth == 0)
            return i + 1;
    }
    return 0;
}

size_t header_quoted_length(struct slice s) {
    for (size_t i = 1; i < s.n; i++) {
        if (s.p[i] == '\\')
            i++;
        else if (s.p[i] == '"')
            return i + 1;
    }
    return 0;
}
