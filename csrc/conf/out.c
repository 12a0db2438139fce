/*
 * out.c - text into a pst_buf with one check at the end.
 *
 * The writers of help, docs, JSON and reports consist of dozens of small appends. Each
 * keeps the first failure here and the rest become no-ops, so that a writer reads like
 * the text it makes. On failure the buffer is cut back to where it was: no half answers.
 */
#include "conf/conf_in.h"

#include <stdio.h>

pst_conf_out pst_conf_out_begin(pst_buf *buf)
{
    return (pst_conf_out){.buf = buf, .start = buf->len, .rc = PST_OK};
}

void pst_conf_putn(pst_conf_out *out, pst_sv s)
{
    if (out->rc == PST_OK && s.n)
        out->rc = pst_buf_add(out->buf, s.p, s.n);
}

void pst_conf_put(pst_conf_out *out, const char *s)
{
    pst_conf_putn(out, pst_sv_of(s));
}

void pst_conf_putf(pst_conf_out *out, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (out->rc == PST_OK)
        out->rc = n < 0 ? PST_E_INVALID : pst_buf_reserve(out->buf, (size_t)n + 1);
    if (out->rc == PST_OK) {
        vsnprintf(out->buf->data + out->buf->len, (size_t)n + 1, fmt, again);
        out->buf->len += (size_t)n;
    }
    va_end(again);
}

pst_rc pst_conf_out_end(pst_conf_out *out)
{
    if (out->rc != PST_OK)
        out->buf->len = out->start;
    return out->rc;
}
