// pam_check: one question to PAM (pam(3)), blocking.
#pragma once

#include "core/message/message_auth.h"

// Authentication, and whether the account may be used (pam_acct_mgmt). Only prompts that hide what is typed are
// answered, with the password. Wipes its copies. `directory` describes the services; NULL: the system's.
void pam_check(const struct message_pam_check *m, const char *directory, enum message_pam_result *result,
               struct buf *why);
