/*
 * zstd.c - one zstd frame (RFC 8878) by libzstd, with the content's size and checksum.
 *
 * The tables are cut so that a compressor takes at most 12 MiB at any level, and the
 * window to 2 MiB, well within the 8 MiB that RFC 9659 lets an HTTP client refuse beyond.
 * Levels above 15 or so then differ in effort more than in outcome. Allocator and
 * parameters of that kind are in the part of zstd.h that is for those who say so.
 */
#define ZSTD_STATIC_LINKING_ONLY
#include "format/compress.h"

#include "base/mem.h"

#include <zstd.h>
#include <zstd_errors.h>

enum {
    WINDOW_LOG_MAX = 21, /* 2 MiB */
    HASH_LOG_MAX = 20,   /* 4 MiB of positions */
    CHAIN_LOG_MAX = 20,
    SLACK = 64 * 1024,
};

struct pst_compressor {
    ZSTD_CCtx *context;
};

static void *take(void *opaque, size_t size)
{
    (void)opaque;
    return pst_malloc(size);
}

static void give_back(void *opaque, void *block)
{
    (void)opaque;
    pst_free(block);
}

static unsigned at_most(unsigned value, unsigned max)
{
    return value < max ? value : max;
}

static ZSTD_compressionParameters params_of(int level, uint64_t size)
{
    ZSTD_compressionParameters p = ZSTD_getCParams(level, size ? size : 1, 0);
    p.windowLog = at_most(p.windowLog, WINDOW_LOG_MAX);
    p.hashLog = at_most(p.hashLog, HASH_LOG_MAX);
    p.chainLog = at_most(p.chainLog, CHAIN_LOG_MAX);
    return p;
}

static size_t zstd_memory(int level, uint64_t size)
{
    return ZSTD_estimateCStreamSize_usingCParams(params_of(level, size)) + SLACK;
}

static void zstd_close(pst_compressor *c)
{
    if (!c)
        return;
    (void)ZSTD_freeCCtx(c->context);
    pst_free(c);
}

static pst_rc zstd_open(pst_compressor **out, int level, uint64_t size, pst_err *err)
{
    const ZSTD_customMem memory = {take, give_back, NULL};
    pst_compressor *c = pst_calloc(1, sizeof *c);
    if (c)
        c->context = ZSTD_createCCtx_advanced(memory);
    if (!c || !c->context) {
        zstd_close(c);
        return pst_fail_nomem(err, "zstd");
    }
    ZSTD_compressionParameters p = params_of(level, size);
    const struct {
        ZSTD_cParameter name;
        int value;
    } all[] = {
        {ZSTD_c_compressionLevel, level},
        {ZSTD_c_windowLog, (int)p.windowLog},
        {ZSTD_c_hashLog, (int)p.hashLog},
        {ZSTD_c_chainLog, (int)p.chainLog},
        {ZSTD_c_searchLog, (int)p.searchLog},
        {ZSTD_c_minMatch, (int)p.minMatch},
        {ZSTD_c_targetLength, (int)p.targetLength},
        {ZSTD_c_strategy, (int)p.strategy},
        {ZSTD_c_checksumFlag, 1},
    };
    size_t rc = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all && !ZSTD_isError(rc); i++)
        rc = ZSTD_CCtx_setParameter(c->context, all[i].name, all[i].value);
    if (!ZSTD_isError(rc))
        rc = ZSTD_CCtx_setPledgedSrcSize(c->context, size);
    if (ZSTD_isError(rc)) {
        zstd_close(c);
        return pst_fail(err, PST_E_INTERNAL, "zstd refuses level %d: %s", level,
                        ZSTD_getErrorName(rc));
    }
    *out = c;
    return PST_OK;
}

static pst_rc zstd_step(pst_compressor *c, pst_compress_io *io, bool last, bool *done,
                        pst_err *err)
{
    ZSTD_inBuffer in = {io->in, io->n_in, 0};
    ZSTD_outBuffer out = {io->out, io->n_out, 0};
    size_t rc =
        ZSTD_compressStream2(c->context, &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
    if (ZSTD_isError(rc)) {
        if (ZSTD_getErrorCode(rc) == ZSTD_error_memory_allocation)
            return pst_fail_nomem(err, "zstd");
        return pst_fail(err, PST_E_INTERNAL, "zstd fails: %s", ZSTD_getErrorName(rc));
    }
    *done = last && rc == 0;
    io->in += in.pos;
    io->n_in -= in.pos;
    io->out += out.pos;
    io->n_out -= out.pos;
    return PST_OK;
}

#define EMPTY                                                                            \
    "\x28\xb5\x2f\xfd" /* magic */                                                       \
    "\x24\0"           /* one segment of 0 bytes, with a checksum */                     \
    "\x01\0\0"         /* a last block that is empty */                                  \
    "\x99\xe9\xd8\x51" /* XXH64 of nothing */

const pst_compression pst_compression_zstd = {
    .name = "zstd",
    .extension = ".zst",
    .level_max = 22,
    .level_default = 3,
    .empty = {EMPTY, sizeof EMPTY - 1},
    .memory = zstd_memory,
    .open = zstd_open,
    .close = zstd_close,
    .step = zstd_step,
};
