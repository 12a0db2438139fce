/*
 * charset.h - UTF-8 to another character set, as Java's encoders do it: what the set
 * lacks becomes '?', UTF-16 starts with a byte order mark once per object.
 */
#ifndef PST_FORMAT_CHARSET_H
#define PST_FORMAT_CHARSET_H

#include "base/buf.h"
#include "base/str.h"

typedef struct pst_charset pst_charset;

/* UTF-8, ISO-8859-1, US-ASCII, UTF-16[BE|LE], UTF-32[BE|LE], and what iconv knows. */
pst_rc pst_charset_new(pst_charset **out, const char *name, pst_err *err) PST_MUST;
void pst_charset_free(pst_charset *charset);
bool pst_charset_is_utf8(const pst_charset *charset);
/* A new object begins. */
void pst_charset_reset(pst_charset *charset);
/* text is well-formed UTF-8. */
pst_rc pst_charset_add(pst_charset *charset, pst_sv text, pst_buf *out) PST_MUST;

#endif
