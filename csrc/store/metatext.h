/*
 * metatext.h - user metadata as the text of an S3 header; what the S3 drivers share.
 *
 * A header's value is ASCII, and blanks at its ends or in a row don't survive the
 * signature. So those, other bytes and % itself go out as %XX; what we write comes back
 * as it was, and plain values stay plain for other readers.
 */
#ifndef PST_STORE_METATEXT_H
#define PST_STORE_METATEXT_H

#include "base/buf.h"
#include "base/str.h"

enum { PST_METATEXT_TOTAL_MAX = 2048 }; /* S3's limit for all names and values */

/* Appends the value, escaped. */
pst_rc pst_metatext_encode(pst_buf *out, const char *value) PST_MUST;
/* A % that is no escape stands for itself. False if it does not fit. */
bool pst_metatext_decode(pst_sv text, char *out, size_t size);

#endif
