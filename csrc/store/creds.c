/*
 * creds.c - see creds.h. A source is one row of `chain`: a function that fills keys, or
 * says that it has none. Web identity, container, IMDS and assume-role come as further
 * rows; keys that expire will bring their own date then.
 */
#include "store/creds.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 1024 * 1024, PATH_SIZE = 4096 };

struct pst_creds {
    char *id, *secret, *token;             /* from the settings */
    char *env_id, *env_secret, *env_token; /* from the environment */
    char *file, *profile;
    pthread_mutex_t lock;
    bool have; /* under lock, with `keys` */
    pst_creds_keys keys;
};

/* PST_E_NOT_FOUND = this source has none: ask the next. */
typedef pst_rc (*source_get)(const pst_creds *creds, pst_creds_keys *out, pst_err *err);

void pst_creds_wipe(pst_creds_keys *keys)
{
    pst_wipe(keys, sizeof *keys);
}

static bool set(const char *s)
{
    return s && s[0];
}

/* A key goes into a header: one line of printable characters. */
static bool copy_key(char *out, size_t size, const char *from)
{
    size_t n = from ? strlen(from) : 0;
    if (n >= size)
        return false;
    for (size_t i = 0; i < n; i++)
        if (from[i] <= 0x20 || from[i] == 0x7f)
            return false;
    memcpy(out, from ? from : "", n);
    out[n] = '\0';
    return true;
}

static pst_rc fill(pst_creds_keys *out, const char *id, const char *secret,
                   const char *token, const char *source, pst_err *err)
{
    if (!set(id) || !set(secret))
        return PST_E_NOT_FOUND;
    out->source = source;
    if (copy_key(out->id, sizeof out->id, id) &&
        copy_key(out->secret, sizeof out->secret, secret) &&
        copy_key(out->token, sizeof out->token, token))
        return PST_OK;
    pst_creds_wipe(out);
    return pst_fail(err, PST_E_CONFIG,
                    "the credentials of %s are too long or not printable", source);
}

static pst_rc from_settings(const pst_creds *c, pst_creds_keys *out, pst_err *err)
{
    return fill(out, c->id, c->secret, c->token, "aws.access.key.id", err);
}

static pst_rc from_environment(const pst_creds *c, pst_creds_keys *out, pst_err *err)
{
    return fill(out, c->env_id, c->env_secret, c->env_token, "AWS_ACCESS_KEY_ID", err);
}

/* ---- the shared credentials file ---- */

static pst_rc read_file(const char *path, pst_buf *out, pst_err *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return PST_E_NOT_FOUND;
    if (fd < 0)
        return pst_fail_retriable(err, PST_E_AUTH, "cannot read %s: %s", path,
                                  strerrordesc_np(errno));
    pst_rc rc = PST_OK;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > FILE_MAX)
        rc = pst_fail_retriable(err, PST_E_AUTH, "%s is not a credentials file", path);
    else
        rc = pst_buf_reserve(out, (size_t)st.st_size + 1);
    ssize_t got = 1;
    while (rc == PST_OK && got > 0 && out->len < out->cap) {
        got = read(fd, out->data + out->len, out->cap - out->len);
        if (got > 0)
            out->len += (size_t)got;
    }
    close(fd);
    if (rc == PST_OK && got < 0)
        rc = pst_fail_retriable(err, PST_E_AUTH, "cannot read %s", path);
    return rc;
}

typedef struct profile_keys {
    char id[PST_CREDS_KEY_MAX], secret[PST_CREDS_KEY_MAX], token[PST_CREDS_TOKEN_MAX];
} profile_keys;

static void take_value(pst_sv value, char *out, size_t size)
{
    if (value.n < size) {
        memcpy(out, value.p, value.n);
        out[value.n] = '\0';
    }
}

static void take_line(pst_sv line, profile_keys *out)
{
    pst_sv value;
    pst_sv name = pst_sv_trim(pst_sv_cut(line, '=', &value));
    value = pst_sv_trim(value);
    if (!value.p)
        return;
    if (pst_sv_eq_nocase(name, PST_SV("aws_access_key_id")))
        take_value(value, out->id, sizeof out->id);
    else if (pst_sv_eq_nocase(name, PST_SV("aws_secret_access_key")))
        take_value(value, out->secret, sizeof out->secret);
    else if (pst_sv_eq_nocase(name, PST_SV("aws_session_token")))
        take_value(value, out->token, sizeof out->token);
}

static void parse_profile(pst_sv text, const char *profile, profile_keys *out)
{
    bool mine = false;
    while (text.p) {
        pst_sv raw = pst_sv_cut(text, '\n', &text);
        pst_sv line = pst_sv_trim(raw);
        if (!line.n || line.p[0] == '#' || line.p[0] == ';')
            continue;
        if (line.p[0] == '[' && pst_sv_ends(line, PST_SV("]")))
            mine = pst_sv_is(pst_sv_trim((pst_sv){line.p + 1, line.n - 2}), profile);
        else if (mine && line.p == raw.p) /* indented lines belong to another setting */
            take_line(line, out);
    }
}

