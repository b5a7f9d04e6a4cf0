// tls_client: what we say to next hops, and whom we believe.
#include "rt/tls/tls_inside.h"

#include "base/mem.h"
#include "rt/disk/file.h"
#include "wire/netaddr.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <unistd.h>

enum { AUTHORITIES_MAX = 16 * 1024 * 1024 }; // bytes of PEM

struct tls_client {
    SSL_CTX *any;      // opportunistic: nobody is verified
    SSL_CTX *verified; // NULL until somebody needs it: the system's authorities take a megabyte
    int authorities;   // descriptor; -1: none
};

// --- authorities

// Debian's, Fedora's, and what OpenSSL was built with. The descriptor outlives a jail, in which nothing can be opened.
static int open_system(void) {
    const char *const places[] = {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                                  X509_get_default_cert_file()};
    int fd = -1;
    for (size_t i = 0; fd < 0 && i < sizeof places / sizeof *places; i++)
        fd = open(places[i], O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    return fd;
}

static SSL_CTX *verifying(int authorities, struct err *e) {
    BUF_AUTO struct buf pem = {.max = AUTHORITIES_MAX};
    if (authorities < 0) {
        err_set(e, ERR_TEMPORARY, "there is no list of authorities whom servers' certificates could be by");
        return NULL;
    }
    if (!file_read_fd(authorities, &pem, e))
        return NULL;
    SSL_CTX *ctx = tls_context_new(NULL, TLS_client_method(), false);
    if (!ctx || tls_store_add(SSL_CTX_get_cert_store(ctx), buf_slice(&pem)) == 0) {
        err_set(e, ERR_TEMPORARY, "the list of authorities has no certificate in PEM");
        SSL_CTX_free(ctx);
        return NULL;
    }
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    return ctx;
}

static bool open_authorities(struct tls_client *c, const char *path, struct err *e) {
    c->authorities = path ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : open_system();
    if (!path)
        return true;
    return (c->verified = verifying(c->authorities, e)) || err_while(e, "%s", path);
}

struct tls_client *tls_client_new(const char *ca, struct err *e) {
    struct tls_client *c = MEM_NEW(struct tls_client);
    *c = (struct tls_client){.any = tls_context_new(NULL, TLS_client_method(), false), .authorities = -1};
    if (!c->any)
        tls_fail(e, "TLS can't be set up");
    if (!c->any || !open_authorities(c, ca, e)) {
        tls_client_free(c);
        return NULL;
    }
    SSL_CTX_set_security_level(c->any, 1); // where anybody is good enough, weak is better than plain
    SSL_CTX_set_verify(c->any, SSL_VERIFY_NONE, NULL);
    return c;
}

void tls_client_free(struct tls_client *c) {
    if (!c)
        return;
    SSL_CTX_free(c->any);
    SSL_CTX_free(c->verified);
    if (c->authorities >= 0)
        close(c->authorities);
    free(c);
}

// --- engines

static bool expect_name(SSL *ssl, const char *name) {
    X509_VERIFY_PARAM *rules = SSL_get0_param(ssl);
    struct netaddr address;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (netaddr_parse_ip(slice_str(name), &address))
        return X509_VERIFY_PARAM_set1_ip_asc(rules, name) == 1;
    return SSL_set1_host(ssl, name) == 1;
}

SSL *tls_client_engine(struct tls_client *c, struct slice name, bool verified, struct err *e) {
    char text[256] = "";
    if (verified && !c->verified && !(c->verified = verifying(c->authorities, e)))
        return NULL;
    if (name.n < sizeof text && name.n)
        memcpy(text, name.p, name.n);
    SSL *ssl = SSL_new(verified ? c->verified : c->any);
    if (!ssl || (verified && (!*text || strlen(text) != name.n || !expect_name(ssl, text)))) {
        tls_fail(e, "no certificate can be expected of this host");
        SSL_free(ssl);
        return NULL;
    }
    SSL_set_connect_state(ssl);
    if (*text)
        SSL_set_tlsext_host_name(ssl, text);
    return ssl;
}
