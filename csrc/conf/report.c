/*
 * report.c - the list of everything that was wrong with a configuration.
 *
 * Somebody who mends a file wants all mistakes in one go, by file and line. So checks
 * append here and go on. The list has a ceiling: past it errors are counted but not kept.
 * A message is one line of printable UTF-8 whatever was in the value it quotes, so that a
 * settings file cannot forge a log line.
 */
#include "conf/conf_in.h"

#include <stdio.h>

enum { TEXT_MAX = 1024 };

void pst_conf_report_init(pst_conf_report *report)
{
    *report = (pst_conf_report){0};
}

static void message_done(pst_conf_message *message)
{
    pst_free(message->key);
    pst_free(message->file);
    pst_free(message->text);
}

void pst_conf_report_done(pst_conf_report *report)
{
    for (size_t i = 0; i < report->n; i++)
        message_done(&report->items[i]);
    pst_free(report->items);
    pst_conf_report_init(report);
}

static size_t utf8_length(unsigned char lead)
{
    return lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

/* Blanks for control characters, ? for what is not UTF-8 (a character cut off). */
static void make_printable(char *s)
{
    for (size_t n = strlen(s), i = 0; i < n;) {
        unsigned char c = (unsigned char)s[i];
        size_t size = utf8_length(c);
        if (size > n - i || !pst_utf8_valid((pst_sv){s + i, size})) {
            s[i++] = '?';
            continue;
        }
        bool c1 = c == 0xC2 && (unsigned char)s[i + 1] < 0xA0;
        if (c < 0x20 || c == 0x7F || c1)
            memset(s + i, ' ', size);
        i += size;
    }
}

static char *printable_copy(const char *s)
{
    char *copy = pst_strdup(s);
    if (copy)
        make_printable(copy);
    return copy;
}

static pst_rc report_grow(pst_conf_report *report)
{
    if (report->n < report->cap)
        return PST_OK;
    size_t cap = report->cap ? report->cap * 2 : 8;
    pst_conf_message *items = pst_realloc(report->items, cap, sizeof *items);
    if (!items)
        return PST_E_NOMEM;
    report->items = items;
    report->cap = cap;
    return PST_OK;
}

static pst_rc report_add(pst_conf_report *report, const pst_prop *where, const char *key,
                         const char *text, bool warning)
{
    if (report_grow(report) != PST_OK)
        return PST_E_NOMEM;
    const char *file = where ? where->file : NULL;
    if (!key && where && where->key && *where->key)
        key = where->key;
    pst_conf_message m = {.line = where ? where->line : 0, .warning = warning};
    m.key = key ? pst_strdup(key) : NULL;
    m.file = file ? pst_strdup(file) : NULL;
    m.text = printable_copy(text);
    if ((key && !m.key) || (file && !m.file) || !m.text) {
        message_done(&m);
        return PST_E_NOMEM;
    }
    report->items[report->n++] = m;
    return PST_OK;
}

static void report_v(pst_conf_report *report, const pst_prop *where, const char *key,
                     bool warning, const char *fmt, va_list ap)
{
    char text[TEXT_MAX];
    vsnprintf(text, sizeof text, fmt, ap);
    report->errors += !warning;
    if (report->n < PST_CONF_REPORT_MAX &&
        report_add(report, where, key, text, warning) != PST_OK)
        report->nomem = true;
}

void pst_conf_error(pst_conf_report *report, const pst_prop *where, const char *key,
                    const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    report_v(report, where, key, false, fmt, ap);
    va_end(ap);
}

void pst_conf_warning(pst_conf_report *report, const pst_prop *where, const char *key,
                      const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    report_v(report, where, key, true, fmt, ap);
    va_end(ap);
}

/* By file (none last), line (none last), then in the order of finding. */
static int message_order(const pst_conf_message *a, const pst_conf_message *b)
{
    if (!a->file || !b->file) {
        if (a->file || b->file)
            return a->file ? -1 : 1;
    } else if (strcmp(a->file, b->file) != 0) {
        return strcmp(a->file, b->file);
    }
    if (a->line != b->line)
        return !a->line ? 1 : !b->line ? -1 : a->line < b->line ? -1 : 1;
    return a < b ? -1 : a > b;
}

/* The next after `last` in order: no memory is needed to sort at most 200 messages. */
static const pst_conf_message *next_message(const pst_conf_report *report,
                                            const pst_conf_message *last)
{
    const pst_conf_message *best = NULL;
    for (size_t i = 0; i < report->n; i++) {
        const pst_conf_message *m = &report->items[i];
        if (last && message_order(m, last) <= 0)
            continue;
        if (!best || message_order(m, best) < 0)
            best = m;
    }
    return best;
}

/* Does the text name the key: "key" anywhere, or key: in front? */
static bool names_key(const pst_conf_message *m)
{
    size_t n = strlen(m->key);
    if (strncmp(m->text, m->key, n) == 0 && m->text[n] == ':')
        return true;
    for (const char *at = m->text; (at = strchr(at, '"')); at++)
        if (strncmp(at + 1, m->key, n) == 0 && at[n + 1] == '"')
            return true;
    return false;
}

static void put_printable(pst_conf_out *out, const char *s)
{
    char copy[TEXT_MAX];
    snprintf(copy, sizeof copy, "%s", s);
    make_printable(copy);
    pst_conf_put(out, copy);
}

static void put_message(pst_conf_out *out, const pst_conf_message *m)
{
    if (m->file) {
        put_printable(out, m->file);
        if (m->line)
            pst_conf_putf(out, ":%d", m->line);
        pst_conf_put(out, ": ");
    }
    if (m->warning)
        pst_conf_put(out, "warning: ");
    if (m->key && !names_key(m)) {
        put_printable(out, m->key);
        pst_conf_put(out, ": ");
    }
    pst_conf_putf(out, "%s\n", m->text);
}

pst_rc pst_conf_report_print(const pst_conf_report *report, pst_buf *buf)
{
    pst_conf_out out = pst_conf_out_begin(buf);
    size_t kept = 0;
    const pst_conf_message *m = NULL;
    while ((m = next_message(report, m))) {
        put_message(&out, m);
        kept += !m->warning;
    }
    if (report->nomem)
        pst_conf_put(&out, "out of memory while reading the settings\n");
    else if (report->errors > kept)
        pst_conf_putf(&out, "and %zu more errors\n", report->errors - kept);
    return pst_conf_out_end(&out);
}
