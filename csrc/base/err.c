/*
 * err.c - see err.h. Formatting into the caller's fixed struct, first error wins.
 */
#include "base/err.h"

#include <stdio.h>
#include <string.h>

static void one_line(char *text)
{
    for (; *text; text++)
        if (*text == '\n' || *text == '\r')
            *text = ' ';
}

static pst_rc fail_v(pst_err *err, pst_rc code, bool retriable, const char *fmt,
                     va_list ap)
{
    if (err && err->code == PST_OK) {
        err->code = code;
        err->retriable = retriable;
        vsnprintf(err->text, sizeof err->text, fmt, ap);
        one_line(err->text);
    }
    return code;
}

pst_rc pst_fail(pst_err *err, pst_rc code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    pst_rc rc = fail_v(err, code, false, fmt, ap);
    va_end(ap);
    return rc;
}

pst_rc pst_fail_retriable(pst_err *err, pst_rc code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    pst_rc rc = fail_v(err, code, true, fmt, ap);
    va_end(ap);
    return rc;
}

pst_rc pst_fail_nomem(pst_err *err, const char *what)
{
    return pst_fail(err, PST_E_NOMEM, "out of memory: %s", what);
}

void pst_err_context(pst_err *err, const char *fmt, ...)
{
    if (!err || err->code == PST_OK)
        return;
    char joined[sizeof err->text];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(joined, sizeof joined, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof joined)
        return;
    snprintf(joined + n, sizeof joined - (size_t)n, ": %.*s",
             (int)(sizeof joined - (size_t)n - 3), err->text);
    memcpy(err->text, joined, sizeof joined);
    one_line(err->text);
}

void pst_err_clear(pst_err *err)
{
    if (err)
        *err = (pst_err)PST_ERR_INIT;
}

const char *pst_rc_name(pst_rc rc)
{
    static const char *const names[] = {
        [PST_OK] = "ok",
        [PST_E_NOMEM] = "out of memory",
        [PST_E_LIMIT] = "limit",
        [PST_E_CONFIG] = "config",
        [PST_E_INVALID] = "invalid data",
        [PST_E_IO] = "i/o",
        [PST_E_TIMEOUT] = "timeout",
        [PST_E_AUTH] = "auth",
        [PST_E_NOT_FOUND] = "not found",
        [PST_E_EXISTS] = "exists",
        [PST_E_THROTTLED] = "throttled",
        [PST_E_KAFKA] = "kafka",
        [PST_E_CHAIN] = "chain",
        [PST_E_UNSUPPORTED] = "unsupported",
        [PST_E_STOPPED] = "stopped",
        [PST_E_INTERNAL] = "internal",
    };
    if ((size_t)rc >= sizeof names / sizeof *names || !names[rc])
        return "unknown";
    return names[rc];
}
