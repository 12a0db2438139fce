/*
 * fuzz_csv_reader.h - a little CSV reader that shares no code with the writer: it counts
 * rows and fields, refuses what is not whole, and hands the fields over as a reader with
 * the same separator, quote and escape sees them.
 */
#ifndef PST_FUZZ_CSV_READER_H
#define PST_FUZZ_CSV_READER_H

#include "fuzz.h"

typedef struct csv_look {
    char sep, quote, escape;
    const char *line; /* the line separator */
} csv_look;

enum { CSV_FIELDS_MAX = 64 };

typedef struct csv_seen {
    pst_buf text; /* all fields, one after another */
    size_t ends[CSV_FIELDS_MAX];
    size_t n;
} csv_seen;

static inline pst_sv csv_seen_field(const csv_seen *seen, size_t i)
{
    size_t from = i ? seen->ends[i - 1] : 0;
    return (pst_sv){seen->text.data + from, seen->ends[i] - from};
}

static inline bool csv_at(pst_sv text, size_t i, const char *what)
{
    size_t n = strlen(what);
    return text.n - i >= n && memcmp(text.p + i, what, n) == 0;
}

/* From behind the opening quote; returns where the field ends. */
static inline size_t csv_read_quoted(const csv_look *look, pst_sv text, size_t i,
                                     csv_seen *seen)
{
    for (;; i++) {
        FUZZ_CHECK(i < text.n); /* the closing quote is there */
        char c = text.p[i];
        bool more = i + 1 < text.n;
        if (c == look->escape && more &&
            (text.p[i + 1] == look->quote || text.p[i + 1] == look->escape))
            c = text.p[++i];
        else if (c == look->quote)
            return i + 1;
        FUZZ_CHECK(pst_buf_addc(&seen->text, c) == PST_OK);
    }
}

static inline size_t csv_read_plain(const csv_look *look, pst_sv text, size_t i,
                                    csv_seen *seen)
{
    for (; i < text.n && text.p[i] != look->sep && !csv_at(text, i, look->line); i++) {
        FUZZ_CHECK(text.p[i] != '\n' && text.p[i] != '\r'); /* outside quotes */
        FUZZ_CHECK(pst_buf_addc(&seen->text, text.p[i]) == PST_OK);
    }
    return i;
}

/* Reads one row, which must be all of the text. */
static inline void csv_read_row(const csv_look *look, pst_sv text, csv_seen *seen)
{
    size_t i = 0;
    seen->n = 0;
    pst_buf_clear(&seen->text);
    for (;; i++) {
        FUZZ_CHECK(seen->n < CSV_FIELDS_MAX);
        if (i < text.n && text.p[i] == look->quote)
            i = csv_read_quoted(look, text, i + 1, seen);
        else
            i = csv_read_plain(look, text, i, seen);
        seen->ends[seen->n++] = seen->text.len;
        FUZZ_CHECK(i < text.n); /* a separator or the line's end */
        if (text.p[i] != look->sep || csv_at(text, i, look->line))
            break;
    }
    FUZZ_CHECK(csv_at(text, i, look->line));
    FUZZ_CHECK(i + strlen(look->line) == text.n); /* one row */
}

#endif
