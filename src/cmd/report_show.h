// report_show: an aggregate report, for people and as JSON.
#pragma once

#include "mail/dmarc/dmarc_report.h"

void report_show(const struct dmarc_report *r);
void report_show_json(const struct dmarc_report *r);
