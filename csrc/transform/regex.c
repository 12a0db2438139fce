/*
 * regex.c - runs an expression over a text, see regex.h.
 *
 * All ways are followed at once, and of those that meet at one place only one goes on:
 * time is bounded by the text times the program (Thompson's machine).
 */
#include "transform/regex_in.h"

#include "base/mem.h"

typedef struct places {
    int *list;
    size_t n;
} places;

struct pst_regex {
    pst_regex_program program;
    places now, next;
    size_t *mark; /* the step that an instruction was last reached in */
    size_t step;
};

typedef struct step {
    pst_regex *regex;
    places *to;
    pst_sv text;
    size_t pos;
} step;

pst_rc pst_regex_new(pst_regex **out, const char *pattern, pst_err *err)
{
    pst_regex *regex = pst_calloc(1, sizeof *regex);
    if (!regex)
        return pst_fail_nomem(err, "an expression");
    pst_rc rc = pst_regex_parse(&regex->program, pattern, err);
    size_t n = regex->program.n;
    if (rc == PST_OK) {
        regex->now.list = pst_calloc(n, sizeof *regex->now.list);
        regex->next.list = pst_calloc(n, sizeof *regex->next.list);
        regex->mark = pst_calloc(n, sizeof *regex->mark);
        if (!regex->now.list || !regex->next.list || !regex->mark)
            rc = pst_fail_nomem(err, "an expression");
    }
    if (rc != PST_OK) {
        pst_regex_free(regex);
        return rc;
    }
    *out = regex;
    return PST_OK;
}

void pst_regex_free(pst_regex *regex)
{
    if (!regex)
        return;
    pst_free(regex->program.at);
    pst_free(regex->program.sets);
    pst_free(regex->now.list);
    pst_free(regex->next.list);
    pst_free(regex->mark);
    pst_free(regex);
}

/* Follows what needs no character; as deep as the program is long at most. */
static void follow(const step *s, int at)
{
    pst_regex *regex = s->regex;
    const pst_regex_inst *inst = &regex->program.at[at];
    if (regex->mark[at] == regex->step)
        return;
    regex->mark[at] = regex->step;
    switch (inst->op) {
    case PST_RX_JUMP:
        follow(s, at + inst->a);
        return;
    case PST_RX_SPLIT:
        follow(s, at + inst->a);
        follow(s, at + inst->b);
        return;
    case PST_RX_BEGIN:
        if (s->pos == 0)
            follow(s, at + 1);
        return;
    case PST_RX_END:
        if (s->pos == s->text.n)
            follow(s, at + 1);
        return;
    default:
        s->to->list[s->to->n++] = at;
    }
}

static bool has(const pst_regex_set *set, unsigned char c)
{
    return set->bits[c / 64] >> (c % 64) & 1;
}

bool pst_regex_matches(pst_regex *regex, pst_sv text)
{
    const pst_regex_program *program = &regex->program;
    step s = {.regex = regex, .to = &regex->now, .text = text};
    regex->step++;
    regex->now.n = 0;
    follow(&s, 0);
    for (; s.pos < text.n && regex->now.n; s.pos++) {
        places from = regex->now;
        regex->now = regex->next;
        regex->next = from;
        regex->now.n = 0;
        regex->step++;
        unsigned char c = (unsigned char)text.p[s.pos];
        step to = {regex, &regex->now, text, s.pos + 1};
        for (size_t i = 0; i < from.n; i++) {
            const pst_regex_inst *inst = &program->at[from.list[i]];
            if (inst->op == PST_RX_SET && has(&program->sets[inst->a], c))
                follow(&to, from.list[i] + 1);
        }
    }
    for (size_t i = 0; i < regex->now.n; i++)
        if (program->at[regex->now.list[i]].op == PST_RX_MATCH)
            return true;
    return false;
}
