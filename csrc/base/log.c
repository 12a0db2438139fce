/*
 * log.c - see log.h.
 */
#include "base/log.h"

#include "base/logline.h"
#include "base/logseen.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

const char *const pst_log_modules[PST_LOG_MODULES] = {
    "chain", "daemon", "group", "kafka", "offsets", "record",
    "rest",  "source", "spool", "store", "task",
};

enum {
    ROOT = PST_LOG_MODULES,
    NAMES = PST_LOG_MODULES + 1,
    UNKNOWN = -1,
    INHERITED = -1
};

struct pst_log {
    pthread_mutex_t lock; /* of all but the atomics */
    pst_log_sink sink;
    void *opaque;
    const pst_clock *clock;
    atomic_int levels[NAMES]; /* INHERITED = the root's */
    atomic_int highest;       /* of all: above it no line is worth a look */
    _Atomic int64_t changed_ms[NAMES];
    atomic_int format;
    pst_logseen seen;
};

static const char *const level_names[] = {"off",  "error", "warn",
                                          "info", "debug", "trace"};

/* ---- levels ---- */

static int index_of(const char *module)
{
    for (int i = 0; i < PST_LOG_MODULES; i++)
        if (strcmp(pst_log_modules[i], module) == 0)
            return i;
    return strcmp(module, PST_LOG_ROOT) == 0 ? ROOT : UNKNOWN;
}

static int level_at(pst_log *log, int at)
{
    int own = at == UNKNOWN ? INHERITED : atomic_load(&log->levels[at]);
    return own == INHERITED ? atomic_load(&log->levels[ROOT]) : own;
}

/* Under the lock: two changes at once would each miss the other's. */
static void find_highest(pst_log *log)
{
    int highest = PST_LOG_OFF;
    for (int i = 0; i < NAMES; i++) {
        int level = atomic_load(&log->levels[i]);
        if (level > highest)
            highest = level;
    }
    atomic_store(&log->highest, highest);
}

static void set_at(pst_log *log, int at, int level, int64_t now_ms)
{
    if (atomic_exchange(&log->levels[at], level) != level)
        atomic_store(&log->changed_ms[at], now_ms);
}

static void set_all(pst_log *log, pst_log_level level, int64_t now_ms)
{
    for (int i = 0; i < PST_LOG_MODULES; i++)
        set_at(log, i, INHERITED, now_ms);
    set_at(log, ROOT, (int)level, now_ms);
}

void pst_log_set(pst_log *log, pst_log_level level, pst_log_format format)
{
    pthread_mutex_lock(&log->lock);
    set_all(log, level, 0);
    find_highest(log);
    atomic_store(&log->format, (int)format);
    pthread_mutex_unlock(&log->lock);
}

void pst_log_set_format(pst_log *log, pst_log_format format)
{
    if (log)
        atomic_store(&log->format, (int)format);
}

bool pst_log_set_level(pst_log *log, const char *module, pst_log_level level)
{
    int at = index_of(module);
    if (at == UNKNOWN)
        return false;
    if (!log)
        return true;
    int64_t now = pst_wall_ms(log->clock);
    pthread_mutex_lock(&log->lock);
    if (at == ROOT)
        set_all(log, level, now);
    else
        set_at(log, at, (int)level, now);
    find_highest(log);
    pthread_mutex_unlock(&log->lock);
    return true;
}

bool pst_log_get(const pst_log *log, const char *module, pst_log_setting *out)
{
    pst_log *own = (pst_log *)(uintptr_t)log;
    int at = index_of(module);
    *out = (pst_log_setting){.level = PST_LOG_OFF};
    if (at == UNKNOWN || !log)
        return at != UNKNOWN;
    out->level = (pst_log_level)level_at(own, at);
    out->own = atomic_load(&own->levels[at]) != INHERITED;
    out->changed_ms = atomic_load(&own->changed_ms[at]);
    return true;
}

