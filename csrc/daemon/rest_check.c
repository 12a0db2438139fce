/*
 * rest_check.c - what can be said of REST's settings before anything is opened: for
 * --check, and so that a start tells all mistakes at once.
 */
#include "daemon/rest_internal.h"

#include "base/mem.h"

#include <netdb.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

typedef struct check {
    const pst_worker_conf *conf;
    const pst_props *props;
    pst_conf_report *report;
} check;

static void complain(const check *c, const char *key, const pst_err *why)
{
    if (why->code == PST_E_NOMEM)
        c->report->nomem = true;
    else
        pst_conf_error(c->report, pst_props_find(c->props, key), key, "%s", why->text);
}

/* ---- addresses ---- */

static void check_listener(const check *c, pst_sv text)
{
    rest_listener l;
    pst_err why = PST_ERR_INIT;
    if (rest_parse_listener(&l, text, &why) != PST_OK)
        return; /* the setting's own check has told */
    struct addrinfo *found = NULL,
                    hints = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM};
    int bad = getaddrinfo(*l.host ? l.host : NULL, "0", &hints, &found);
    if (bad == EAI_AGAIN)
        return; /* the name server is away: no mistake of the settings */
    if (bad) {
        pst_conf_error(c->report, pst_props_find(c->props, "listeners"), "listeners",
                       "the address of %s is not known: %s", l.host, gai_strerror(bad));
        return;
    }
    bool exposed = !rest_is_loopback_address(found->ai_addr);
    freeaddrinfo(found);
    if (exposed && !c->conf->rest_auth && !c->conf->rest_allow_insecure) {
        (void)rest_fail_exposed(&l, &why);
        complain(c, "listeners", &why);
    }
}

static void check_listeners(const check *c)
{
    size_t n = 0;
    for (pst_sv left = pst_sv_of(c->conf->listeners); left.p;) {
        pst_sv one = pst_sv_trim(pst_sv_cut(left, ',', &left));
        if (!one.n)
            continue;
        check_listener(c, one);
        if (++n == REST_LISTENERS_MAX + 1)
            pst_conf_error(c->report, pst_props_find(c->props, "listeners"), "listeners",
                           "more than %d", REST_LISTENERS_MAX);
    }
}

/* ---- files ---- */

static void check_users(const check *c)
{
    struct rest_auth *auth = NULL;
    pst_err why = PST_ERR_INIT;
    if (rest_auth_load(&auth, c->conf->rest_auth_file, NULL, &why) != PST_OK)
        complain(c, "rest.auth.file", &why);
    rest_auth_free(auth);
}

static char *read_one(const check *c, const char *path, const char *key)
{
    char *text = NULL;
    pst_err why = PST_ERR_INIT;
    if (rest_read_pem(path, key, &text, &why) != PST_OK)
        complain(c, key, &why);
    return text;
}

static void refuse(const check *c, const char *key, const char *path, const char *what)
{
    pst_conf_error(c->report, pst_props_find(c->props, key), key, "%s: %s", path, what);
}

/* No passphrase is asked for: a daemon has nobody to ask. */
static int no_passphrase(char *out, int size, int writing, void *self)
{
    (void)writing;
    (void)self;
    if (size > 0)
        out[0] = '\0';
    return -1;
}

static X509 *certificate_of(const check *c, char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *cert = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    if (!cert)
        refuse(c, "rest.ssl.certificate", c->conf->rest_ssl_certificate,
               "there is no PEM certificate in it");
    return cert;
}

static EVP_PKEY *key_of(const check *c, char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
    BIO_free(bio);
    if (!key)
        refuse(c, "rest.ssl.key", c->conf->rest_ssl_key,
               "there is no PEM private key in it, or it has a passphrase");
    return key;
}

static void check_tls(const check *c)
{
    const pst_worker_conf *conf = c->conf;
    char *certificate =
        conf->rest_ssl_certificate
            ? read_one(c, conf->rest_ssl_certificate, "rest.ssl.certificate")
            : NULL;
    char *key =
        conf->rest_ssl_key ? read_one(c, conf->rest_ssl_key, "rest.ssl.key") : NULL;
    X509 *cert = certificate ? certificate_of(c, certificate) : NULL;
    EVP_PKEY *own = key ? key_of(c, key) : NULL;
    if (cert && own && X509_check_private_key(cert, own) != 1)
        refuse(c, "rest.ssl.key", conf->rest_ssl_key,
               "it is not the key of rest.ssl.certificate");
    X509_free(cert);
    EVP_PKEY_free(own);
    if (key)
        pst_wipe(key, strlen(key));
    pst_free(key);
    pst_free(certificate);
}

void pst_rest_check(const pst_worker_conf *conf, const pst_props *props, bool until_end,
                    pst_conf_report *report)
{
    check c = {conf, props, report};
    if (until_end && !pst_props_find(props, "listeners"))
        return;
    check_listeners(&c);
    if (conf->rest_auth && conf->rest_auth_file)
        check_users(&c);
    check_tls(&c);
}
