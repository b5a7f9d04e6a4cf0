// dsn: the notification's parts.
#include "mail/dsn/dsn.h"

#include "mail/dsn/dsn_text.h"
#include "mail/header/header.h"
#include "mail/quoted_printable.h"

enum { ADDRESS_MAX = 400, MESSAGE_ID_MAX = 250, NAME_MAX_SHOWN = 300, SCRATCH_MAX = 4 * 1024 * 1024 };

#define BOUNDARY_FORMAT "=_posthouse_%016llx"

// What a person can do about it, by RFC 3463 subject and detail; 0 as detail stands for every other.
static const struct {
    uint16_t subject, detail;
    const char *text;
} advice[] = {
    {1, 1, "Check the address for typing mistakes; the mailbox may also be closed or renamed."},
    {1, 2, "Check what follows the @ for typing mistakes: there is no mail host for it."},
    {1, 10, "This domain takes no mail at all. Ask the recipient for another address."},
    {1, 0, "Check the address for typing mistakes."},
    {2, 2, "The recipient's mailbox is full. Tell them some other way, or try again later."},
    {2, 0, "The recipient's mailbox could not take it. Tell them some other way, or try again later."},
    {3, 4, "The message is too large for the receiving system. Send less at once, or send a link."},
    {4, 6, "The address leads in a circle. Tell the administrator of the receiving system."},
    {6, 3, "The receiving system is old and can't take this kind of content. Send it as plain text."},
    {6, 7, "The receiving system can't take international addresses. Use an address of ASCII letters only."},
    {7, 0, "The receiving system refuses it by its policy. Its words above may say why; its postmaster can tell more."},
};

static const char *advice_for(const struct dsn_recipient *r) {
    for (size_t i = 0; i < sizeof advice / sizeof *advice; i++)
        if (advice[i].subject == r->enhanced[1] && (!advice[i].detail || advice[i].detail == r->enhanced[2]))
            return advice[i].text;
    if (r->expired)
        return "Check what follows the @ for typing mistakes. If it is right, their system was out of reach: send it "
               "again later.";
    return "If the reason above doesn't help, show this message to your administrator.";
}

// --- words for people -----------------------------------------------------------------------------------------------

static const char *duration(int64_t ms, char to[32]) {
    int64_t hours = ms / MS_HOUR;
    struct buf b = {.p = to, .cap = 32, .max = 32};
    if (hours >= 48)
        buf_addf(&b, "%lld days", (long long)(hours / 24));
    else if (hours >= 2)
        buf_addf(&b, "%lld hours", (long long)hours);
    else
        buf_addf(&b, "%lld minutes", (long long)(ms > 0 ? ms / MS_MINUTE : 0));
    buf_add_char(&b, '\0');
    return to;
}

static void add_address(struct buf *b, struct slice address) {
    buf_add_char(b, '<');
    dsn_text_add(b, address, ADDRESS_MAX, true);
    buf_add_char(b, '>');
}

static void add_why(struct buf *b, const struct dsn *d, const struct dsn_recipient *r) {
    BUF_AUTO struct buf why = {.max = SCRATCH_MAX};
    char text[32];
    if (r->expired)
        buf_addf(&why,
                 "It could not be delivered for %s. The last attempt: ", duration(d->now.ms - d->arrived.ms, text));
    if (r->remote.n) {
        dsn_text_add(&why, r->remote, NAME_MAX_SHOWN, true);
        buf_add_str(&why, r->smtp ? " said: " : ": ");
    }
    if (r->smtp)
        buf_addf(&why, "%03u ", r->smtp % 1000);
    if (r->smtp && r->enhanced[0])
        buf_addf(&why, "%u.%u.%u ", r->enhanced[0], r->enhanced[1], r->enhanced[2]);
    dsn_text_add(&why, r->reason.n ? r->reason : SLICE("no reason was given"), DSN_REASON_MAX, true);
    dsn_text_paragraph(b, "    ", buf_slice(&why));
    dsn_text_paragraph(b, "    ", slice_str(advice_for(r)));
}

