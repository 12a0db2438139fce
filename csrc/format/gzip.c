/*
 * gzip.c - one gzip member (RFC 1952) by zlib.
 *
 * The header has no time and no name, and says that the system is unknown: nothing in it
 * tells where or when it was made. zlib gets its memory from ours, so a test can refuse
 * it.
 */
#include "format/compress.h"

#include "base/mem.h"

#include <zlib.h>

enum {
    WINDOW_BITS = 15,
    GZIP = 16, /* added to the window's bits */
    MEM_LEVEL = 8,
    OS_UNKNOWN = 255,
    MEMORY = 300 * 1024, /* zconf.h: 2^(15+2) + 2^(8+9), and its state */
};

struct pst_compressor {
    z_stream stream;
    gz_header header;
};

static void *take(void *opaque, unsigned count, unsigned size)
{
    (void)opaque;
    return pst_calloc(count, size);
}

static void give_back(void *opaque, void *block)
{
    (void)opaque;
    pst_free(block);
}

static size_t gzip_memory(int level, uint64_t size)
{
    (void)level;
    (void)size;
    return MEMORY;
}

static void gzip_close(pst_compressor *c)
{
    if (!c)
        return;
    (void)deflateEnd(&c->stream);
    pst_free(c);
}

static pst_rc gzip_open(pst_compressor **out, int level, uint64_t size, pst_err *err)
{
    (void)size;
    pst_compressor *c = pst_calloc(1, sizeof *c);
    if (!c)
        return pst_fail_nomem(err, "gzip");
    c->stream.zalloc = take;
    c->stream.zfree = give_back;
    c->header.os = OS_UNKNOWN;
    int rc = deflateInit2(&c->stream, level, Z_DEFLATED, WINDOW_BITS + GZIP, MEM_LEVEL,
                          Z_DEFAULT_STRATEGY);
    if (rc == Z_OK)
        rc = deflateSetHeader(&c->stream, &c->header);
    if (rc != Z_OK) {
        gzip_close(c);
        return rc == Z_MEM_ERROR ? pst_fail_nomem(err, "gzip")
                                 : pst_fail(err, PST_E_INTERNAL,
                                            "zlib refuses level %d: error %d", level, rc);
    }
    *out = c;
    return PST_OK;
}

static pst_rc gzip_step(pst_compressor *c, pst_compress_io *io, bool last, bool *done,
                        pst_err *err)
{
    z_stream *stream = &c->stream;
    stream->next_in = (Bytef *)(uintptr_t)io->in; /* zlib only reads it */
    stream->avail_in = (uInt)io->n_in;
    stream->next_out = (Bytef *)io->out;
    stream->avail_out = (uInt)io->n_out;
    int rc = deflate(stream, last ? Z_FINISH : Z_NO_FLUSH);
    if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
        return pst_fail(err, PST_E_INTERNAL, "zlib fails: error %d", rc);
    *done = rc == Z_STREAM_END;
    io->in += io->n_in - stream->avail_in;
    io->n_in = stream->avail_in;
    io->out += io->n_out - stream->avail_out;
    io->n_out = stream->avail_out;
    return PST_OK;
}

#define EMPTY                                                                            \
    "\x1f\x8b\x08\0\0\0\0\0\0\xff" /* header */                                          \
    "\x03\0"                       /* a last block that is empty */                      \
    "\0\0\0\0\0\0\0\0"             /* CRC-32 and length */

const pst_compression pst_compression_gzip = {
    .name = "gzip",
    .extension = ".gz",
    .level_max = 9,
    .level_default = 6,
    .empty = {EMPTY, sizeof EMPTY - 1},
    .memory = gzip_memory,
    .open = gzip_open,
    .close = gzip_close,
    .step = gzip_step,
};
