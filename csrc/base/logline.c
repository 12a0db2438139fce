/*
 * logline.c - see logline.h.
 */
#include "base/logline.h"

#include "base/str.h"

#include <stdio.h>

enum { TASK_MAX = 512, ESCAPE_MAX = 6, CUT_BYTES = 3 };

static const char BROKEN[] = "\xEF\xBF\xBD", CUT[] = "\xE2\x80\xA6";

/* C0, DEL and C1: a terminal may take them for commands. */
static bool is_control(const unsigned char *c, size_t n)
{
    return c[0] < 0x20 || c[0] == 0x7F || (n == 2 && c[0] == 0xC2 && c[1] < 0xA0);
}

static size_t put_control(char out[ESCAPE_MAX + 1], const unsigned char *c, size_t n,
                          bool json)
{
    if (json)
        return (size_t)snprintf(out, ESCAPE_MAX + 1, "\\u%04x", c[n - 1]);
    out[0] = ' ';
    return 1;
}

/* The first character of `text` as it stands in a line; *n: its bytes there. */
static size_t put_char(char out[ESCAPE_MAX + 1], pst_sv text, bool json, size_t *n)
{
    const unsigned char *c = (const unsigned char *)text.p;
    size_t used = 0;
    *n = pst_utf8_char(text);
    if (!*n) { /* one byte at a time, as decoders that replace do */
        *n = 1;
        memcpy(out, BROKEN, sizeof BROKEN - 1);
        return sizeof BROKEN - 1;
    }
    if (is_control(c, *n))
        return put_control(out, c, *n, json);
    if (json && (*c == '"' || *c == '\\'))
        out[used++] = '\\';
    memcpy(out + used, c, *n);
    return used + *n;
}

/* As much of `text` as `room` bytes take, NUL-terminated; the bytes. room > CUT_BYTES. */
static size_t put_text(char *out, size_t room, const char *text, bool json)
{
    pst_sv left = pst_sv_of(text);
    size_t at = 0, whole = 0; /* whole: so many, and the sign of a cut has room yet */
    while (left.n) {
        char one[ESCAPE_MAX + 1];
        size_t used = 0, n = put_char(one, left, json, &used);
        if (at + n >= room) {
            memcpy(out + whole, CUT, CUT_BYTES);
            at = whole + CUT_BYTES;
            break;
        }
        memcpy(out + at, one, n);
        at += n;
        if (at + CUT_BYTES < room)
            whole = at;
        left.p += used;
        left.n -= used;
    }
    out[at] = '\0';
    return at;
}

static size_t put_fixed(char *out, size_t at, const char *text)
{
    size_t n = strlen(text);
    memcpy(out + at, text, n + 1);
    return at + n;
}

void pst_logline_text(char *out, const pst_logline *line)
{
    static const char *const levels[] = {"OFF  ", "ERROR", "WARN ",
                                         "INFO ", "DEBUG", "TRACE"};
    pst_iso8601(out, line->wall_ms);
    size_t at = put_fixed(out, strlen(out), " ");
    at = put_fixed(out, at, levels[line->level]);
    at = put_fixed(out, at, line->task ? " [" : " ");
    if (line->task) {
        at += put_text(out + at, TASK_MAX, line->task, false);
        at = put_fixed(out, at, "] ");
    }
    at += put_text(out + at, TASK_MAX, line->module, false);
    at = put_fixed(out, at, ": ");
    put_text(out + at, PST_LOGLINE_MAX - 1 - at, line->msg, false);
}

void pst_logline_json(char *out, const pst_logline *line)
{
    static const char END[] = "\"}";
    size_t at = put_fixed(out, 0, "{\"ts\":\"");
    pst_iso8601(out + at, line->wall_ms);
    at += strlen(out + at);
    at = put_fixed(out, at, "\",\"level\":\"");
    at = put_fixed(out, at, pst_log_level_name(line->level));
    at = put_fixed(out, at, "\",\"task\":\"");
    at += put_text(out + at, TASK_MAX, line->task ? line->task : "", true);
    at = put_fixed(out, at, "\",\"module\":\"");
    at += put_text(out + at, TASK_MAX, line->module, true);
    at = put_fixed(out, at, "\",\"msg\":\"");
    at += put_text(out + at, PST_LOGLINE_MAX - sizeof END - at, line->msg, true);
    put_fixed(out, at, END);
}
