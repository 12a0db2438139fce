/*
 * scan_core.h - the scanner's body, compiled once per instruction set: the including file
 * defines BLOCK (bytes looked at at once) and special_mask(p), a bit for each of the
 * BLOCK bytes that ends plain text in a string: a quote, a backslash or a control
 * character.
 *
 * Positions are pointers into a padded copy whose zero bytes stop every loop, so that
 * nothing has to compare with the end. NULL means: unusual, leave it to exact.c.
 */

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define INLINE static inline __attribute__((always_inline))

enum { WORD_BITS = 64, DEPTH_WORDS = PST_JSON_DEPTH_MAX / WORD_BITS + 1 };

INLINE const char *skip_blanks(const char *p)
{
    while (UNLIKELY(*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    return p;
}

/* One blank is what most writers put, if any. */
INLINE const char *blanks(const char *p)
{
    if ((unsigned char)*p > ' ')
        return p;
    if (*p == ' ' && (unsigned char)p[1] > ' ')
        return p + 1;
    return skip_blanks(p);
}

/* The first special byte at or after p. */
INLINE const char *string_end(const char *p)
{
    for (;;) {
        uint32_t mask = special_mask(p);
        if (LIKELY(mask))
            return p + __builtin_ctz(mask);
        p += BLOCK;
    }
}

INLINE bool hex4(const char *p)
{
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')))
            return false;
    }
    return true;
}

/* Behind the opening quote; answers the closing one. *escaped: it has backslashes. */
INLINE const char *scan_string(const char *p, bool *escaped)
{
    for (;;) {
        p = string_end(p);
        if (LIKELY(*p == '"'))
            return p;
        if (*p != '\\')
            return NULL;
        *escaped = true;
        switch (p[1]) {
        case '"':
        case '\\':
        case '/':
        case 'b':
        case 'f':
        case 'n':
        case 'r':
        case 't':
            p += 2;
            break;
        case 'u':
            if (!hex4(p + 2))
                return NULL;
            p += 6;
            break;
        default:
            return NULL;
        }
    }
}

INLINE bool digit(char c)
{
    return (unsigned char)(c - '0') <= 9;
}

/* At a digit or '-'; answers what follows the number. */
INLINE const char *scan_number(const char *p, bool *real)
{
    const char *start = p;
    p += *p == '-';
    if (UNLIKELY(!digit(*p)) || UNLIKELY(*p == '0' && digit(p[1])))
        return NULL;
    while (digit(*p))
        p++;
    *real = false;
    if (*p == '.') {
        *real = true;
        if (!digit(*++p))
            return NULL;
        while (digit(*p))
            p++;
    }
    if (UNLIKELY((*p | 32) == 'e')) {
        *real = true;
        p++;
        p += *p == '-' || *p == '+';
        if (!digit(*p))
            return NULL;
        while (digit(*p))
            p++;
    }
    return p - start <= PST_JSON_NUMBER_MAX ? p : NULL;
}

INLINE bool is_word(const char *p, const char *word)
{
    return memcmp(p, word, 4) == 0;
}

/* A scalar that nobody wants. */
INLINE const char *skip_scalar(const char *p)
{
    bool ignored = false;
    switch (*p) {
    case '"':
        p = scan_string(p + 1, &ignored);
        return p ? p + 1 : NULL;
    case 't':
        return is_word(p, "true") ? p + 4 : NULL;
    case 'n':
        return is_word(p, "null") ? p + 4 : NULL;
    case 'f':
        return is_word(p + 1, "alse") ? p + 5 : NULL;
    default:
        return scan_number(p, &ignored);
    }
}

/* "name" : blanks; answers where the value starts. */
INLINE const char *skip_name(const char *p)
{
    bool ignored = false;
    if (UNLIKELY(*p != '"'))
        return NULL;
    p = scan_string(p + 1, &ignored);
    if (UNLIKELY(!p))
        return NULL;
    p = blanks(p + 1);
    return LIKELY(*p == ':') ? blanks(p + 1) : NULL;
}

/* Validates a container and goes past it: a loop with a bit per open level. */
static const char *skip_container(const char *p, size_t base)
{
    uint64_t object[DEPTH_WORDS];
    size_t depth = 0;
    for (;;) {
        /* at a value */
        if (*p == '{' || *p == '[') {
            uint64_t bit = (uint64_t)1 << (++depth % WORD_BITS);
            if (UNLIKELY(depth + base > PST_JSON_DEPTH_MAX))
                return NULL;
            uint64_t *word = &object[depth / WORD_BITS];
            *word = *p == '{' ? *word | bit : *word & ~bit;
            char close = *p == '{' ? '}' : ']';
            p = blanks(p + 1);
            if (*p != close) {
                if (close == '}' && !(p = skip_name(p)))
                    return NULL;
                continue;
            }
            p++;
            depth--;
        } else if (UNLIKELY(!(p = skip_scalar(p)))) {
            return NULL;
        }
        /* behind a value */
        for (;;) {
            if (depth == 0)
                return p;
            p = blanks(p);
            bool in_object = object[depth / WORD_BITS] >> (depth % WORD_BITS) & 1;
            if (*p == ',') {
                p = blanks(p + 1);
                if (in_object && !(p = skip_name(p)))
                    return NULL;
                break;
            }
            if (UNLIKELY(*p != (in_object ? '}' : ']')))
                return NULL;
            p++;
            depth--;
        }
    }
}

INLINE const char *skip_value(const pst_scan_run *run, const char *p)
{
    if (*p == '{' || *p == '[')
        return skip_container(p, run->depth);
    return skip_scalar(p);
}

/* ---- values that are wanted ---- */

/* Up to 19 digits in one go; the common case of INT, BIGINT and DOUBLE. */
INLINE const char *quick_number(const char *p, pst_type type, pst_cell *out)
{
    bool negative = *p == '-';
    uint64_t w = 0;
    p += negative;
    const char *from = p;
    if (UNLIKELY(*p == '0' && digit(p[1])))
        return NULL;
    while (digit(*p))
        w = w * 10 + (uint64_t)(*p++ - '0');
    size_t digits = (size_t)(p - from);
    int64_t exp10 = 0;
    if (UNLIKELY(digits == 0 || digits > 18))
        return NULL;
    if (type == PST_T_INT || type == PST_T_LONG) {
        int64_t value = negative ? -(int64_t)w : (int64_t)w;
        if (UNLIKELY(*p == '.' || (*p | 32) == 'e') ||
            (type == PST_T_INT && value != (int32_t)value))
            return NULL;
        out->null = false;
        out->as.i = value;
        return p;
    }
    if (UNLIKELY((*p | 32) == 'e'))
        return NULL;
    if (*p == '.') {
        from = ++p;
        while (digit(*p))
            w = w * 10 + (uint64_t)(*p++ - '0');
        exp10 = from - p;
        digits += (size_t)(p - from);
        if (UNLIKELY(p == from || digits > 18 || (*p | 32) == 'e'))
            return NULL;
    } else {
        negative = negative && w; /* -0 is an integer */
    }
    out->null = false;
    out->as.d = pst_number_double(w, exp10, negative);
    return p;
}

INLINE const char *read_number(pst_scan_run *run, const pst_node *node, const char *p,
                               pst_cell *out)
{
    bool real;
    if (node->type == PST_T_LONG || node->type == PST_T_INT ||
        node->type == PST_T_DOUBLE) {
        const char *end = quick_number(p, node->type, out);
        if (LIKELY(end))
            return end;
    }
    const char *end = scan_number(p, &real);
    if (UNLIKELY(!end))
        return NULL;
    pst_conv rc = pst_scan_number(run, node, (pst_sv){p, (size_t)(end - p)}, real, out);
    run->bad |= rc == PST_CONV_BAD;
    run->nomem |= rc == PST_CONV_NOMEM;
    return end;
}

INLINE const char *read_string(pst_scan_run *run, const pst_node *node, const char *p,
                               pst_cell *out)
{
    bool escaped = false;
    const char *end = scan_string(p + 1, &escaped);
    if (UNLIKELY(!end))
        return NULL;
    pst_sv text = {p + 1, (size_t)(end - p - 1)};
    if (UNLIKELY(escaped)) {
        text = pst_scan_decode(run, text.p, text.n);
        if (!text.p)
            return NULL;
    }
    if (LIKELY(node->type == PST_T_STRING)) {
        out->null = false;
        out->as.s = text;
        return end + 1;
    }
    pst_conv rc = pst_convert_text(run->ctx, node, text, out);
    run->bad |= rc == PST_CONV_BAD;
    run->nomem |= rc == PST_CONV_NOMEM;
    return end + 1;
}

INLINE const char *read_word(pst_scan_run *run, const pst_node *node, const char *p,
                             pst_cell *out)
{
    bool yes = *p == 't';
    if (yes ? !is_word(p, "true") : !is_word(p + 1, "alse"))
        return NULL;
    if (node->type == PST_T_BOOLEAN) {
        out->null = false;
        out->as.b = yes;
    } else if (node->type == PST_T_STRING) {
        out->null = false;
        out->as.s = (pst_sv){p, yes ? 4 : 5};
    } else {
        run->bad = true;
    }
    return p + (yes ? 4 : 5);
}

static const char *scan_object(pst_scan_run *run, pst_scan_struct *s, const char *p);

/* A struct's value that is null, or no object. */
static const char *read_struct(pst_scan_run *run, pst_scan_struct *s, const char *p)
{
    const pst_node *node = s->node;
    if (*p == '{') {
        for (size_t i = 0; i < node->n_slots; i++)
            run->slots[node->slots[i]].null = true;
        return scan_object(run, s, p);
    }
    if (*p != 'n') {
        run->bad = true;
        return skip_value(run, p);
    }
    for (size_t i = 0; i < node->n_slots; i++)
        run->slots[node->slots[i]].null = true;
    return is_word(p, "null") ? p + 4 : NULL;
}

INLINE const char *read_value(pst_scan_run *run, const pst_node *node, const char *p)
{
    pst_cell *out = &run->slots[node->slot];
    switch (*p) {
    case '"':
        return read_string(run, node, p, out);
    case 't':
    case 'f':
        return read_word(run, node, p, out);
    case 'n':
        out->null = true;
        return is_word(p, "null") ? p + 4 : NULL;
    case '{':
    case '[':
        if (node->type == PST_T_STRING)
            return NULL; /* to be written as JSON again */
        run->bad = true;
        return skip_container(p, run->depth);
    default:
        return read_number(run, node, p, out);
    }
}

/* ---- names ---- */

/* Compares with a remembered name and its closing quote, behind the opening one. */
INLINE bool same_name(const pst_scan_guess *guess, const char *p)
{
    return guess->n && (same_mask(guess->text, p) & guess->mask) == guess->mask;
}

static const char *look_up(pst_scan_struct *s, size_t index, const char *p,
                           const pst_node **child)
{
    const char *end = string_end(p);
    if (*end != '"')
        return NULL; /* an escaped name */
    size_t n = (size_t)(end - p);
    pst_node *found = pst_node_find(s->node, (pst_sv){p, n}, index);
    *child = found && found->wanted ? found : NULL;
    if (index < PST_SCAN_GUESSES && n + 1 < PST_SCAN_NAME) {
        pst_scan_guess *guess = &s->guesses[index];
        memcpy(guess->text, p, n + 1);
        guess->n = (uint8_t)(n + 1);
        guess->mask = (uint32_t)(((uint64_t)1 << (n + 1)) - 1);
        guess->child = *child;
    }
    return end + 1;
}

/* At the opening quote; answers where the value starts. */
INLINE const char *read_name(pst_scan_struct *s, size_t index, const char *p,
                             const pst_node **child)
{
    if (UNLIKELY(*p != '"'))
        return NULL;
    p++;
    if (LIKELY(index < PST_SCAN_GUESSES && same_name(&s->guesses[index], p))) {
        *child = s->guesses[index].child;
        p += s->guesses[index].n;
    } else if (!(p = look_up(s, index, p, child))) {
        return NULL;
    }
    p = blanks(p);
    return LIKELY(*p == ':') ? blanks(p + 1) : NULL;
}

static const char *scan_object(pst_scan_run *run, pst_scan_struct *s, const char *p)
{
    if (UNLIKELY(++run->depth > PST_JSON_DEPTH_MAX))
        return NULL;
    p = blanks(p + 1);
    if (*p == '}') {
        run->depth--;
        return p + 1;
    }
    for (size_t index = 0;; index++) {
        const pst_node *child = NULL;
        p = read_name(s, index, p, &child);
        if (UNLIKELY(!p))
            return NULL;
        if (!child)
            p = skip_value(run, p);
        else if (UNLIKELY(child->type > PST_T_STRUCT))
            return NULL; /* an element of an array or map */
        else if (child->type == PST_T_STRUCT)
            p = read_struct(run, &s->nested[child - s->node->children], p);
        else
            p = read_value(run, child, p);
        if (UNLIKELY(!p))
            return NULL;
        p = blanks(p);
        if (LIKELY(*p == ',')) {
            p = blanks(p + 1);
        } else if (*p == '}') {
            run->depth--;
            return p + 1;
        } else {
            return NULL;
        }
    }
}
