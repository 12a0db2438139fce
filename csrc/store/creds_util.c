/*
 * creds_util.c - what the sources of credentials share: the environment as it was at
 * open, files, the JSON of the metadata services, dates. All of it may be hostile: every
 * text has a ceiling, and what goes into a header is printable.
 */
#include "base/mem.h"
#include "store/creds_in.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the environment ---- */

static const char *const var_names[PST_CREDS_VARS] = {
    [PST_AWS_ACCESS_KEY_ID] = "AWS_ACCESS_KEY_ID",
    [PST_AWS_SECRET_ACCESS_KEY] = "AWS_SECRET_ACCESS_KEY",
    [PST_AWS_SESSION_TOKEN] = "AWS_SESSION_TOKEN",
    [PST_AWS_PROFILE] = "AWS_PROFILE",
    [PST_AWS_SHARED_CREDENTIALS_FILE] = "AWS_SHARED_CREDENTIALS_FILE",
    [PST_AWS_CONFIG_FILE] = "AWS_CONFIG_FILE",
    [PST_AWS_WEB_IDENTITY_TOKEN_FILE] = "AWS_WEB_IDENTITY_TOKEN_FILE",
    [PST_AWS_ROLE_ARN] = "AWS_ROLE_ARN",
    [PST_AWS_ROLE_SESSION_NAME] = "AWS_ROLE_SESSION_NAME",
    [PST_AWS_CONTAINER_CREDENTIALS_RELATIVE_URI] =
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    [PST_AWS_CONTAINER_CREDENTIALS_FULL_URI] = "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    [PST_AWS_CONTAINER_AUTHORIZATION_TOKEN] = "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    [PST_AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE] =
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    [PST_AWS_EC2_METADATA_DISABLED] = "AWS_EC2_METADATA_DISABLED",
    [PST_AWS_EC2_METADATA_SERVICE_ENDPOINT] = "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    [PST_AWS_ENDPOINT_URL_STS] = "AWS_ENDPOINT_URL_STS",
    [PST_HOME] = "HOME",
};

bool pst_creds_read_vars(pst_creds_ctx *ctx)
{
    for (size_t i = 0; i < PST_CREDS_VARS; i++) {
        const char *value = getenv(var_names[i]);
        if (!pst_is_set(value))
            continue;
        ctx->vars[i] = pst_strdup(value);
        if (!ctx->vars[i])
            return false;
    }
    return true;
}

void pst_creds_free_vars(pst_creds_ctx *ctx)
{
    for (size_t i = 0; i < PST_CREDS_VARS; i++) {
        if (ctx->vars[i])
            pst_wipe(ctx->vars[i], strlen(ctx->vars[i]));
        pst_free(ctx->vars[i]);
    }
}

void pst_creds_note(pst_creds_ctx *ctx, const char *fmt, ...)
{
    size_t used = strlen(ctx->note);
    if (used + 3 < sizeof ctx->note)
        used += (size_t)snprintf(ctx->note + used, 3, "; ");
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(ctx->note + used, sizeof ctx->note - used, fmt, ap);
    va_end(ap);
}

/* ---- keys ---- */

void pst_creds_wipe(pst_creds_keys *keys)
{
    pst_wipe(keys, sizeof *keys);
}

/* It goes into a header: one line of printable characters. */
static bool is_header_text(pst_sv text)
{
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] <= 0x20 || (unsigned char)text.p[i] >= 0x7f)
            return false;
    return true;
}

static bool copy_key(char *out, size_t size, const char *from)
{
    size_t n = from ? strlen(from) : 0;
    if (n >= size || !is_header_text((pst_sv){from, n}))
        return false;
    memcpy(out, from ? from : "", n);
    out[n] = '\0';
    return true;
}

pst_rc pst_creds_fill(pst_creds_keys *out, const char *id, const char *secret,
                      const char *token, const char *source, pst_err *err)
{
    if (!pst_is_set(id) || !pst_is_set(secret))
        return PST_E_NOT_FOUND;
    out->source = source;
    out->life_ms = 0;
    if (copy_key(out->id, sizeof out->id, id) &&
        copy_key(out->secret, sizeof out->secret, secret) &&
        copy_key(out->token, sizeof out->token, token))
        return PST_OK;
    pst_creds_wipe(out);
    return pst_fail(err, PST_E_CONFIG,
                    "the credentials of %s are too long or not printable", source);
}

/* ---- files ---- */

void pst_creds_wipe_buf(pst_buf *buf)
{
    if (buf->data)
        pst_wipe(buf->data, buf->cap);
    pst_buf_done(buf);
}

pst_rc pst_creds_read_file(const char *path, pst_buf *out, pst_err *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return PST_E_NOT_FOUND;
    if (fd < 0)
        return pst_fail_retriable(err, PST_E_AUTH, "cannot read %s: %s", path,
                                  strerrordesc_np(errno));
    pst_rc rc = PST_OK;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > PST_CREDS_FILE_MAX)
        rc = pst_fail_retriable(err, PST_E_AUTH, "%s is not a credentials file", path);
    else if (pst_buf_reserve(out, (size_t)st.st_size + 1) != PST_OK)
        rc = pst_fail_nomem(err, "credentials");
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

