/*
 * regex_parse.c - Java's syntax into a program, see regex.h. Jumps are relative, so that
 * a piece can be moved and repeated as it stands.
 */
#include "base/mem.h"
#include "transform/regex_in.h"

enum { DEPTH_MAX = 30, REPEAT_MAX = 1000 };

typedef struct parser {
    const char *text, *at;
    pst_regex_program *out;
    pst_err *err;
    int depth;
} parser;

/* What a piece of the program is. */
typedef struct piece {
    size_t start;
    bool nullable; /* it may match nothing */
} piece;

static pst_rc refuse(const parser *p, const char *at, const char *what)
{
    return pst_fail(p->err, PST_E_CONFIG, "at character %zu: %s",
                    (size_t)(at - p->text) + 1, what);
}

/* ---- the program ---- */

static pst_rc emit(parser *p, pst_regex_op op, int a, int b)
{
    if (p->out->n == PST_REGEX_PROGRAM_MAX)
        return pst_fail(p->err, PST_E_CONFIG, "the expression is too large");
    p->out->at[p->out->n++] = (pst_regex_inst){op, a, b};
    return PST_OK;
}

/* A split before the piece. */
static pst_rc insert(parser *p, size_t start, int a, int b)
{
    size_t n = p->out->n - start;
    pst_rc rc = emit(p, PST_RX_SPLIT, 0, 0);
    if (rc != PST_OK)
        return rc;
    pst_regex_inst *at = p->out->at + start;
    memmove(at + 1, at, n * sizeof *at);
    *at = (pst_regex_inst){PST_RX_SPLIT, a, b};
    return PST_OK;
}

static void set_add(pst_regex_set *set, unsigned char c)
{
    set->bits[c / 64] |= (uint64_t)1 << (c % 64);
}

static bool set_has(const pst_regex_set *set, unsigned char c)
{
    return set->bits[c / 64] >> (c % 64) & 1;
}

static pst_rc emit_set(parser *p, const pst_regex_set *set)
{
    pst_regex_program *out = p->out;
    size_t i = 0;
    while (i < out->n_sets && memcmp(&out->sets[i], set, sizeof *set) != 0)
        i++;
    if (i == PST_REGEX_SETS_MAX)
        return pst_fail(p->err, PST_E_CONFIG, "the expression is too large");
    if (i == out->n_sets)
        out->sets[out->n_sets++] = *set;
    return emit(p, PST_RX_SET, (int)i, 0);
}

/* ---- characters ---- */

static void add_where(pst_regex_set *set, const char *ranges, bool negate)
{
    pst_regex_set found = {0};
    for (const char *r = ranges; *r; r += 2)
        for (int c = r[0]; c <= r[1]; c++)
            set_add(&found, (unsigned char)c);
    for (int c = 0; c < 256; c++)
        if (set_has(&found, (unsigned char)c) != negate)
            set_add(set, (unsigned char)c);
}

/* \d and the like; false: it is none. */
static bool add_class(pst_regex_set *set, char letter)
{
    switch (letter) {
    case 'd':
    case 'D':
        add_where(set, "09", letter == 'D');
        return true;
    case 'w':
    case 'W':
        add_where(set, "azAZ09__", letter == 'W');
        return true;
    case 's':
    case 'S':
        add_where(set, "  \t\r", letter == 'S');
        return true;
    default:
        return false;
    }
}

/* The character behind a backslash; *single: it is one character, in *c. */
static pst_rc take_escape(parser *p, pst_regex_set *set, bool *single, unsigned char *c)
{
    static const char letters[] = "tnrfae", codes[] = "\t\n\r\f\a\x1b";
    const char *start = p->at++;
    char letter = *p->at;
    *single = false;
    if (!letter)
        return refuse(p, start, "a backslash at the end");
    p->at++;
    if (add_class(set, letter))
        return PST_OK;
    *single = true;
    const char *found = strchr(letters, letter);
    bool alpha = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z');
    if (!found && (alpha || (letter >= '0' && letter <= '9')))
        return refuse(p, start,
                      alpha ? "this escape is not taken; there are \\d \\w \\s \\D \\W "
                              "\\S \\t \\n \\r \\f \\a \\e and escaped punctuation"
                            : "back references and octal escapes are not taken");
    *c = (unsigned char)(found ? codes[found - letters] : letter);
    set_add(set, *c);
    return PST_OK;
}

static bool is_ascii(char c)
{
    return (unsigned char)c < 0x80;
}

/* One character of a class, or a \d in it. */
static pst_rc take_member(parser *p, pst_regex_set *set, bool *single, unsigned char *c)
{
    if (!*p->at)
        return refuse(p, p->at, "a [ without its ]");
    if (!is_ascii(*p->at))
        return refuse(p, p->at, "topics' names are ASCII, this is not");
    if (*p->at == '[')
        return refuse(p, p->at, "a class in a class is not taken; escape the [");
    if (*p->at == '&' && p->at[1] == '&')
        return refuse(p, p->at, "&& in a class is not taken");
    if (*p->at == '\\')
        return take_escape(p, set, single, c);
    *single = true;
    *c = (unsigned char)*p->at++;
    set_add(set, *c);
    return PST_OK;
}

