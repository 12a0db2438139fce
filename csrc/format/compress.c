/*
 * compress.c - see compress.h: the settings, and the pump between chunks and a method.
 */
#include "format/compress.h"

#include "base/mem.h"

enum { BLOCK = 64 * 1024 };

/* ---- settings ---- */

#define AT(field) offsetof(pst_compress_conf, field)

static const pst_compression *const METHODS[] = {NULL, &pst_compression_gzip,
                                                 &pst_compression_zstd};
static const char *const TYPES[] = {"none", "gzip", "zstd", NULL};

static const pst_setting ROWS[] = {
    {.name = "s3.compression.type",
     .type = PST_CONF_ENUM,
     .offset = AT(type),
     .def = "none",
     .choices = TYPES,
     .importance = PST_CONF_MEDIUM,
     .doc = "Each object is one gzip or zstd file: .gz or .zst is put behind its name. A "
            "change seals the chain and goes on under the new names."},
    {.name = "s3.compression.level",
     .type = PST_CONF_INT,
     .offset = AT(level),
     .def = "-1",
     .min = -1,
     .max = 22,
     .importance = PST_CONF_LOW,
     .doc = "How hard it tries: gzip 1 to 9, zstd 1 to 22; -1 = the method's default (6 "
            "and 3). zstd's memory is bounded to 12 MiB a compressor at every level."},
    {.name = "s3.compression.header",
     .type = PST_CONF_BOOL,
     .offset = AT(header),
     .def = "false",
     .importance = PST_CONF_LOW,
     .doc = "Send Content-Encoding: gzip or zstd with compressed objects. Browsers and "
            "HTTP libraries then decompress while they load; Spark and other readers go "
            "by the file's name and need it not."},
};

const pst_conf_section pst_compress_section = {
    .title = "How: compression",
    .rows = ROWS,
    .n_rows = sizeof ROWS / sizeof *ROWS,
};

const pst_compression *pst_compress_method(const pst_compress_conf *conf)
{
    return METHODS[conf->type];
}

int pst_compress_level(const pst_compress_conf *conf)
{
    const pst_compression *method = pst_compress_method(conf);
    return method && conf->level < 0 ? method->level_default : conf->level;
}

void pst_compress_conf_check(const pst_compress_conf *conf, const pst_props *props,
                             pst_conf_report *report)
{
    static const char key[] = "s3.compression.level";
    const pst_compression *method = pst_compress_method(conf);
    const pst_prop *where = pst_props_find(props, key);
    if (!where || where->broken)
        return;
    if (method && (conf->level == 0 || conf->level > method->level_max))
        pst_conf_error(report, where, key, "%d: %s has levels 1 to %d, -1 = its default",
                       conf->level, method->name, method->level_max);
    if (!method && conf->level >= 0)
        pst_conf_warning(report, where, key,
                         "has no effect: s3.compression.type is none");
}

pst_sv pst_compress_empty(const char *extension)
{
    for (size_t i = 1; i < sizeof METHODS / sizeof *METHODS; i++)
        if (pst_sv_ends(pst_sv_of(extension), pst_sv_of(METHODS[i]->extension)))
            return METHODS[i]->empty;
    return PST_SV("");
}

/* ---- the pump ---- */

typedef struct pump {
    const pst_compression *method;
    pst_compressor *compressor;
    pst_chunks *from, to;
    pst_chunks_pos pos;
    char in[BLOCK], out[BLOCK];
} pump;

size_t pst_compress_memory(const pst_compression *method, int level, uint64_t size)
{
    return method->memory(level, size) + sizeof(pump);
}

/* One block in, whatever it gives out. */
static pst_rc pump_block(pump *p, bool last, size_t n, pst_err *err)
{
    bool done = false;
    pst_rc rc = PST_OK;
    pst_compress_io io = {.in = p->in, .n_in = n};
    while (rc == PST_OK && (last ? !done : io.n_in > 0)) {
        io.out = p->out;
        io.n_out = BLOCK;
        rc = p->method->step(p->compressor, &io, last, &done, err);
        if (rc == PST_OK && pst_chunks_add(&p->to, p->out, BLOCK - io.n_out) != PST_OK)
            rc = pst_fail_nomem(err, "a compressed window");
    }
    return rc;
}

static pst_rc pump_all(pump *p, pst_compress_watch watch, void *opaque, pst_err *err)
{
    bool last = false;
    pst_rc rc = PST_OK;
    while (rc == PST_OK && !last) {
        size_t held = p->from->reserved + p->to.reserved;
        size_t n = pst_chunks_read(&p->pos, p->in, BLOCK);
        last = p->pos.offset == p->pos.end;
        rc = pst_chunks_failed(&p->pos, err);
        pst_chunks_forget(p->from, &p->pos);
        if (rc == PST_OK)
            rc = pump_block(p, last, n, err);
        int64_t more = (int64_t)(p->from->reserved + p->to.reserved) - (int64_t)held;
        if (watch && !watch(opaque, more, &p->to) && rc == PST_OK)
            rc = pst_fail(err, PST_E_STOPPED, "stopped while compressing");
    }
    return rc;
}

pst_rc pst_compress_chunks(const pst_compression *method, int level, pst_chunks *chunks,
                           pst_compress_watch watch, void *opaque, pst_err *err)
{
    pump *p = pst_malloc(sizeof *p);
    if (!p)
        return pst_fail_nomem(err, "a compressor");
    p->method = method;
    p->from = chunks;
    p->pos = pst_chunks_begin(chunks);
    pst_chunks_init(&p->to);
    pst_rc rc = method->open(&p->compressor, level, chunks->len, err);
    if (rc == PST_OK) {
        rc = pump_all(p, watch, opaque, err);
        method->close(p->compressor);
    }
    if (rc == PST_OK) {
        pst_chunks_done(chunks);
        pst_chunks_move(chunks, &p->to);
    } else if (watch) {
        (void)watch(opaque, -(int64_t)p->to.reserved, &p->to);
    }
    pst_chunks_done(&p->to);
    pst_free(p);
    return rc;
}