static void add_people(struct buf *b, const struct dsn *d) {
    buf_addf(b, "This is the mail system at %.*s.\r\n\r\n", SLICE_ARG(d->hostname));
    buf_add_str(b, d->recipients_n == 1 ? "Your message could not be delivered to this recipient"
                                        : "Your message could not be delivered to these recipients");
    buf_add_str(b,
                ", and no more\r\nattempts will be made. Other recipients, if there were any, are not affected.\r\n");
    for (size_t i = 0; i < d->recipients_n; i++) {
        const struct dsn_recipient *r = &d->recipients[i];
        buf_add_str(b, "\r\n");
        add_address(b, r->address);
        if (r->original.n && !slice_eq(r->original, r->address)) {
            buf_add_str(b, " (sent to ");
            add_address(b, r->original);
            buf_add_char(b, ')');
        }
        buf_add_str(b, ":\r\n");
        add_why(b, d, r);
    }
    buf_add_str(b, "\r\nThe header of your message is attached.\r\n");
}

// --- words for programs (RFC 3464 2) --------------------------------------------------------------------------------

static void add_typed(struct buf *b, const char *name, const char *type, struct slice value, size_t max, bool utf8) {
    BUF_AUTO struct buf text = {.max = SCRATCH_MAX};
    buf_addf(&text, "%s; ", type);
    dsn_text_add(&text, value, max, utf8);
    dsn_text_field(b, name, buf_slice(&text));
}

static bool is_ascii(struct slice s) {
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] & 0x80)
            return false;
    return true;
}

// RFC 6533 3: the type utf-8 where the address needs it.
static void add_recipient_field(struct buf *b, const char *name, struct slice address, bool utf8) {
    add_typed(b, name, utf8 && !is_ascii(address) ? "utf-8" : "rfc822", address, ADDRESS_MAX, utf8);
}

// "mx.example.org[192.0.2.1]:25" is mx.example.org to RFC 3464 2.3.5, "[192.0.2.1]:25" is [192.0.2.1].
static struct slice remote_name(struct slice remote) {
    struct slice host = slice_upto(remote, slice_find(remote, '['));
    return host.n ? host : slice_upto(remote, slice_find(remote, ']') + 1);
}

static void add_diagnostic(struct buf *b, const struct dsn_recipient *r, bool utf8) {
    BUF_AUTO struct buf text = {.max = SCRATCH_MAX};
    if (r->remote.n && r->smtp)
        buf_addf(&text, "%03u ", r->smtp % 1000);
    if (r->remote.n && r->smtp && r->enhanced[0])
        buf_addf(&text, "%u.%u.%u ", r->enhanced[0], r->enhanced[1], r->enhanced[2]);
    buf_add(&text, r->reason);
    add_typed(b, "Diagnostic-Code", r->remote.n && r->smtp ? "smtp" : "X-Posthouse", buf_slice(&text), DSN_REASON_MAX,
              utf8);
}

static void add_recipient(struct buf *b, const struct dsn_recipient *r, bool utf8) {
    buf_add_str(b, "\r\n");
    if (r->original.n)
        add_recipient_field(b, "Original-Recipient", r->original, utf8);
    add_recipient_field(b, "Final-Recipient", r->address, utf8);
    buf_add_str(b, "Action: failed\r\n");
    if (r->enhanced[0] == 5)
        buf_addf(b, "Status: 5.%u.%u\r\n", r->enhanced[1] % 1000, r->enhanced[2] % 1000);
    else
        buf_add_str(b, r->expired ? "Status: 5.4.7\r\n" : "Status: 5.0.0\r\n");
    if (r->remote.n)
        add_typed(b, "Remote-MTA", "dns", remote_name(r->remote), NAME_MAX_SHOWN, utf8);
    add_diagnostic(b, r, utf8);
}

static void add_status(struct buf *b, const struct dsn *d) {
    add_typed(b, "Reporting-MTA", "dns", d->hostname, NAME_MAX_SHOWN, d->smtputf8);
    buf_add_str(b, "X-Posthouse-Queue-ID: ");
    dsn_text_add(b, d->queue_id, 64, false);
    buf_add_str(b, "\r\nArrival-Date: ");
    wall_add_rfc5322(b, d->arrived);
    buf_add_str(b, "\r\n");
    for (size_t i = 0; i < d->recipients_n; i++)
        add_recipient(b, &d->recipients[i], d->smtputf8);
}

