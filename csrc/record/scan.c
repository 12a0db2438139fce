/*
 * scan.c - what all variants of the scanner share; see scan.h and scan_core.h.
 */
#include "record/scan_state.h"

#include "base/mem.h"
#include "record/number.h"
#include "record/utf8.h"

enum { KEEP_MAX = 256 * 1024 };

struct pst_scan {
    const pst_plan *plan;
    const struct pst_scan_ops *ops;
    pst_scan_struct root;
    char *copy;
    size_t cap;
};

static const struct pst_scan_ops *choose(int level)
{
#if defined(__x86_64__)
    if (level >= PST_SCAN_AVX2 && __builtin_cpu_supports("avx2") &&
        __builtin_cpu_supports("bmi"))
        return &pst_scan_avx2;
#endif
    return level >= PST_SCAN_SSE2 && pst_scan_sse2.object ? &pst_scan_sse2
                                                          : &pst_scan_portable;
}

static bool build(pst_scan_struct *s, const pst_node *node)
{
    s->node = node;
    bool structs = false;
    for (size_t i = 0; i < node->n_children; i++)
        structs |= node->children[i].type == PST_T_STRUCT && node->children[i].wanted;
    if (!structs)
        return true;
    s->nested = pst_calloc(node->n_children, sizeof *s->nested);
    if (!s->nested)
        return false;
    for (size_t i = 0; i < node->n_children; i++) {
        const pst_node *child = &node->children[i];
        if (child->type == PST_T_STRUCT && child->wanted && !build(&s->nested[i], child))
            return false;
    }
    return true;
}

static void free_struct(pst_scan_struct *s)
{
    for (size_t i = 0; s->nested && i < s->node->n_children; i++)
        if (s->nested[i].node)
            free_struct(&s->nested[i]);
    pst_free(s->nested);
}

pst_rc pst_scan_new(pst_scan **out, const pst_plan *plan, int level, pst_err *err)
{
    pst_scan *scan = pst_calloc(1, sizeof *scan);
    if (!scan)
        return pst_fail_nomem(err, "the reader");
    scan->plan = plan;
    scan->ops = choose(level);
    if (!build(&scan->root, &plan->root)) {
        pst_scan_free(scan);
        return pst_fail_nomem(err, "the reader");
    }
    *out = scan;
    return PST_OK;
}

void pst_scan_free(pst_scan *scan)
{
    if (!scan)
        return;
    if (scan->root.node)
        free_struct(&scan->root);
    pst_free(scan->copy);
    pst_free(scan);
}

/* Room for n bytes and the padding; a large block is not kept for small records. */
static bool make_room(pst_scan *scan, size_t n)
{
    size_t need = n + PST_SCAN_PAD, cap = need < 4096 ? 4096 : need;
    if (scan->cap >= need && (scan->cap <= KEEP_MAX || need > KEEP_MAX / 4))
        return true;
    pst_free(scan->copy);
    scan->cap = 0;
    scan->copy = pst_malloc(cap);
    if (scan->copy)
        scan->cap = cap;
    return scan->copy != NULL;
}

static int hex_value(char c)
{
    return c <= '9' ? c - '0' : (c | 32) - 'a' + 10;
}

static uint32_t read_hex(const char *p)
{
    return (uint32_t)(hex_value(p[0]) << 12 | hex_value(p[1]) << 8 |
                      hex_value(p[2]) << 4 | hex_value(p[3]));
}

static char plain_escape(char c)
{
    switch (c) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return c;
    }
}

/* Behind "\u"; a pair of surrogates is one character, a lone one a question mark. */
static const char *put_unicode(const char *p, const char *end, char **out)
{
    uint32_t c = read_hex(p);
    p += 4;
    if (c >= 0xD800 && c <= 0xDBFF && end - p >= 6 && p[0] == '\\' && p[1] == 'u') {
        uint32_t low = read_hex(p + 2);
        if (low >= 0xDC00 && low <= 0xDFFF) {
            c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
            p += 6;
        }
    }
    if (c >= 0xD800 && c <= 0xDFFF)
        c = '?';
    *out += pst_utf8_put(*out, c);
    return p;
}

pst_sv pst_scan_decode(pst_scan_run *run, const char *text, size_t n)
{
    char *start = pst_arena_get(&run->ctx->arena, n), *out = start;
    const char *p = text, *end = text + n;
    if (!start) {
        run->nomem = true;
        return (pst_sv){NULL, 0};
    }
    while (p < end) {
        const char *slash = memchr(p, '\\', (size_t)(end - p));
        size_t plain = (size_t)((slash ? slash : end) - p);
        memcpy(out, p, plain);
        out += plain;
        p += plain;
        if (!slash)
            break;
        if (p[1] == 'u') {
            p = put_unicode(p + 2, end, &out);
        } else {
            *out++ = plain_escape(p[1]);
            p += 2;
        }
    }
    pst_arena_keep(&run->ctx->arena, (size_t)(out - start));
    return (pst_sv){start, (size_t)(out - start)};
}

/* A number that a STRING column shows: Jackson reads it and writes it again. */
static pst_conv number_as_text(pst_scan_run *run, pst_sv text, bool real, pst_cell *out)
{
    char buf[PST_DOUBLE_TEXT_MAX + 2] = "\"";
    if (!real && !pst_sv_is(text, "-0")) {
        out->null = false;
        out->as.s = text;
        return PST_CONV_OK;
    }
    if (!real)
        return pst_convert_keep(run->ctx, PST_SV("0"), out);
    double value = pst_number_to_double(text);
    size_t n = pst_number_of_double(buf + 1, value,
                                    (enum pst_number_format)run->ctx->number_format);
    if (buf[n] != 'y') /* Infinity stands in quotes */
        return pst_convert_keep(run->ctx, (pst_sv){buf + 1, n}, out);
    buf[n + 1] = '"';
    return pst_convert_keep(run->ctx, (pst_sv){buf, n + 2}, out);
}

pst_conv pst_scan_number(pst_scan_run *run, const pst_node *node, pst_sv text, bool real,
                         pst_cell *out)
{
    if (node->type == PST_T_STRING)
        return number_as_text(run, text, real, out);
    return real ? pst_convert_float(run->ctx, node, text, false, out)
                : pst_convert_int(run->ctx, node, text, out);
}

bool pst_scan_read(pst_scan *scan, pst_context *ctx, pst_sv value, pst_cell *slots,
                   pst_read *result)
{
    if (!make_room(scan, value.n)) {
        *result = PST_READ_NOMEM;
        return true;
    }
    if (!scan->ops->copy(scan->copy, value.p, value.n) &&
        !pst_utf8_ok(scan->copy, value.n))
        return false;
    const char *p = scan->copy;
    while (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')
        p++;
    if (*p != '{')
        return false;
    for (size_t i = 0; i < scan->plan->n_slots; i++)
        slots[i].null = true;
    pst_scan_run run = {.ctx = ctx, .slots = slots};
    p = scan->ops->object(&run, &scan->root, p);
    if (run.nomem) {
        *result = PST_READ_NOMEM;
        return true;
    }
    if (!p)
        return false;
    *result = run.bad ? PST_READ_PARTIAL : PST_READ_GOOD;
    return true;
}
