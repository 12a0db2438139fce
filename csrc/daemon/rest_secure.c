/*
 * rest_secure.c - certificate and key, and the rule that nobody but this machine is let
 * in without a password unless the settings say so in as many words.
 */
#include "daemon/rest_internal.h"

#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { PEM_MAX = 256 * 1024 };

pst_rc rest_read_pem(const char *path, const char *setting, char **out, pst_err *err)
{
    char why[128], block[4096];
    pst_buf text;
    FILE *file = rest_file_open(path, PEM_MAX);
    if (!file)
        return pst_fail(err, PST_E_CONFIG, "%s: %s cannot be opened: %s", setting, path,
                        strerror_r(errno, why, sizeof why));
    pst_buf_init(&text, PEM_MAX);
    pst_rc rc = pst_buf_reserve(&text, PEM_MAX); /* at once: no copies of a key */
    for (size_t n; rc == PST_OK && (n = fread(block, 1, sizeof block, file)) > 0;)
        rc = pst_buf_add(&text, block, n);
    fclose(file);
    pst_wipe(block, sizeof block);
    if (rc == PST_OK && (*out = pst_strndup(text.data, text.len)) == NULL)
        rc = PST_E_NOMEM;
    if (text.data)
        pst_wipe(text.data, text.cap);
    pst_buf_done(&text);
    if (rc == PST_E_LIMIT)
        rc = PST_E_CONFIG; /* no such file is a certificate or a key */
    return rc == PST_OK ? PST_OK
                        : pst_fail(err, rc, "%s: %s cannot be read", setting, path);
}

pst_rc rest_secure(struct pst_rest *rest, pst_err *err)
{
    const pst_worker_conf *conf = pst_worker_settings(rest->options.worker);
    pst_rc rc = PST_OK;
    if (conf->rest_auth)
        rc = rest_auth_load(&rest->auth, conf->rest_auth_file, rest->options.log, err);
    if (rc == PST_OK && conf->rest_ssl_certificate)
        rc = rest_read_pem(conf->rest_ssl_certificate, "rest.ssl.certificate",
                           &rest->certificate, err);
    if (rc == PST_OK && conf->rest_ssl_key)
        rc = rest_read_pem(conf->rest_ssl_key, "rest.ssl.key", &rest->key, err);
    return rc;
}

void rest_insecure(struct pst_rest *rest)
{
    rest_auth_free(rest->auth);
    if (rest->key)
        pst_wipe(rest->key, strlen(rest->key));
    pst_free(rest->key);
    pst_free(rest->certificate);
    rest->auth = NULL;
    rest->key = rest->certificate = NULL;
}

pst_rc rest_fail_exposed(const rest_listener *l, pst_err *err)
{
    return pst_fail(err, PST_E_CONFIG,
                    "listeners: %s://%s:%d is open to other machines: set "
                    "rest.auth=basic, or rest.allow.insecure=true if something else "
                    "guards it",
                    l->tls ? "https" : "http", l->host, l->port);
}

pst_rc rest_check_exposure(struct pst_rest *rest, pst_err *err)
{
    const pst_worker_conf *conf = pst_worker_settings(rest->options.worker);
    for (size_t i = 0; i < rest->n_listeners; i++) {
        const rest_listener *l = &rest->listeners[i];
        if (rest_is_loopback(l))
            continue;
        if (!rest->auth && !conf->rest_allow_insecure)
            return rest_fail_exposed(l, err);
        if (!l->tls)
            pst_logf(rest->options.log, PST_LOG_WARN, NULL, "rest",
                     "http://%s:%d is open to other machines and not encrypted: %s",
                     l->host, l->port,
                     rest->auth ? "passwords can be read on the way; use https"
                                : "and nobody is asked for a password");
    }
    return PST_OK;
}