// --- the whole ------------------------------------------------------------------------------------------------------

static void add_part(struct buf *b, const struct dsn *d, const char *type, const char *what, const struct buf *text) {
    bool plain = quoted_printable_needless(buf_slice(text));
    buf_addf(b, "\r\n--" BOUNDARY_FORMAT "\r\nContent-Description: %s\r\nContent-Type: %s\r\n",
             (unsigned long long)d->random, what, type);
    buf_addf(b, "Content-Transfer-Encoding: %s\r\n\r\n", plain ? "7bit" : "quoted-printable");
    if (plain)
        buf_add(b, buf_slice(text));
    else
        quoted_printable_add(b, buf_slice(text));
    b->failed |= text->failed;
}

// RFC 5322 3.6.4, strictly: what goes into our own header is a msg-id and nothing else, or is left out.
static bool is_message_id(struct slice s) {
    if (s.n < 5 || s.n > MESSAGE_ID_MAX || s.p[0] != '<' || s.p[s.n - 1] != '>')
        return false;
    for (size_t i = 1; i + 1 < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] >= 0x7f || s.p[i] == '<' || s.p[i] == '>')
            return false;
    return slice_find(s, '@') < s.n;
}

// Lets mail readers show the notification beside the message it is about.
static void add_references(struct buf *b, struct slice header) {
    struct header_field field;
    struct slice id = SLICE_EMPTY;
    if (header_find(header, SLICE("Message-ID"), &field))
        id = slice_trim(field.value);
    if (is_message_id(id))
        buf_addf(b, "In-Reply-To: %.*s\r\nReferences: %.*s\r\n", SLICE_ARG(id), SLICE_ARG(id));
}

static void add_head(struct buf *b, const struct dsn *d) {
    BUF_AUTO struct buf text = {.max = SCRATCH_MAX};
    buf_add_str(b, "From: Mail Delivery System <mailer-daemon@");
    dsn_text_add(b, d->hostname, NAME_MAX_SHOWN, d->smtputf8);
    buf_add_str(b, ">\r\nTo: <");
    dsn_text_add(b, d->sender, ADDRESS_MAX, d->smtputf8);
    buf_add_str(b, ">\r\n");
    if (d->recipients_n == 1) {
        buf_add_str(&text, "Undelivered mail: ");
        dsn_text_add(&text, d->recipients[0].address, ADDRESS_MAX, d->smtputf8);
    } else {
        buf_addf(&text, "Undelivered mail: %zu recipients", d->recipients_n);
    }
    dsn_text_field(b, "Subject", buf_slice(&text));
    buf_add_str(b, "Date: ");
    wall_add_rfc5322(b, d->now);
    buf_add_str(b, "\r\nMessage-ID: <");
    dsn_text_add(b, d->queue_id, 64, false);
    buf_addf(b, ".%016llx@%.*s>\r\n", (unsigned long long)d->random * 0x9E3779B97F4A7C15ull, SLICE_ARG(d->hostname));
    add_references(b, d->header);
    buf_addf(b,
             "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
             "Content-Type: multipart/report; report-type=delivery-status;\r\n boundary=\"" BOUNDARY_FORMAT "\"\r\n\r\n"
             "This is a report of failed delivery in MIME form.\r\n",
             (unsigned long long)d->random);
}

bool dsn_write(const struct dsn *d, struct buf *out) {
    BUF_AUTO struct buf text = {.max = SCRATCH_MAX};
    add_head(out, d);
    add_people(&text, d);
    add_part(out, d, "text/plain; charset=utf-8", "What happened", &text);
    buf_reset(&text);
    add_status(&text, d);
    add_part(out, d, d->smtputf8 ? "message/global-delivery-status" : "message/delivery-status", "Delivery report",
             &text);
    buf_reset(&text);
    dsn_text_header(&text, d->header);
    add_part(out, d, d->smtputf8 ? "message/global-headers" : "text/rfc822-headers", "Header of your message", &text);
    buf_addf(out, "\r\n--" BOUNDARY_FORMAT "--\r\n", (unsigned long long)d->random);
    return !out->failed;
}
