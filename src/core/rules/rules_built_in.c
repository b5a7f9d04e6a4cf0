// rules_built_in: what holds where the administrator said nothing: real mail passes, forged and junk sources don't. It
// is written in the language, and `config --effective` prints it.
#include "core/rules/rules_inside.h"

#include <stdlib.h>

// accept ends its stage only. Facts that ask DNS, or wait, stand behind those that don't.
static const char *const texts[CONFIG_STAGE_COUNT] = {
    [CONFIG_STAGE_CONNECT] =
        "accept when client.trusted or client.local\n"
        "defer 421 4.7.0 when client.shut-out \"too much misbehaviour from {client.ip}; try again later\"\n"
        "reject 554 5.5.0 when not client.known and client.early \"you talked before you were greeted\"\n",

    [CONFIG_STAGE_HELO] =
        "accept when client.trusted or client.local\n"
        "reject 550 5.5.2 unless helo.valid \"{helo} is no host name (RFC 5321 4.1.2)\"\n"
        // A web server of ours elsewhere may be called like our domain: DNS says so then.
        "reject 550 5.7.1 when helo.ours and not helo.confirmed \"{helo} is my name, not yours\"\n"
        "reject 550 5.7.1 when helo.literal and not helo.literal-own \"{helo} is not your address\"\n",

    [CONFIG_STAGE_MAIL] =
        "accept when client.trusted or client.local\n"
        "reject 550 5.7.1 when sender.blocked \"mail from {sender} is blocked here\"\n"
        "reject 503 5.5.1 when pipelined and not client.known \"you talked before it was your turn\"\n"
        "reject 550 5.7.27 when sender.null-mx \"{sender.domain} takes no mail, so it sends none (RFC 7505)\"\n"
        "reject 550 5.1.8 when sender.missing \"{sender.domain} does not exist\"\n",

    [CONFIG_STAGE_RECIPIENT] =
        "accept when client.trusted or client.local\n"
        // Those who are blocked must be able to say so (RFC 5321 4.5.1, RFC 2142).
        "accept when recipient matches \"^(postmaster|abuse)(@|$)\"\n"
        "reject 550 5.7.1 when not client.known and dnsbl.score >= 8 and not dnsbl.allowed "
        "\"blocked: {dnsbl.reasons}\"\n"
        // Where DKIM may yet prove a domain, content decides; of bounces too, since who only asks whether an address
        // exists must hear yes or no.
        "greylist when not sender.null and (spf = pass or not client.ptr-confirmed) and not proven\n",

    [CONFIG_STAGE_CONTENT] =
        "accept when client.trusted\n"
        "reject 554 5.5.0 when pipelined and not (client.known or client.local) "
        "\"you talked before it was your turn\"\n"
        "reject 550 5.7.1 when from.several \"forged: several authors in From (RFC 5322 3.6)\"\n"
        "reject 550 5.7.1 when dmarc.enforced = reject \"forged: by the DMARC policy of {dmarc.domain}\"\n"
        "quarantine when dmarc.enforced = quarantine \"forged: by the DMARC policy of {dmarc.domain}\"\n"
        "reject 550 5.7.23 when spf = fail and dmarc = none and not (dkim in pass, temperror or arc.trusted) "
        "\"forged: SPF of {spf.domain} fails. {spf.explanation}\"\n"
        "accept when client.local\n"
        "reject 550 5.7.1 when from.blocked \"mail from {from} is blocked here\"\n"
        "quarantine when from.broken \"no From that can be read\"\n"
        "greylist when (sender.null or spf != pass and client.ptr-confirmed) and not proven\n",
};

const char *rules_built_in_text(enum config_stage stage) { return texts[stage]; }

struct rules *rules_built_in(struct config_builder *b, enum config_stage stage) {
    ARENA_AUTO struct arena scratch = {.max = 1 << 20};
    struct config_report own;
    config_report_start(&own);
    struct config_builder inner = {.c = b->c, .report = &own};
    struct rules *r = rules_build_as(&inner, stage, config_tree_parse(slice_str(texts[stage]), &scratch, &own), true);
    if (own.n)
        abort(); // the set contradicts the language
    config_report_done(&own);
    return r;
}
