// pam_check: a handle, a conversation that knows one answer, and what PAM's codes mean to us.
#include "svc/pam/pam_check.h"

#include "base/mem.h"

#include <security/pam_appl.h>
#include <stdlib.h>

struct answers {
    const char *password;
};

static char *copy(struct slice s) {
    char *p = mem_new(s.n + 1, 1);
    if (s.n)
        memcpy(p, s.p, s.n);
    return p;
}

static void wipe(char *p) {
    explicit_bzero(p, strlen(p));
    free(p);
}

static void drop(struct pam_response *r, int n) {
    for (int i = 0; i < n; i++)
        if (r[i].resp)
            wipe(r[i].resp);
    free(r);
}

// A second hidden prompt is a second factor or a new password, which a mail client can't be asked for: it gets the
// password too, and the module will see to it.
static int converse(int n, const struct pam_message **messages, struct pam_response **out, void *arg) {
    const struct answers *a = arg;
    if (n <= 0 || n > PAM_MAX_NUM_MSG)
        return PAM_CONV_ERR;
    struct pam_response *r = mem_new((size_t)n, sizeof *r); // PAM frees it
    for (int i = 0; i < n; i++) {
        switch (messages[i]->msg_style) {
        case PAM_PROMPT_ECHO_OFF:
            r[i].resp = copy(slice_str(a->password));
            break;
        case PAM_ERROR_MSG:
        case PAM_TEXT_INFO:
            break;
        default:
            drop(r, n);
            return PAM_CONV_ERR;
        }
    }
    *out = r;
    return PAM_SUCCESS;
}

static void no_delay(int status, unsigned microseconds, void *arg) {}

static enum message_pam_result result_of(int code) {
    switch (code) {
    case PAM_SUCCESS:
        return MESSAGE_PAM_OK;
    case PAM_USER_UNKNOWN:
        return MESSAGE_PAM_UNKNOWN;
    case PAM_AUTH_ERR:
    case PAM_SYSTEM_ERR: // pam_exec says so of every refusal: who guesses must be counted
    case PAM_ACCT_EXPIRED:
    case PAM_AUTHTOK_EXPIRED:
    case PAM_NEW_AUTHTOK_REQD:
    case PAM_PERM_DENIED:
    case PAM_MAXTRIES:
    case PAM_CRED_INSUFFICIENT:
        return MESSAGE_PAM_FAILED;
    default:
        return MESSAGE_PAM_TROUBLE;
    }
}

static int ask(pam_handle_t *pam, const char *client) {
    union {
        void (*function)(int, unsigned, void *);
        const void *item;
    } delay = {.function = no_delay};
    int code = pam_set_item(pam, PAM_FAIL_DELAY, delay.item);
    if (code == PAM_SUCCESS && *client)
        code = pam_set_item(pam, PAM_RHOST, client);
    if (code == PAM_SUCCESS)
        code = pam_set_item(pam, PAM_TTY, "smtp");
    if (code == PAM_SUCCESS)
        code = pam_authenticate(pam, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
    if (code == PAM_SUCCESS)
        code = pam_acct_mgmt(pam, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
    return code;
}

static bool has_nul(struct slice s) { return slice_find(s, '\0') < s.n; }

void pam_check(const struct message_pam_check *m, const char *directory, enum message_pam_result *result,
               struct buf *why) {
    if (has_nul(m->service) || has_nul(m->user) || has_nul(m->password) || has_nul(m->client) || !m->password.n) {
        *result = MESSAGE_PAM_FAILED;
        buf_add_str(why, "an empty password, or a NUL");
        return;
    }
    char *service = copy(m->service), *user = copy(m->user), *password = copy(m->password), *client = copy(m->client);
    struct answers answers = {.password = password};
    struct pam_conv conversation = {.conv = converse, .appdata_ptr = &answers};
    pam_handle_t *pam = NULL;
    int code = directory ? pam_start_confdir(service, user, &conversation, directory, &pam)
                         : pam_start(service, user, &conversation, &pam);
    if (code == PAM_SUCCESS)
        code = ask(pam, client);
    *result = result_of(code);
    buf_add_str(why, pam_strerror(pam, code));
    if (pam)
        pam_end(pam, code);
    wipe(password);
    free(service);
    free(user);
    free(client);
}
