/*
 * secret.c - which values must not be shown, and how the others are shown in messages.
 *
 * A value is secret if its row says so, if its name does (librdkafka's settings have no
 * rows), or if it came through a reference. Better to mask one too many: a path under
 * ssl.…location is the only exception made for the reader's sake. A password inside a URL
 * is masked wherever a value is shown.
 */
#include "conf/conf_in.h"

#include <stdio.h>

static const char MASK[] = "****";

static bool contains(const char *name, const char *word)
{
    return strcasestr(name, word) != NULL;
}

/* Is there a part "sasl." or "ssl." in front or after a dot? */
static bool of_security(const char *name)
{
    for (const char *at = name; at; at = strchr(at, '.')) {
        at += *at == '.';
        if (strncasecmp(at, "sasl.", 5) == 0 || strncasecmp(at, "ssl.", 4) == 0)
            return true;
    }
    return false;
}

bool pst_conf_secret_name(const char *name)
{
    static const char *const words[] = {
        "password", "passphrase", "secret",      "token",      "credential",
        "jaas",     "basic.auth", "private.key", "privatekey", "bearer.config"};
    if (pst_sv_ends(pst_sv_of(name), PST_SV(".location")))
        return false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (contains(name, words[i]))
            return true;
    return of_security(name) && contains(name, "key");
}

bool pst_conf_is_secret(const pst_conf_spec *spec, const pst_prop *prop)
{
    const pst_setting *row = pst_conf_find(spec, prop->key);
    return prop->secret_source || (row && row->flags & PST_CONF_SECRET) ||
           pst_conf_secret_name(prop->key);
}

/* The "user:password" of the next URL in s; p == NULL if there is none. Up to the last @
   of the word, since passwords are often written without the escapes they need. */
static pst_sv url_userinfo(const char *s)
{
    while ((s = strstr(s, "://"))) {
        s += 3;
        size_t word = strcspn(s, " \t\r\n");
        const char *at = memrchr(s, '@', word);
        if (at)
            return (pst_sv){s, (size_t)(at - s)};
        s += word;
    }
    return (pst_sv){NULL, 0};
}

/* Text into a fixed buffer; `need` counts what there was no room for, too. */
typedef struct bounded {
    char *text;
    size_t size, need;
} bounded;

static void bounded_add(bounded *out, const char *s, size_t n)
{
    size_t room = out->need < out->size ? out->size - out->need : 0;
    if (room && n)
        memcpy(out->text + out->need, s, n < room ? n : room);
    out->need += n;
}

static void mask_urls(bounded *out, const char *s)
{
    pst_sv hide;
    while ((hide = url_userinfo(s)).p) {
        bounded_add(out, s, (size_t)(hide.p - s));
        bounded_add(out, MASK, sizeof MASK - 1);
        s = hide.p + hide.n;
    }
    bounded_add(out, s, strlen(s));
}

char *pst_conf_masked(const char *value, bool secret)
{
    if (secret)
        return pst_strdup(*value ? MASK : "");
    bounded measure = {0};
    mask_urls(&measure, value);
    bounded out = {.text = pst_malloc(measure.need + 1), .size = measure.need};
    if (!out.text)
        return NULL;
    mask_urls(&out, value);
    out.text[out.need] = '\0';
    return out.text;
}

/* Masks before it cuts: a URL whose password is cut through is still a URL. */
const char *pst_conf_shown(char buf[PST_CONF_SHOWN], const char *value, bool secret)
{
    enum { SHOW = 96 };
    char text[SHOW + 1];
    bounded out = {.text = text, .size = sizeof text};
    if (secret) {
        snprintf(buf, PST_CONF_SHOWN, "%s", MASK);
        return buf;
    }
    mask_urls(&out, value);
    bool all = out.need <= SHOW;
    size_t n = all ? out.need : SHOW;
    while (!all && n && ((unsigned char)text[n] & 0xC0) == 0x80)
        n--;
    snprintf(buf, PST_CONF_SHOWN, "\"%.*s%s\"", (int)n, text, all ? "" : "…");
    return buf;
}

bool pst_conf_leaks(const char *text, const char *secret)
{
    enum { WINDOW = 6 };
    size_t n = strlen(secret), window = n < WINDOW ? n : WINDOW;
    for (size_t i = 0; n && i + window <= n; i++)
        if (memmem(text, strlen(text), secret + i, window))
            return true;
    return false;
}

/* Is all of it one ${…}? Then it tells where the secret is, not what it is. */
static bool only_reference(const char *raw)
{
    size_t n = strlen(raw);
    return n > 3 && raw[0] == '$' && raw[1] == '{' && strchr(raw, '}') == raw + n - 1;
}

char *pst_conf_public(const pst_conf_spec *spec, const pst_prop *prop)
{
    const pst_setting *row = pst_conf_find(spec, prop->key);
    const char *raw = pst_prop_raw(prop);
    bool secret =
        (row && row->flags & PST_CONF_SECRET) || pst_conf_secret_name(prop->key);
    if (secret && *raw && !only_reference(raw))
        return pst_strdup("[hidden]");
    return pst_conf_masked(raw, false);
}
