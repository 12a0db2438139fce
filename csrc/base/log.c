/*
 * log.c - see log.h.
 */
#include "base/log.h"

#include "base/mem.h"
#include "base/str.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

enum { LINE_MAX_BYTES = 2048 };

struct pst_log {
    pthread_mutex_t lock;
    pst_log_sink sink;
    void *opaque;
    atomic_int level;
    atomic_int format;
};

static const char *const level_names[] = {"off",  "error", "warn",
                                          "info", "debug", "trace"};

pst_log *pst_log_new(pst_log_sink sink, void *opaque)
{
    pst_log *log = pst_calloc(1, sizeof *log);
    if (!log)
        return NULL;
    pthread_mutex_init(&log->lock, NULL);
    log->sink = sink;
    log->opaque = opaque;
    pst_log_set(log, PST_LOG_INFO, PST_LOG_TEXT);
    return log;
}

void pst_log_free(pst_log *log)
{
    if (!log)
        return;
    pthread_mutex_destroy(&log->lock);
    pst_free(log);
}

void pst_log_set(pst_log *log, pst_log_level level, pst_log_format format)
{
    atomic_store(&log->level, (int)level);
    atomic_store(&log->format, (int)format);
}

void pst_log_set_level(pst_log *log, pst_log_level level)
{
    if (log)
        atomic_store(&log->level, (int)level);
}

pst_log_level pst_log_get(const pst_log *log)
{
    return log ? (pst_log_level)atomic_load(&((pst_log *)(uintptr_t)log)->level)
               : PST_LOG_OFF;
}

const char *pst_log_level_name(pst_log_level level)
{
    return level_names[level];
}

bool pst_log_on(const pst_log *log, pst_log_level level)
{
    return log && (int)level <= atomic_load(&((pst_log *)(uintptr_t)log)->level);
}

/* JSON string contents; invalid UTF-8 is replaced byte by byte. Always terminates. */
static void escape_json(char *out, size_t size, const char *text)
{
    size_t n = 0;
    for (const unsigned char *c = (const unsigned char *)text; *c && n + 7 < size; c++) {
        if (*c == '"' || *c == '\\') {
            out[n++] = '\\';
            out[n++] = (char)*c;
        } else if (*c < 0x20) {
            n += (size_t)snprintf(out + n, size - n, "\\u%04x", *c);
        } else {
            out[n++] = (char)*c;
        }
    }
    out[n] = '\0';
}

static void format_json(char *line, size_t size, const char *when, const char *level,
                        const char *task, const char *module, const char *msg)
{
    char escaped[6 * LINE_MAX_BYTES + 8]; /* \u001f is the longest */
    char who[256];
    escape_json(who, sizeof who, task ? task : "");
    escape_json(escaped, sizeof escaped,
                pst_utf8_valid(pst_sv_of(msg)) ? msg : "(line with invalid UTF-8)");
    snprintf(line, size,
             "{\"ts\":\"%s\",\"level\":\"%s\",\"task\":\"%s\",\"module\":\"%s\","
             "\"msg\":\"%s\"}",
             when, level, who, module, escaped);
}

static void format_text(char *line, size_t size, const char *when, const char *level,
                        const char *task, const char *module, const char *msg)
{
    char name[8];
    size_t i = 0;
    for (; level[i] && i < sizeof name - 1; i++)
        name[i] = (char)(level[i] - ('a' - 'A'));
    name[i] = '\0';
    snprintf(line, size, "%s %-5s %s%s%s%s: %s", when, name, task ? "[" : "",
             task ? task : "", task ? "] " : "", module, msg);
    for (char *c = line; *c; c++)
        if ((unsigned char)*c < 0x20)
            *c = ' ';
}

/* A line that was cut may end within a character. */
static void end_on_character(char *text, size_t n)
{
    size_t back = 0;
    while (back < 3 && back < n && ((unsigned char)text[n - 1 - back] & 0xC0) == 0x80)
        back++;
    if (back < n && (unsigned char)text[n - 1 - back] >= 0xC0)
        text[n - 1 - back] = '\0';
}

void pst_logf(pst_log *log, pst_log_level level, const char *task, const char *module,
              const char *fmt, ...)
{
    if (!pst_log_on(log, level))
        return;
    char when[25], msg[LINE_MAX_BYTES], line[6 * LINE_MAX_BYTES + 1024];
    pst_iso8601(when, pst_wall_ms(pst_clock_system()));
    va_list ap;
    va_start(ap, fmt);
    int length = vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    if (length >= (int)sizeof msg)
        end_on_character(msg, sizeof msg - 1);
    bool json = atomic_load(&log->format) == PST_LOG_JSON;
    (json ? format_json : format_text)(line, sizeof line, when, level_names[level], task,
                                       module, msg);
    pthread_mutex_lock(&log->lock);
    log->sink(log->opaque, level, line);
    pthread_mutex_unlock(&log->lock);
}

bool pst_log_level_of(const char *name, pst_log_level *out)
{
    for (size_t i = 0; i < sizeof level_names / sizeof *level_names; i++)
        if (pst_sv_eq_nocase(pst_sv_of(name), pst_sv_of(level_names[i]))) {
            *out = (pst_log_level)i;
            return true;
        }
    return false;
}

void pst_log_to_file(void *file, pst_log_level level, const char *line)
{
    (void)level;
    fprintf(file, "%s\n", line);
    fflush(file);
}