const char *pst_log_level_name(pst_log_level level)
{
    return level_names[level];
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

bool pst_log_on(const pst_log *log, pst_log_level level, const char *module)
{
    pst_log *own = (pst_log *)(uintptr_t)log;
    return log && (int)level <= atomic_load(&own->highest) &&
           (int)level <= level_at(own, index_of(module));
}

/* ---- lines; under the lock ---- */

static void write_line(pst_log *log, const pst_logline *line)
{
    char text[PST_LOGLINE_MAX];
    if (atomic_load(&log->format) == PST_LOG_JSON)
        pst_logline_json(text, line);
    else
        pst_logline_text(text, line);
    log->sink(log->opaque, line->level, text);
}

static void tell_held(pst_log *log, const pst_logseen_slot *slot)
{
    char msg[PST_LOGSEEN_TEXT + 64];
    snprintf(msg, sizeof msg, "%s (and %u time%s more since)", slot->text, slot->held,
             slot->held == 1 ? "" : "s");
    write_line(log, &(pst_logline){.wall_ms = pst_wall_ms(log->clock),
                                   .level = slot->level,
                                   .task = slot->has_task ? slot->task : NULL,
                                   .module = slot->module,
                                   .msg = msg});
}

static void tell_over(pst_log *log, bool all)
{
    pst_logseen_slot slot;
    int64_t now = pst_mono_ms(log->clock);
    for (int i = 0; i < PST_LOGSEEN_SLOTS; i++) {
        if (!pst_logseen_over(&log->seen, now, all, &slot))
            return;
        tell_held(log, &slot);
    }
}

/* `msg` has room for what is added. */
static bool is_due(pst_log *log, const pst_logline *line, char *msg, size_t size)
{
    pst_logseen_slot gone;
    unsigned held = 0;
    if (line->level > PST_LOG_WARN)
        return true;
    bool due = pst_logseen_due(&log->seen, line->level, line->task, line->module, msg,
                               pst_mono_ms(log->clock), &held, &gone);
    if (gone.hash)
        tell_held(log, &gone);
    size_t n = strlen(msg);
    if (held)
        snprintf(msg + n, size - n, " (and %u time%s more since)", held,
                 held == 1 ? "" : "s");
    return due;
}

void pst_logf(pst_log *log, pst_log_level level, const char *task, const char *module,
              const char *fmt, ...)
{
    if (!pst_log_on(log, level, module))
        return;
    char msg[PST_LOGLINE_MAX + 64];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, PST_LOGLINE_MAX, fmt, ap);
    va_end(ap);
    pst_logline line = {.wall_ms = pst_wall_ms(log->clock),
                        .level = level,
                        .task = task,
                        .module = module,
                        .msg = msg};
    pthread_mutex_lock(&log->lock);
    if (is_due(log, &line, msg, sizeof msg))
        write_line(log, &line);
    tell_over(log, false);
    pthread_mutex_unlock(&log->lock);
}

/* ---- life ---- */

pst_log *pst_log_new(pst_log_sink sink, void *opaque)
{
    pst_log *log = pst_calloc(1, sizeof *log);
    if (!log)
        return NULL;
    pthread_mutex_init(&log->lock, NULL);
    log->sink = sink;
    log->opaque = opaque;
    log->clock = pst_clock_system();
    pst_log_set(log, PST_LOG_INFO, PST_LOG_TEXT);
    return log;
}

void pst_log_use_clock(pst_log *log, const pst_clock *clock)
{
    log->clock = clock;
}

void pst_log_free(pst_log *log)
{
    if (!log)
        return;
    tell_over(log, true);
    pthread_mutex_destroy(&log->lock);
    pst_free(log);
}

void pst_log_to_file(void *file, pst_log_level level, const char *line)
{
    char whole[PST_LOGLINE_MAX];
    (void)level;
    size_t n = strlen(line);
    n = n < sizeof whole ? n : sizeof whole - 1;
    memcpy(whole, line, n);
    whole[n++] = '\n';
    for (size_t at = 0; at < n;) {
        ssize_t done = write(fileno(file), whole + at, n - at);
        if (done < 0 && errno != EINTR)
            return; /* nobody is there to be told */
        at += done > 0 ? (size_t)done : 0;
    }
}