pst_rc pst_creds_read_token(const char *path, pst_buf *out, pst_err *err)
{
    pst_rc rc = pst_creds_read_file(path, out, err);
    if (rc == PST_E_NOT_FOUND)
        return pst_fail_retriable(err, PST_E_AUTH, "there is no token file %s", path);
    if (rc != PST_OK)
        return rc;
    pst_sv token = pst_sv_trim((pst_sv){out->data, out->len});
    if (!token.n || token.n > 2 * PST_CREDS_TOKEN_MAX || !is_header_text(token))
        return pst_fail_retriable(err, PST_E_AUTH, "%s holds no token", path);
    memmove(out->data, token.p, token.n);
    out->len = token.n;
    return PST_OK;
}

/* ---- dates ---- */

static int digits(pst_sv text, size_t at, size_t n)
{
    int value = 0;
    for (size_t i = at; i < at + n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return -1;
        value = value * 10 + (text.p[i] - '0');
    }
    return value;
}

/* "Z", "+01:00" or nothing → minutes; false for anything else. */
static bool offset_of(pst_sv text, int *minutes)
{
    *minutes = 0;
    if (text.n == 0 || pst_sv_eq_nocase(text, PST_SV("Z")))
        return true;
    if (text.n != 6 || (text.p[0] != '+' && text.p[0] != '-') || text.p[3] != ':')
        return false;
    int hours = digits(text, 1, 2);
    int rest = digits(text, 4, 2);
    *minutes = (hours * 60 + rest) * (text.p[0] == '-' ? -1 : 1);
    return hours >= 0 && hours < 24 && rest >= 0 && rest < 60;
}

bool pst_creds_date(pst_sv text, int64_t *wall_ms)
{
    static const char shape[] = "____-__-__T__:__:__";
    if (text.n < sizeof shape - 1)
        return false;
    for (size_t i = 0; i < sizeof shape - 1; i++)
        if (shape[i] != '_' && shape[i] != text.p[i])
            return false;
    int year = digits(text, 0, 4);
    int month = digits(text, 5, 2);
    int day = digits(text, 8, 2);
    int hour = digits(text, 11, 2);
    int minute = digits(text, 14, 2);
    int second = digits(text, 17, 2);
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31 || hour < 0 ||
        hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60)
        return false;
    size_t at = sizeof shape - 1;
    if (at < text.n && text.p[at] == '.')
        for (at++; at < text.n && text.p[at] >= '0' && text.p[at] <= '9';)
            at++;
    int offset = 0;
    if (!offset_of((pst_sv){text.p + at, text.n - at}, &offset))
        return false;
    int64_t days = pst_days_of(year, month, day);
    int64_t minutes = (days * 24 + hour) * 60 + minute - offset;
    *wall_ms = (minutes * 60 + second) * 1000;
    return true;
}

pst_rc pst_creds_life(const pst_creds_ctx *ctx, const pst_http_response *res,
                      pst_sv expires, int64_t *life_ms, bool *over, pst_err *err)
{
    int64_t end = 0;
    int64_t now = pst_wall_ms(ctx->env.clock);
    int64_t server_ms = 0;
    if (!pst_creds_date(expires, &end))
        return pst_fail_retriable(err, PST_E_INVALID,
                                  "the answer does not say when the keys expire");
    /* Dates are cut to seconds: it may be nearly one later there. */
    if (pst_http_date(pst_http_header(res, "Date"), &server_ms))
        now = server_ms + 999;
    *over = end <= now;
    *life_ms = *over ? 1 : end - now;
    return PST_OK;
}

/* ---- JSON ---- */

static const char *text_of(const json_t *root, const char *name)
{
    return json_string_value(json_object_get(root, name));
}

/* jansson frees without wiping. */
static void free_secrets(json_t *root)
{
    static const char *const names[] = {"SecretAccessKey", "Token"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        json_t *value = json_object_get(root, names[i]);
        const char *text = json_string_value(value);
        if (text)
            pst_wipe((char *)(uintptr_t)text, json_string_length(value));
    }
    json_decref(root);
}

pst_rc pst_creds_from_json(const pst_creds_ctx *ctx, const pst_http_response *res,
                           const char *source, pst_creds_keys *out, bool *over,
                           pst_err *err)
{
    json_error_t ignored;
    json_t *root =
        json_loadb(res->body.data ? res->body.data : "", res->body.len, 0, &ignored);
    if (!json_is_object(root)) {
        json_decref(root);
        return pst_fail_retriable(err, PST_E_INVALID, "%s: the answer is no JSON object",
                                  source);
    }
    const char *expires = text_of(root, "Expiration");
    pst_rc rc = pst_creds_fill(out, text_of(root, "AccessKeyId"),
                               text_of(root, "SecretAccessKey"), text_of(root, "Token"),
                               source, err);
    if (rc == PST_E_NOT_FOUND)
        rc = pst_fail_retriable(err, PST_E_INVALID, "%s: the answer holds no keys",
                                source);
    else if (rc == PST_OK && expires)
        rc = pst_creds_life(ctx, res, pst_sv_of(expires), &out->life_ms, over, err);
    free_secrets(root);
    return rc;
}
