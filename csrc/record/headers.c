/*
 * headers.c - see headers.h.
 */
#include "record/headers.h"

#include "record/expr.h"
#include "record/lex.h"

static const char *type_of(const pst_binding *b)
{
    switch (b->source) {
    case PST_FROM_HEADERS:
        return "'headers' is ARRAY<STRUCT<key: STRING, value: BINARY>>";
    case PST_FROM_HEADER:
        return "an element of headers is STRUCT<key: STRING, value: BINARY>";
    case PST_FROM_HEADER_KEYS:
        return "'headers.key' is ARRAY<STRING>";
    case PST_FROM_HEADER_VALUES:
        return "'headers.value' is ARRAY<BINARY>";
    case PST_FROM_HEADER_KEY:
        return "a header's key is STRING";
    default:
        return "a header's value is BINARY";
    }
}

pst_rc pst_headers_index(const pst_expr *e, int64_t index, pst_binding *b, pst_err *err)
{
    if (b->source == PST_FROM_HEADERS)
        *b = (pst_binding){.source = PST_FROM_HEADER, .type = PST_T_STRUCT};
    else if (b->source == PST_FROM_HEADER_KEYS)
        *b = (pst_binding){.source = PST_FROM_HEADER_KEY, .type = PST_T_STRING};
    else if (b->source == PST_FROM_HEADER_VALUES)
        *b = (pst_binding){.source = PST_FROM_HEADER_VALUE, .type = PST_T_BINARY};
    else
        return pst_lex_fail_at(err, e->pos, "%s; only ARRAY and MAP have [ ]",
                               type_of(b));
    b->slot = index >= 0 && index <= INT32_MAX ? (int)index : -1;
    return PST_OK;
}

pst_rc pst_headers_field(const pst_expr *e, const char *name, bool case_sensitive,
                         pst_binding *b, pst_err *err)
{
    pst_sv field = pst_sv_of(name);
    bool exact = case_sensitive;
    bool key = exact ? pst_sv_is(field, "key") : pst_sv_eq_nocase(field, PST_SV("key"));
    bool value =
        exact ? pst_sv_is(field, "value") : pst_sv_eq_nocase(field, PST_SV("value"));
    bool all = b->source == PST_FROM_HEADERS, one = b->source == PST_FROM_HEADER;
    if (!(all || one) || !(key || value))
        return pst_lex_fail_at(err, e->pos, "%s and has no field '%s'", type_of(b), name);
    if (all)
        b->source = key ? PST_FROM_HEADER_KEYS : PST_FROM_HEADER_VALUES;
    else
        b->source = key ? PST_FROM_HEADER_KEY : PST_FROM_HEADER_VALUE;
    b->type = all ? PST_T_ARRAY : key ? PST_T_STRING : PST_T_BINARY;
    return PST_OK;
}

pst_rc pst_headers_check(const pst_expr *e, const pst_binding *b, pst_err *err)
{
    if (b->type < PST_T_STRUCT)
        return PST_OK;
    return pst_lex_fail_at(
        err, e->pos,
        "%s, which no column of an object can hold; select headers[0].key "
        "or CAST(headers[0].value AS STRING)",
        type_of(b));
}

pst_rc pst_headers_read(pst_context *ctx, const pst_binding *b, const pst_msg *msg,
                        pst_cell *out)
{
    pst_sv key, value;
    out->null = true;
    if (b->slot < 0 || !msg->headers || !ctx->header_at)
        return PST_OK;
    pst_rc rc = ctx->header_at(msg->headers, (size_t)b->slot, &key, &value);
    if (rc == PST_E_NOT_FOUND)
        return PST_OK;
    if (rc != PST_OK)
        return rc;
    if (b->source == PST_FROM_HEADER_KEY)
        return pst_context_text(ctx, key, out);
    out->null = value.p == NULL;
    out->as.s = value;
    return PST_OK;
}