static pst_rc from_profile(const pst_creds *c, pst_creds_keys *out, pst_err *err)
{
    if (!c->file)
        return PST_E_NOT_FOUND;
    profile_keys found = {0};
    pst_buf text;
    pst_buf_init(&text, FILE_MAX + 1);
    pst_rc rc = read_file(c->file, &text, err);
    if (rc == PST_OK) {
        parse_profile((pst_sv){text.data, text.len}, c->profile, &found);
        rc = fill(out, found.id, found.secret, found.token, "the credentials file", err);
    }
    if (text.data)
        pst_wipe(text.data, text.cap);
    pst_wipe(&found, sizeof found);
    pst_buf_done(&text);
    return rc;
}

static const source_get chain[] = {from_settings, from_environment, from_profile};

/* ---- the object ---- */

static char *copy_of(const char *s, bool *ok)
{
    char *copy = set(s) ? pst_strdup(s) : NULL;
    if (set(s) && !copy)
        *ok = false;
    return copy;
}

static char *default_file(bool *ok)
{
    const char *home = getenv("HOME");
    const char *named = getenv("AWS_SHARED_CREDENTIALS_FILE");
    if (set(named))
        return copy_of(named, ok);
    char *path = set(home) ? pst_asprintf("%s/.aws/credentials", home) : NULL;
    if (set(home) && !path)
        *ok = false;
    return path;
}

static bool read_environment(pst_creds *creds)
{
    bool ok = true;
    const char *profile = getenv("AWS_PROFILE");
    creds->env_id = copy_of(getenv("AWS_ACCESS_KEY_ID"), &ok);
    creds->env_secret = copy_of(getenv("AWS_SECRET_ACCESS_KEY"), &ok);
    creds->env_token = copy_of(getenv("AWS_SESSION_TOKEN"), &ok);
    creds->profile = copy_of(set(profile) ? profile : "default", &ok);
    creds->file = default_file(&ok);
    return ok;
}

static void free_secret(char *s)
{
    if (s)
        pst_wipe(s, strlen(s));
    pst_free(s);
}

void pst_creds_free(pst_creds *creds)
{
    if (!creds)
        return;
    free_secret(creds->id);
    free_secret(creds->secret);
    free_secret(creds->token);
    free_secret(creds->env_id);
    free_secret(creds->env_secret);
    free_secret(creds->env_token);
    pst_free(creds->file);
    pst_free(creds->profile);
    pst_creds_wipe(&creds->keys);
    pthread_mutex_destroy(&creds->lock);
    pst_free(creds);
}

pst_rc pst_creds_new(pst_creds **out, const pst_store_conf *conf, pst_err *err)
{
    if (set(conf->access_key_id) != set(conf->secret_access_key))
        return pst_fail(
            err, PST_E_CONFIG,
            "aws.access.key.id and aws.secret.access.key are set together or not "
            "at all");
    pst_creds *creds = pst_calloc(1, sizeof *creds);
    if (!creds)
        return pst_fail_nomem(err, "credentials");
    pthread_mutex_init(&creds->lock, NULL);
    bool ok = true;
    creds->id = copy_of(conf->access_key_id, &ok);
    creds->secret = copy_of(conf->secret_access_key, &ok);
    creds->token = copy_of(conf->session_token, &ok);
    if (!read_environment(creds) || !ok) {
        pst_creds_free(creds);
        return pst_fail_nomem(err, "credentials");
    }
    *out = creds;
    return PST_OK;
}

static pst_rc ask_sources(pst_creds *creds, pst_err *err)
{
    for (size_t i = 0; i < sizeof chain / sizeof *chain; i++) {
        pst_rc rc = chain[i](creds, &creds->keys, err);
        if (rc != PST_E_NOT_FOUND)
            return rc;
    }
    return pst_fail_retriable(
        err, PST_E_AUTH,
        "no S3 credentials: set aws.access.key.id and aws.secret.access.key, or "
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or profile %s in %s",
        creds->profile, creds->file ? creds->file : "~/.aws/credentials");
}

pst_rc pst_creds_get(pst_creds *creds, pst_creds_keys *out, pst_err *err)
{
    pst_rc rc = PST_OK;
    pthread_mutex_lock(&creds->lock);
    if (!creds->have)
        rc = ask_sources(creds, err);
    creds->have = rc == PST_OK;
    if (rc == PST_OK)
        *out = creds->keys;
    pthread_mutex_unlock(&creds->lock);
    return rc;
}

void pst_creds_refused(pst_creds *creds, const pst_creds_keys *keys)
{
    pthread_mutex_lock(&creds->lock);
    if (strcmp(creds->keys.id, keys->id) == 0 &&
        strcmp(creds->keys.token, keys->token) == 0)
        creds->have = false;
    pthread_mutex_unlock(&creds->lock);
}