static pst_rc take_range(parser *p, pst_regex_set *set, unsigned char low)
{
    const char *start = p->at++; /* on the - */
    unsigned char high;
    bool single;
    pst_regex_set ignored = {0};
    pst_rc rc = take_member(p, &ignored, &single, &high);
    if (rc != PST_OK)
        return rc;
    if (!single || high < low)
        return refuse(p, start, "a range that is none");
    for (int c = low; c <= high; c++)
        set_add(set, (unsigned char)c);
    return PST_OK;
}

static pst_rc take_class(parser *p)
{
    const char *start = p->at++;
    bool negate = *p->at == '^', single;
    pst_regex_set set = {0};
    unsigned char c;
    p->at += negate;
    if (*p->at == ']')
        return refuse(p, p->at, "a ] at the beginning of a class: escape it");
    while (*p->at != ']') {
        pst_rc rc = take_member(p, &set, &single, &c);
        if (rc == PST_OK && single && *p->at == '-' && p->at[1] != ']' && p->at[1])
            rc = take_range(p, &set, c);
        if (rc != PST_OK)
            return rc;
        if (!*p->at)
            return refuse(p, start, "a [ without its ]");
    }
    p->at++;
    for (size_t i = 0; negate && i < 4; i++)
        set.bits[i] = ~set.bits[i];
    return emit_set(p, &set);
}

/* ---- groups ---- */

static pst_rc take_choice(parser *p, bool *nullable);

static pst_rc take_group(parser *p, bool *nullable)
{
    const char *start = p->at++;
    bool special = *p->at == '?';
    if (special && p->at[1] == ':') {
        p->at += 2;
    } else if (special && p->at[1] == '<' && p->at[2] != '=' && p->at[2] != '!') {
        p->at += 2;
        while ((*p->at >= 'a' && *p->at <= 'z') || (*p->at >= 'A' && *p->at <= 'Z') ||
               (*p->at >= '0' && *p->at <= '9'))
            p->at++;
        if (*p->at++ != '>')
            return refuse(p, start, "a group's name without its >");
    } else if (special) {
        return refuse(p, start, "look-around and flags are not taken");
    }
    if (++p->depth > DEPTH_MAX)
        return refuse(p, start, "groups are nested too deep");
    pst_rc rc = take_choice(p, nullable);
    if (rc == PST_OK && *p->at != ')')
        return refuse(p, start, "a ( without its )");
    p->at += rc == PST_OK;
    p->depth--;
    return rc;
}

/* ---- quantifiers ---- */

typedef struct quantifier {
    int min, max; /* -1 = no end */
    bool lazy;
} quantifier;

static bool take_int(parser *p, int *out)
{
    const char *start = p->at;
    int value = 0;
    while (*p->at >= '0' && *p->at <= '9' && value <= REPEAT_MAX)
        value = value * 10 + (*p->at++ - '0');
    *out = value;
    return p->at > start && value <= REPEAT_MAX;
}

static pst_rc take_quantifier(parser *p, quantifier *q, bool *found)
{
    const char *start = p->at;
    *found = true;
    switch (*p->at) {
    case '*':
        *q = (quantifier){0, -1, false};
        break;
    case '+':
        *q = (quantifier){1, -1, false};
        break;
    case '?':
        *q = (quantifier){0, 1, false};
        break;
    case '{':
        p->at++;
        if (!take_int(p, &q->min))
            return refuse(p, start, "no repetition: {n}, {n,} or {n,m} up to 1000");
        q->max = q->min;
        if (*p->at == ',') {
            p->at++;
            if (*p->at == '}')
                q->max = -1;
            else if (!take_int(p, &q->max) || q->max < q->min)
                return refuse(p, start, "no repetition: {n}, {n,} or {n,m} up to 1000");
        }
        if (*p->at != '}')
            return refuse(p, start, "a { without its }");
        break;
    default:
        *found = false;
        return PST_OK;
    }
    p->at++;
    q->lazy = *p->at == '?';
    if (*p->at == '+')
        return refuse(p, start, "possessive quantifiers are not taken");
    p->at += q->lazy;
    if (*p->at && strchr("*+?{", *p->at))
        return refuse(p, p->at, "a quantifier behind a quantifier");
    return PST_OK;
}

/* A split that goes on into the piece, or past it. */
static pst_rc emit_choice(parser *p, int into, int past, bool lazy)
{
    return emit(p, PST_RX_SPLIT, lazy ? past : into, lazy ? into : past);
}

static pst_rc copy(parser *p, const pst_regex_inst *body, size_t n)
{
    pst_rc rc = PST_OK;
    for (size_t i = 0; rc == PST_OK && i < n; i++)
        rc = emit(p, body[i].op, body[i].a, body[i].b);
    return rc;
}

