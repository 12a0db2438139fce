/*
 * log.h - one line an event, as text or JSON, to where the program says.
 *
 *   2026-11-23T07:38:16.123Z INFO  [users-sink-0] chain: users-0 wrote … (24 records)
 *   {"ts":"…","level":"info","task":"users-sink-0","module":"chain","msg":"…"}
 *
 * Thread-safe. A log that is NULL swallows everything. A line is well-formed UTF-8
 * without control characters and at most 4095 bytes long. A warning or error that says
 * the same again within 20 seconds is counted, not written; the count goes with the next
 * line. The core never prints: only the sink function that the program gives does.
 * Secrets don't come here.
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

/* Parts of the program whose lines have a level of their own, if one is set: a line of
   another module has the root's. */
enum { PST_LOG_MODULES = 11 };
extern const char *const pst_log_modules[PST_LOG_MODULES];
#define PST_LOG_ROOT "root"

typedef struct pst_log pst_log;

/* Gets one whole line without its newline; called under the log's lock, from any thread.
 */
typedef void (*pst_log_sink)(void *opaque, pst_log_level level, const char *line);

pst_log *pst_log_new(pst_log_sink sink, void *opaque) PST_MUST; /* INFO, text */
void pst_log_free(pst_log *log); /* writes what was held back */
/* Before the first line: repeats and time stamps go by this clock, not by the system's.
 */
void pst_log_use_clock(pst_log *log, const pst_clock *clock);
/* Of the root and all modules. */
void pst_log_set(pst_log *log, pst_log_level level, pst_log_format format);
void pst_log_set_format(pst_log *log, pst_log_format format);
/* Of one module, or of PST_LOG_ROOT: then the modules' own levels are forgotten. False:
   there is no such module. */
bool pst_log_set_level(pst_log *log, const char *module, pst_log_level level);

typedef struct pst_log_setting {
    pst_log_level level;
    bool own;           /* it was set for this module, and is not the root's */
    int64_t changed_ms; /* wall clock; 0 = never since the start */
} pst_log_setting;

/* False: there is no such module. */
bool pst_log_get(const pst_log *log, const char *module, pst_log_setting *out);
const char *pst_log_level_name(pst_log_level level); /* "info" */
/* Would a line be written? */
bool pst_log_on(const pst_log *log, pst_log_level level, const char *module);
/* Where a line comes from: `task` may be NULL ("users-sink-0"), `module` is a literal. */
void pst_logf(pst_log *log, pst_log_level level, const char *task, const char *module,
              const char *fmt, ...) PST_PRINTF(5, 6);
/* "info" → level; false for an unknown name. */
bool pst_log_level_of(const char *name, pst_log_level *out);
/* A sink that writes to a FILE * given as opaque (stderr for the programs), each line by
   one write(). */
void pst_log_to_file(void *file, pst_log_level level, const char *line);

#endif
