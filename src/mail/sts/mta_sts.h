// mta_sts: what a domain publishes about TLS of mail to it (RFC 8461): a TXT record at _mta-sts, and a policy by HTTPS.
#pragma once

#include "base/err.h"

enum { MTA_STS_ID_MAX = 32, MTA_STS_MX_MAX = 100, MTA_STS_POLICY_MAX = 64 * 1024, MTA_STS_AGE_MAX = 31557600 };

struct mta_sts_record {
    struct slice id;
};

// Slices are views into `text`. `e`: "column 10: ...".
MUST_CHECK bool mta_sts_record_parse(struct slice text, struct mta_sts_record *out, struct err *e);

enum mta_sts_mode { MTA_STS_NONE, MTA_STS_TESTING, MTA_STS_ENFORCE };
const char *mta_sts_mode_name(enum mta_sts_mode m);

struct mta_sts_policy {
    enum mta_sts_mode mode;
    uint32_t max_age;                // seconds
    struct slice mx[MTA_STS_MX_MAX]; // names, or "*." and a name
    size_t mx_n;
};

// A policy file. Slices are views into `text`. `e`: "line 3, column 5: ...".
MUST_CHECK bool mta_sts_policy_parse(struct slice text, struct mta_sts_policy *out, struct err *e);