static pst_rc write_repeats(parser *p, const pst_regex_inst *body, size_t n,
                            const quantifier *q)
{
    int len = (int)n;
    pst_rc rc = PST_OK;
    for (int i = 0; rc == PST_OK && i < q->min; i++)
        rc = copy(p, body, n);
    if (rc == PST_OK && q->max < 0) {
        rc = emit_choice(p, 1, len + 2, q->lazy);
        rc = rc ? rc : copy(p, body, n);
        return rc ? rc : emit(p, PST_RX_JUMP, -len - 1, 0);
    }
    for (int left = q->max - q->min; rc == PST_OK && left > 0; left--) {
        rc = emit_choice(p, 1, left * (len + 1), q->lazy);
        rc = rc ? rc : copy(p, body, n);
    }
    return rc;
}

static pst_rc repeat(parser *p, piece *part, const char *at, const quantifier *q)
{
    size_t n = p->out->n - part->start;
    if (part->nullable && q->max != 1)
        return refuse(p, at, "repeats what may be empty");
    pst_regex_inst *body = pst_calloc(n + 1, sizeof *body);
    if (!body)
        return pst_fail_nomem(p->err, "an expression");
    memcpy(body, p->out->at + part->start, n * sizeof *body);
    p->out->n = part->start;
    pst_rc rc = write_repeats(p, body, n, q);
    part->nullable |= q->min == 0;
    pst_free(body);
    return rc;
}

/* ---- expressions ---- */

static pst_rc take_atom(parser *p, bool *nullable)
{
    pst_regex_set set = {0};
    unsigned char ignored;
    bool single;
    *nullable = false;
    switch (*p->at) {
    case '(':
        return take_group(p, nullable);
    case '[':
        return take_class(p);
    case '.':
        p->at++;
        add_where(&set, "\n\n\r\r", true);
        return emit_set(p, &set);
    case '^':
    case '$':
        *nullable = true;
        return emit(p, *p->at++ == '^' ? PST_RX_BEGIN : PST_RX_END, 0, 0);
    case '*':
    case '+':
    case '?':
    case '{':
        return refuse(p, p->at, "a quantifier behind nothing");
    case '\\': {
        pst_rc rc = take_escape(p, &set, &single, &ignored);
        return rc ? rc : emit_set(p, &set);
    }
    default:
        if (!is_ascii(*p->at))
            return refuse(p, p->at, "topics' names are ASCII, this is not");
        set_add(&set, (unsigned char)*p->at++);
        return emit_set(p, &set);
    }
}

static pst_rc take_sequence(parser *p, bool *nullable)
{
    *nullable = true;
    while (*p->at && *p->at != '|' && *p->at != ')') {
        piece part = {p->out->n, false};
        quantifier q = {0, 0, false};
        bool found = false;
        pst_rc rc = take_atom(p, &part.nullable);
        const char *at = p->at;
        rc = rc ? rc : take_quantifier(p, &q, &found);
        if (rc == PST_OK && found)
            rc = repeat(p, &part, at, &q);
        if (rc != PST_OK)
            return rc;
        *nullable &= part.nullable;
    }
    return PST_OK;
}

/* Each alternative ends with a jump to the end; until that is known, it holds the place
   of the jump before it. */
static pst_rc take_choice(parser *p, bool *nullable)
{
    int last = -1;
    *nullable = false;
    for (;;) {
        size_t start = p->out->n;
        bool empty;
        pst_rc rc = take_sequence(p, &empty);
        *nullable |= rc == PST_OK && empty;
        if (rc == PST_OK && *p->at != '|')
            break;
        rc = rc ? rc : insert(p, start, 1, (int)(p->out->n - start) + 2);
        rc = rc ? rc : emit(p, PST_RX_JUMP, last, 0);
        if (rc != PST_OK)
            return rc;
        last = (int)p->out->n - 1;
        p->at++;
    }
    while (last >= 0) {
        pst_regex_inst *jump = &p->out->at[last];
        int before = jump->a;
        jump->a = (int)p->out->n - last;
        last = before;
    }
    return PST_OK;
}

pst_rc pst_regex_parse(pst_regex_program *out, const char *pattern, pst_err *err)
{
    parser p = {.text = pattern, .at = pattern, .out = out, .err = err};
    bool nullable;
    out->at = pst_calloc(PST_REGEX_PROGRAM_MAX, sizeof *out->at);
    out->sets = pst_calloc(PST_REGEX_SETS_MAX, sizeof *out->sets);
    if (!out->at || !out->sets)
        return pst_fail_nomem(err, "an expression");
    pst_rc rc = take_choice(&p, &nullable);
    if (rc == PST_OK && *p.at)
        return refuse(&p, p.at, "a ) without its (");
    return rc ? rc : emit(&p, PST_RX_MATCH, 0, 0);
}
