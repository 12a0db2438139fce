/*
 * exact.c - see exact.h.
 */
#include "record/exact.h"

#include "base/mem.h"

typedef struct run {
    pst_exact *exact;
    pst_json *json;
    pst_context *ctx;
    pst_cell *slots;
} run;

pst_rc pst_exact_init(pst_exact *exact, const pst_plan *plan, size_t buffer_max,
                      pst_err *err)
{
    pst_json_init(&exact->json, buffer_max);
    exact->n_slots = plan->n_slots;
    exact->saved =
        pst_calloc((plan->depth + 1) * plan->n_slots + 1, sizeof *exact->saved);
    return exact->saved ? PST_OK : pst_fail_nomem(err, "the reader");
}

void pst_exact_done(pst_exact *exact)
{
    pst_json_done(&exact->json);
    pst_free(exact->saved);
    exact->saved = NULL;
}

static pst_conv failed(const run *r)
{
    return r->json->nomem ? PST_CONV_NOMEM : PST_CONV_BAD;
}

static pst_conv read_value(run *r, const pst_node *node);

/* ---- scalars ---- */

static pst_conv read_string_column(run *r, pst_cell *out)
{
    pst_sv text;
    if (r->json->cur == PST_TOK_STRING) {
        if (!pst_json_text(r->json, &text))
            return failed(r);
        if (text.p == r->json->text_buf.data)
            return pst_convert_keep(r->ctx, text, out);
        out->null = false;
        out->as.s = text;
        return PST_CONV_OK;
    }
    pst_buf_clear(&r->ctx->copy);
    if (!pst_json_copy(r->json, &r->ctx->copy))
        return failed(r);
    return pst_convert_keep(r->ctx, (pst_sv){r->ctx->copy.data, r->ctx->copy.len}, out);
}

static pst_conv read_scalar(run *r, const pst_node *node, pst_cell *out)
{
    pst_json *json = r->json;
    pst_sv text;
    switch (json->cur) {
    case PST_TOK_STRING:
        if (!pst_json_text(json, &text))
            return failed(r);
        return pst_convert_text(r->ctx, node, text, out);
    case PST_TOK_INT:
        return pst_convert_int(r->ctx, node, json->number, out);
    case PST_TOK_FLOAT:
        return pst_convert_float(r->ctx, node, json->number, json->special, out);
    case PST_TOK_TRUE:
    case PST_TOK_FALSE:
        if (node->type != PST_T_BOOLEAN)
            return PST_CONV_BAD;
        out->null = false;
        out->as.b = json->cur == PST_TOK_TRUE;
        return PST_CONV_OK;
    default:
        return PST_CONV_BAD;
    }
}

/* ---- containers ---- */

static void clear_slots(run *r, const pst_node *node)
{
    for (size_t i = 0; i < node->n_slots; i++)
        r->slots[node->slots[i]].null = true;
}

/* One field of an object; false ends the object with *rc. */
static bool read_field(run *r, const pst_node *node, bool root, size_t *guess, bool *bad,
                       pst_conv *rc)
{
    pst_node *child = NULL;
    if (r->json->cur == PST_TOK_NAME)
        child = pst_node_find(node, r->json->name, *guess);
    if (child) {
        *guess = (size_t)(child - node->children) + 1;
        *rc = read_value(r, child);
        if (*rc == PST_CONV_OK)
            return true;
        if (*rc == PST_CONV_NOMEM || (!root && !r->ctx->partial))
            return false;
        *bad = true;
        if (*rc == PST_CONV_PARTIAL && r->ctx->partial)
            return true;
    }
    if (pst_json_skip_children(r->json))
        return true;
    *rc = failed(r);
    return false;
}

static pst_conv read_object(run *r, const pst_node *node, bool root)
{
    size_t guess = 0;
    bool bad = false;
    pst_conv rc = PST_CONV_OK;
    for (;;) {
        if (!pst_json_next(r->json))
            return failed(r);
        if (r->json->cur == PST_TOK_OBJECT_END || r->json->cur == PST_TOK_NONE)
            return bad ? PST_CONV_PARTIAL : PST_CONV_OK;
        if (!read_field(r, node, root, &guess, &bad, &rc))
            return rc == PST_CONV_PARTIAL ? PST_CONV_BAD : rc;
    }
}

/* The item that is selected; of a key that comes twice the first one counts. `seen` has a
   bit for each of the first 64 picks. */
static const pst_node *find_pick(const pst_node *node, int64_t index, pst_sv key,
                                 uint64_t *seen)
{
    for (size_t i = 0; i < node->n_picks; i++) {
        const pst_pick *p = &node->picks[i];
        if (p->key ? !pst_sv_is(key, p->key) : p->index != index)
            continue;
        uint64_t bit = (uint64_t)1 << (i < 64 ? i : 63);
        bool again = i < 64 && (*seen & bit);
        *seen |= bit;
        return again ? NULL : p->node;
    }
    return NULL;
}

