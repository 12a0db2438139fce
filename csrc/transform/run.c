/*
 * run.c - a record through the chain, and what the chain says of itself.
 */
#include "transform/internal.h"

const pst_column *pst_transforms_columns(const pst_transforms *transforms, size_t *n)
{
    *n = transforms->n_columns;
    return transforms->columns;
}

bool pst_transforms_set_headers(pst_transforms *transforms, pst_header_at at)
{
    transforms->header_at = at;
    for (size_t i = 0; i < transforms->n_predicates; i++)
        if (transforms->predicates[i].used && transforms->predicates[i].kind->headers)
            return true;
    return false;
}

static uint32_t sum_text(uint32_t crc, const char *text)
{
    return pst_crc32c(crc, text, strlen(text) + 1);
}

/* The type as it is, not as it was written; a predicate by what it is, not by its alias.
 */
static uint32_t sum_group(uint32_t crc, const pst_group *group, size_t skip)
{
    pst_conf_section rest = group->section;
    rest.rows += skip;
    rest.n_rows -= skip;
    return pst_conf_sum(crc, &rest, group->conf);
}

uint32_t pst_transforms_sum(const pst_transforms *transforms, uint32_t crc)
{
    for (size_t i = 0; i < transforms->n_steps; i++) {
        const pst_step *step = &transforms->steps[i];
        crc = sum_text(crc, step->kind->name);
        crc = sum_group(crc, &step->group, 2); /* negate and its own */
        if (step->predicate) {
            crc = sum_text(crc, step->predicate->kind->name);
            crc = sum_group(crc, &step->predicate->group, 1);
        }
    }
    return crc;
}

const char *pst_transforms_touches(const pst_transforms *transforms, const char *field)
{
    for (size_t i = 0; i < transforms->n_steps; i++) {
        const pst_step *step = &transforms->steps[i];
        if (step->kind->touches && step->kind->touches(step, field))
            return step->group.alias;
    }
    return NULL;
}

pst_rc pst_run_keep(pst_run *run, pst_sv bytes, pst_cell *out, pst_err *err)
{
    char *copy = pst_arena_get(run->arena, bytes.n + 1);
    if (!copy)
        return pst_fail_nomem(err, "a record");
    if (bytes.n)
        memcpy(copy, bytes.p, bytes.n);
    pst_arena_keep(run->arena, bytes.n);
    out->null = false;
    out->as.s = (pst_sv){copy, bytes.n};
    return PST_OK;
}

static pst_rc run_step(const pst_step *step, pst_run *run, pst_err *err)
{
    bool holds = true;
    pst_rc rc = PST_OK;
    if (step->predicate) {
        rc = step->predicate->kind->test(step->predicate, run, &holds, err);
        holds = holds != step->negate;
    }
    if (rc == PST_OK && holds)
        rc = step->kind->apply(step, run, err);
    if (rc == PST_E_INVALID) {
        pst_err_context(err, "transforms.%s (%s)", step->group.alias, step->kind->name);
        if (err)
            err->stage = "TRANSFORMATION";
    }
    return rc;
}

pst_rc pst_transforms_apply(pst_transforms *transforms, const pst_msg *msg, pst_row *row,
                            bool *keep, pst_err *err)
{
    pst_run run = {msg, transforms->slots, &transforms->arena, transforms->header_at,
                   false};
    pst_arena_reset(&transforms->arena);
    memcpy(run.slots, row->cells, transforms->n_in * sizeof *run.slots);
    for (size_t i = transforms->n_in; i < transforms->n_slots; i++)
        run.slots[i].null = true;
    pst_rc rc = PST_OK;
    for (size_t i = 0; rc == PST_OK && !run.dropped && i < transforms->n_steps; i++)
        if (transforms->steps[i].kind->apply)
            rc = run_step(&transforms->steps[i], &run, err);
    *keep = !run.dropped;
    if (rc != PST_OK || run.dropped)
        return rc;
    for (size_t i = 0; i < transforms->n_columns; i++)
        transforms->cells[i] = run.slots[transforms->from[i]];
    *row = (pst_row){transforms->columns, transforms->cells, transforms->n_columns};
    return PST_OK;
}
