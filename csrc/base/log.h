/*
 * log.h - one line an event, as text or JSON, to where the program says.
 *
 * text:  2026-11-23T07:38:16.123Z INFO  [users-sink-0] chain: users-0 wrote … (24
 * records) json:
 * {"ts":"…","level":"info","task":"users-sink-0","module":"chain","msg":"…"}
 *
 * Thread-safe. A log that is NULL swallows everything. Lines are cut at 2 KiB. The core
 * never prints: only the sink function that the program gives does. Secrets don't come
 * here.
 */
#ifndef PST_BASE_LOG_H
#define PST_BASE_LOG_H

#include "base/clock.h"

typedef enum pst_log_level {
    PST_LOG_OFF,
    PST_LOG_ERROR,
    PST_LOG_WARN,
    PST_LOG_INFO,
    PST_LOG_DEBUG,
    PST_LOG_TRACE,
} pst_log_level;

typedef enum pst_log_format { PST_LOG_TEXT, PST_LOG_JSON } pst_log_format;

typedef struct pst_log pst_log;

/* Gets one whole line without its newline; called under the log's lock, from any thread.
 */
typedef void (*pst_log_sink)(void *opaque, pst_log_level level, const char *line);

pst_log *pst_log_new(pst_log_sink sink, void *opaque) PST_MUST; /* INFO, text */
void pst_log_free(pst_log *log);
void pst_log_set(pst_log *log, pst_log_level level, pst_log_format format);
void pst_log_set_level(pst_log *log, pst_log_level level);
pst_log_level pst_log_get(const pst_log *log);
const char *pst_log_level_name(pst_log_level level); /* "info" */
bool pst_log_on(const pst_log *log, pst_log_level level);
/* Where a line comes from: `task` may be NULL ("users-sink-0"), `module` is a short name.
 */
void pst_logf(pst_log *log, pst_log_level level, const char *task, const char *module,
              const char *fmt, ...) PST_PRINTF(5, 6);
/* "info" → level; false for an unknown name. */
bool pst_log_level_of(const char *name, pst_log_level *out);
/* A sink that writes to a FILE * given as opaque (stderr for the programs). */
void pst_log_to_file(void *file, pst_log_level level, const char *line);

#endif
