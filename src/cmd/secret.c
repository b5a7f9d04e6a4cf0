// secret: standard input, with the terminal's echo off.
#include "cmd/secret.h"

#include "base/printable.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/random.h>
#include <termios.h>
#include <unistd.h>

enum { CTRL_C = 3, CTRL_D = 4, BACKSPACE = 8, CTRL_U = 21, DELETE = 127, GROUP = 5, GROUPS = 4 };

void secret_wipe(struct buf *b) {
    if (b->p)
        explicit_bzero(b->p, b->cap);
    buf_done(b);
}

bool secret_random(void *to, size_t n, struct err *e) {
    return getrandom(to, n, 0) == (ssize_t)n || err_sys(e, errno, "random bytes");
}

// 32 characters that can be read aloud: no 0, 1, l, o.
bool secret_make(struct buf *out, struct err *e) {
    static const char alphabet[] = "abcdefghijkmnpqrstuvwxyz23456789";
    uint8_t bytes[GROUP * GROUPS];
    if (!secret_random(bytes, sizeof bytes, e))
        return false;
    for (size_t i = 0; i < sizeof bytes; i++) {
        if (i && i % GROUP == 0)
            buf_add_char(out, '-');
        buf_add_char(out, alphabet[bytes[i] % 32]);
    }
    explicit_bzero(bytes, sizeof bytes);
    return !out->failed || err_set(e, ERR_BUG, "no room for a password");
}

// The whole characters before the last one.
static size_t without_last(const struct buf *b) {
    size_t n = b->n;
    while (n && ((uint8_t)b->p[n - 1] & 0xc0) == 0x80)
        n--;
    return n ? n - 1 : 0;
}

// Bytes up to the line's end, none of what follows it. `edits`: of a terminal that leaves editing to us.
static bool read_line(struct buf *out, bool edits, struct err *e) {
    char c;
    ssize_t n;
    while ((n = read(STDIN_FILENO, &c, 1)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(e, errno, "standard input");
        if (c == '\n' || (edits && (c == '\r' || c == CTRL_D)))
            break;
        if (edits && c == CTRL_C)
            return err_set(e, ERR_CANCELLED, "interrupted");
        if (edits && (c == BACKSPACE || c == DELETE))
            out->n = without_last(out);
        else if (edits && c == CTRL_U)
            out->n = 0;
        else
            buf_add_char(out, c);
    }
    if (!edits && out->n && out->p[out->n - 1] == '\r')
        out->n--;
    return true;
}

// Signals from the keyboard are off as well: they would leave the terminal without echo.
static bool ask(const char *prompt, struct buf *out, struct err *e) {
    struct termios before, quiet;
    if (tcgetattr(STDIN_FILENO, &before) < 0)
        return err_sys(e, errno, "the terminal");
    quiet = before;
    quiet.c_lflag &= ~(tcflag_t)(ECHO | ISIG | ICANON);
    quiet.c_cc[VMIN] = 1;
    quiet.c_cc[VTIME] = 0;
    if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) < 0)
        return err_sys(e, errno, "the terminal");
    fprintf(stderr, "%s", prompt); // only now: what is typed is unseen from here on
    bool ok = read_line(out, true, e);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    fprintf(stderr, "\n");
    return ok;
}

static bool ask_again(struct slice first, struct err *e) {
    SECRET_AUTO struct buf again = {.max = SECRET_MAX + 1};
    if (!ask("Once more: ", &again, e))
        return false;
    return slice_eq(first, buf_slice(&again)) || err_set(e, ERR_PERMANENT, "the two passwords differ");
}

static bool check(const struct buf *b, struct err *e) {
    struct slice s = buf_slice(b);
    uint32_t code;
    if (!s.n)
        return err_set(e, ERR_PERMANENT, "an empty password; give one as a line of standard input, or use --generate");
    if (b->failed || s.n > SECRET_MAX)
        return err_set(e, ERR_PERMANENT, "a password has at most %d bytes", SECRET_MAX);
    for (size_t n; s.n; s = slice_from(s, n))
        if (!(n = printable_decode(s, &code)) || !printable_safe(code))
            return err_set(e, ERR_PERMANENT, "a password is text in UTF-8, without controls");
    return true;
}

bool secret_read(const char *prompt, bool twice, struct buf *out, struct err *e) {
    bool terminal = isatty(STDIN_FILENO);
    buf_reserve(out, SECRET_MAX); // growing would leave pieces of it behind
    if (!(terminal ? ask(prompt, out, e) : read_line(out, false, e)) || !check(out, e))
        return false;
    return !terminal || !twice || ask_again(buf_slice(out), e);
}
