/*
 * logline.h - what one line of the log looks like, whatever is in it: well-formed UTF-8,
 * no control characters, no longer than a pipe takes at once.
 */
#ifndef PST_BASE_LOGLINE_H
#define PST_BASE_LOGLINE_H

#include "base/log.h"

/* With its newline: POSIX lets a pipe take so many bytes without another's between. */
enum { PST_LOGLINE_MAX = 4096 };

typedef struct pst_logline {
    int64_t wall_ms;
    pst_log_level level;
    const char *task; /* NULL = none */
    const char *module;
    const char *msg;
} pst_logline;

/* `out` of PST_LOGLINE_MAX bytes gets the line without newline, NUL-terminated. What is
   too long is cut between characters and ends in "…". */
void pst_logline_text(char *out, const pst_logline *line);
void pst_logline_json(char *out, const pst_logline *line);

#endif