/* A bad item of a map: with partial results on, reading goes on behind it, and all of the
   map is lost at its end. One of an array ends the array. False: it can't go on. */
static bool skip_item(run *r, const pst_node *node, pst_conv *rc)
{
    if (*rc == PST_CONV_NOMEM || !r->ctx->partial || node->type != PST_T_MAP)
        return false;
    if (pst_json_skip_children(r->json))
        return true;
    *rc = failed(r);
    return false;
}

/* The items of an ARRAY or MAP up to `end`. */
static pst_conv read_items(run *r, const pst_node *node, pst_tok end)
{
    bool bad = false, lost = false;
    uint64_t seen = 0;
    int64_t index = 0;
    for (;;) {
        if (!pst_json_next(r->json))
            return failed(r);
        if (r->json->cur == end || r->json->cur == PST_TOK_NONE)
            return lost ? PST_CONV_BAD : bad ? PST_CONV_PARTIAL : PST_CONV_OK;
        const pst_node *item = NULL;
        if (node->n_picks)
            item = find_pick(node, index, r->json->name, &seen);
        pst_conv rc = read_value(r, item ? item : &node->children[0]);
        bad |= rc != PST_CONV_OK;
        /* Of what is in a map, Spark 3.5 keeps parts of structs only */
        bool parts = node->type == PST_T_ARRAY || node->children[0].type == PST_T_STRUCT;
        if (rc == PST_CONV_OK || (rc == PST_CONV_PARTIAL && r->ctx->partial && parts)) {
            index++;
            continue;
        }
        if (!skip_item(r, node, &rc))
            return rc == PST_CONV_PARTIAL ? PST_CONV_BAD : rc;
        lost = true;
    }
}

/* A container whose old values come back when it cannot be read. */
static pst_conv read_container(run *r, const pst_node *node)
{
    pst_cell *saved = r->exact->saved + node->depth * r->exact->n_slots;
    for (size_t i = 0; i < node->n_slots; i++)
        saved[i] = r->slots[node->slots[i]];
    clear_slots(r, node);
    pst_conv rc = node->type == PST_T_STRUCT  ? read_object(r, node, false)
                  : node->type == PST_T_ARRAY ? read_items(r, node, PST_TOK_ARRAY_END)
                                              : read_items(r, node, PST_TOK_OBJECT_END);
    if (rc == PST_CONV_BAD)
        for (size_t i = 0; i < node->n_slots; i++)
            r->slots[node->slots[i]] = saved[i];
    return rc;
}

static void set_null(run *r, const pst_node *node)
{
    if (node->slot >= 0)
        r->slots[node->slot].null = true;
    if (node->type >= PST_T_STRUCT)
        clear_slots(r, node);
}

/* At a name or a value. */
static pst_conv read_value(run *r, const pst_node *node)
{
    pst_cell unwanted, *out = node->slot >= 0 ? &r->slots[node->slot] : &unwanted;
    if (r->json->cur == PST_TOK_NAME && !pst_json_next(r->json))
        return failed(r);
    pst_tok tok = r->json->cur;
    if (tok == PST_TOK_NULL || tok == PST_TOK_NONE) {
        set_null(r, node);
        return PST_CONV_OK;
    }
    pst_tok open = node->type == PST_T_ARRAY ? PST_TOK_ARRAY : PST_TOK_OBJECT;
    if (node->type >= PST_T_STRUCT && tok == open)
        return read_container(r, node);
    if (node->type == PST_T_STRING)
        return read_string_column(r, out);
    return read_scalar(r, node, out);
}

static pst_read malformed(const run *r, const pst_plan *plan)
{
    for (size_t i = 0; i < plan->n_slots; i++)
        r->slots[i].null = true;
    return r->json->nomem ? PST_READ_NOMEM : PST_READ_MALFORMED;
}

pst_read pst_exact_read(pst_exact *exact, pst_context *ctx, const pst_plan *plan,
                        pst_sv value, pst_cell *slots)
{
    run r = {exact, &exact->json, ctx, slots};
    pst_json_start(&exact->json, &ctx->json, value);
    if (!pst_json_next(r.json))
        return malformed(&r, plan);
    if (r.json->cur == PST_TOK_NONE)
        return PST_READ_EMPTY;
    if (r.json->cur != PST_TOK_OBJECT) {
        r.json->error = "not a JSON object";
        return malformed(&r, plan);
    }
    switch (read_object(&r, &plan->root, true)) {
    case PST_CONV_OK:
        return PST_READ_GOOD;
    case PST_CONV_PARTIAL:
        return PST_READ_PARTIAL;
    case PST_CONV_NOMEM:
        (void)malformed(&r, plan);
        return PST_READ_NOMEM;
    default:
        return malformed(&r, plan);
    }
}
