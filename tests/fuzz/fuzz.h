/*
 * fuzz.h - what the fuzzers share: a check that stops the fuzzer, bytes taken from the
 * front of the input, NUL-terminated copies.
 *
 * A fuzzer is one file, fuzz_<name>.c, with LLVMFuzzerTestOneInput(); its seeds are in
 * corpus/<name>/, its dictionary, if it has one, is <name>.dict. run.py builds and runs
 * them. Bytes that choose (a schema, options) stand in front and are printable in the
 * seeds. A finding is a crash, a sanitizer's report, a leak, more than 5 s or 1 GiB, or a
 * FUZZ_CHECK() that does not hold.
 */
#ifndef PST_FUZZ_H
#define PST_FUZZ_H

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CHECK(condition)                                                            \
    do {                                                                                 \
        if (!(condition)) {                                                              \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__,            \
                    #condition);                                                         \
            abort();                                                                     \
        }                                                                                \
    } while (0)

/* The input, taken from the front. */
typedef struct fuzz_input {
    const char *p;
    size_t n;
} fuzz_input;

static inline fuzz_input fuzz_begin(const uint8_t *data, size_t size)
{
    return (fuzz_input){(const char *)data, size};
}

/* A number below `below` from one byte; '0' is 0 in the seeds. */
static inline unsigned fuzz_choose(fuzz_input *in, unsigned below)
{
    if (!in->n)
        return 0;
    unsigned c = (unsigned char)*in->p;
    in->p++;
    in->n--;
    return (c + 256 - '0') % 256 % below;
}

/* What stands before the next line end, or all of it. */
static inline pst_sv fuzz_line(fuzz_input *in)
{
    pst_sv rest;
    pst_sv line = pst_sv_cut((pst_sv){in->p, in->n}, '\n', &rest);
    in->p = rest.p;
    in->n = rest.p ? rest.n : 0;
    return line;
}

static inline pst_sv fuzz_rest(const fuzz_input *in)
{
    return (pst_sv){in->p, in->n};
}

/* A copy up to the first NUL; the caller's to pst_free(). */
static inline char *fuzz_string(pst_sv text)
{
    size_t n = 0;
    while (n < text.n && text.p[n])
        n++;
    char *copy = pst_strndup(text.p, n);
    FUZZ_CHECK(copy);
    return copy;
}

/* An error has a code and one line of text. */
static inline void fuzz_check_err(pst_rc rc, const pst_err *err)
{
    FUZZ_CHECK(rc != PST_OK);
    FUZZ_CHECK(err->code == rc);
    FUZZ_CHECK(err->text[0]);
    FUZZ_CHECK(memchr(err->text, '\0', sizeof err->text));
}

#endif
