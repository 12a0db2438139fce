/*
 * compress.h - the bytes of a closed window become a compressed file.
 *
 * A method is one file with one const pst_compression at its end (gzip.c, zstd.c).
 * pst_compress_chunks() feeds it blocks of one size, so that the same bytes at the same
 * level give the same file however they lie in memory; nothing of time, name or machine
 * goes in. What was read is given back at once: input and output together are little more
 * than the input.
 *
 * A compressor's own memory is bounded by its level (pst_compression.memory); how many
 * work at once is the caller's (runtime/objects_pack.c).
 */
#ifndef PST_FORMAT_COMPRESS_H
#define PST_FORMAT_COMPRESS_H

#include "base/buf.h"
#include "base/str.h"
#include "conf/conf.h"

typedef struct pst_compressor pst_compressor;

/* What one step may read and write; it moves all four. */
typedef struct pst_compress_io {
    const char *in;
    size_t n_in;
    char *out;
    size_t n_out;
} pst_compress_io;

typedef struct pst_compression {
    const char *name;             /* "gzip": in settings and in Content-Encoding */
    const char *extension;        /* ".gz" */
    int level_max, level_default; /* the least is 1 */
    pst_sv empty;                 /* the file of no bytes; any other file is longer */
    /* The most that a compressor of `size` bytes takes at this level. */
    size_t (*memory)(int level, uint64_t size);
    /* `size`: how many bytes will come in all. */
    pst_rc (*open)(pst_compressor **out, int level, uint64_t size, pst_err *err);
    void (*close)(pst_compressor *compressor);
    /* Reads and writes what it can. `last`: no more input follows; *done is set when the
       file is whole. */
    pst_rc (*step)(pst_compressor *compressor, pst_compress_io *io, bool last, bool *done,
                   pst_err *err);
} pst_compression;

extern const pst_compression pst_compression_gzip, pst_compression_zstd;

/* Rows in compress.c. */
typedef struct pst_compress_conf {
    int type;    /* index into "none", "gzip", "zstd" */
    int level;   /* -1 = the method's default */
    bool header; /* Content-Encoding is sent */
} pst_compress_conf;

extern const pst_conf_section pst_compress_section;
/* What no single row can see: a level that the method does not have. */
void pst_compress_conf_check(const pst_compress_conf *conf, const pst_props *props,
                             pst_conf_report *report);
/* NULL for none. */
const pst_compression *pst_compress_method(const pst_compress_conf *conf);
int pst_compress_level(const pst_compress_conf *conf);

/* What an object without rows holds, by its extension (".csv.gz"): nothing, or the empty
   file of the method. */
pst_sv pst_compress_empty(const char *extension);

/* The most that pst_compress_chunks() holds beside the chunks. */
size_t pst_compress_memory(const pst_compression *method, int level, uint64_t size);
/* Called after each block, with how much more memory is held (or less) than before, and
   with what has come out, which it may spill (base/spool.h) and must then account for;
   false = stop. */
typedef bool (*pst_compress_watch)(void *opaque, int64_t more, pst_chunks *out);

/* Replaces the chunks by the compressed file. After a failure they are lost in part:
   PST_E_NOMEM, PST_E_IO (a spooled window's file), or PST_E_STOPPED when the watch said
   so. */
pst_rc pst_compress_chunks(const pst_compression *method, int level, pst_chunks *chunks,
                           pst_compress_watch watch, void *opaque, pst_err *err) PST_MUST;

#endif
