/*
 * value.c - one value by the type of its row: parse, check the range, move into its
 * field.
 *
 * Everything that can be said about a value without looking at another one is said here,
 * in one line: what was given (masked if it is secret) and what to set instead. Nothing
 * is rounded, clipped or guessed. Units are those of JVM and Spark: 64m is 64 * 1024 *
 * 1024.
 */
#include "conf/conf_in.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <regex.h>
#include <stdio.h>

typedef struct unit {
    const char *name;
    int64_t factor;
} unit;

#define KIB INT64_C(1024)
static const unit SIZES[] = {
    {"", 1},
    {"b", 1},
    {"k", KIB},
    {"kb", KIB},
    {"kib", KIB},
    {"m", KIB *KIB},
    {"mb", KIB *KIB},
    {"mib", KIB *KIB},
    {"g", KIB *KIB *KIB},
    {"gb", KIB *KIB *KIB},
    {"gib", KIB *KIB *KIB},
    {"t", KIB *KIB *KIB *KIB},
    {"tb", KIB *KIB *KIB *KIB},
    {"tib", KIB *KIB *KIB *KIB},
};
static const unit TIMES[] = {
    {"", 1},        {"ms", 1},      {"s", 1000},     {"m", 60000},
    {"min", 60000}, {"h", 3600000}, {"d", 86400000},
};

static bool with_unit(pst_sv text, const unit *units, size_t n_units, int64_t *out)
{
    size_t digits = 0;
    while (digits < text.n && strchr("+-0123456789", text.p[digits]))
        digits++;
    pst_sv name = pst_sv_trim((pst_sv){text.p + digits, text.n - digits});
    int64_t value;
    if (!pst_sv_to_i64((pst_sv){text.p, digits}, &value))
        return false;
    for (size_t i = 0; i < n_units; i++)
        if (pst_sv_eq_nocase(name, pst_sv_of(units[i].name)))
            return !__builtin_mul_overflow(value, units[i].factor, out);
    return false;
}

/* 65536 → 64k: the largest unit that divides it. */
static const char *size_text(char buf[32], int64_t bytes)
{
    static const char letters[] = "\0kmgt";
    size_t i = 0;
    for (; i < 4 && bytes && bytes % KIB == 0; i++)
        bytes /= KIB;
    snprintf(buf, 32, "%" PRId64 "%.1s", bytes, letters + i);
    return buf;
}

static const char *bound_text(char buf[32], const pst_setting *row, int64_t bound)
{
    if (row->type == PST_CONF_SIZE)
        return size_text(buf, bound);
    snprintf(buf, 32, "%" PRId64 "%s", bound, row->type == PST_CONF_MS ? " ms" : "");
    return buf;
}

static bool open_end(const pst_setting *row)
{
    return row->max == INT64_MAX || (row->type == PST_CONF_INT && row->max == INT_MAX);
}

const char *pst_conf_range(char buf[PST_CONF_RANGE], const pst_setting *row)
{
    char low[32], high[32];
    buf[0] = '\0';
    if (!row->min && !row->max)
        return buf;
    bound_text(low, row, row->min);
    bound_text(high, row, row->max);
    if (open_end(row))
        snprintf(buf, PST_CONF_RANGE, "%s or more", low);
    else if (row->min == INT64_MIN)
        snprintf(buf, PST_CONF_RANGE, "%s or less", high);
    else
        snprintf(buf, PST_CONF_RANGE, "%s to %s", low, high);
    return buf;
}

/* What to set, by type: goes after "; set ". */
static const char *wanted(char buf[160], const pst_setting *row)
{
    static const char *const words[] = {
        [PST_CONF_BOOL] = "true or false",
        [PST_CONF_INT] = "a whole number",
        [PST_CONF_LONG] = "a whole number",
        [PST_CONF_DOUBLE] = "a number",
        [PST_CONF_SIZE] = "bytes, or a number with k, m or g (64m)",
        [PST_CONF_MS] = "milliseconds, or a number with ms, s, m, h or d (10s)",
        [PST_CONF_REGEX] = NULL,
    };
    char range[PST_CONF_RANGE];
    pst_conf_range(range, row);
    snprintf(buf, 160, "%s%s%s", words[row->type], *range ? ", " : "", range);
    return buf;
}

static pst_rc refuse(const pst_setting *row, const char *text, bool secret,
                     const char *what, pst_err *err)
{
    char shown[PST_CONF_SHOWN], want[160];
    return pst_fail(err, PST_E_CONFIG, "%s %s; set %s",
                    pst_conf_shown(shown, text, secret), what, wanted(want, row));
}

static bool number_of(const pst_setting *row, pst_sv text, int64_t *out)
{
    switch (row->type) {
    case PST_CONF_SIZE:
        return with_unit(text, SIZES, sizeof SIZES / sizeof *SIZES, out);
    case PST_CONF_MS:
        return with_unit(text, TIMES, sizeof TIMES / sizeof *TIMES, out);
    default:
        return pst_sv_to_i64(text, out);
    }
}

static pst_rc parse_number(const pst_setting *row, const char *text, bool secret,
                           pst_conf_value *out, pst_err *err)
{
    static const char *const not_one[] = {
        [PST_CONF_INT] = "is not a whole number",
        [PST_CONF_LONG] = "is not a whole number",
        [PST_CONF_SIZE] = "is not a size",
        [PST_CONF_MS] = "is not a time",
    };
    int64_t n;
    if (!number_of(row, pst_sv_of(text), &n))
        return refuse(row, text, secret, not_one[row->type], err);
    bool ranged = row->min || row->max;
    if ((ranged && (n < row->min || n > row->max)) ||
        (row->type == PST_CONF_INT && (n < INT_MIN || n > INT_MAX)))
        return refuse(row, text, secret, "is out of range", err);
    out->n = n;
    return PST_OK;
}

static pst_rc parse_double(const pst_setting *row, const char *text, bool secret,
                           pst_conf_value *out, pst_err *err)
{
    double d;
    if (!pst_sv_to_double(pst_sv_of(text), &d))
        return refuse(row, text, secret, "is not a number", err);
    bool ranged = row->min || row->max;
    if (ranged && (d < (double)row->min || d > (double)row->max))
        return refuse(row, text, secret, "is out of range", err);
    out->d = d;
    return PST_OK;
}

static pst_rc parse_bool(const pst_setting *row, const char *text, bool secret,
                         pst_conf_value *out, pst_err *err)
{
    bool yes = pst_sv_eq_nocase(pst_sv_of(text), PST_SV("true"));
    if (!yes && !pst_sv_eq_nocase(pst_sv_of(text), PST_SV("false")))
        return refuse(row, text, secret, "is not a boolean", err);
    out->n = yes;
    return PST_OK;
}

static pst_rc parse_enum(const pst_setting *row, const char *text, bool secret,
                         pst_conf_value *out, pst_err *err)
{
    char list[320], shown[PST_CONF_SHOWN];
    size_t used = 0, skip = row->prefix ? strlen(row->prefix) : 0;
    list[0] = '\0';
    const char *word = skip && strncmp(text, row->prefix, skip) == 0 ? text + skip : text;
    for (size_t i = 0; row->choices[i]; i++) {
        if (pst_sv_eq_nocase(pst_sv_of(word), pst_sv_of(row->choices[i]))) {
            out->n = (int64_t)i;
            return PST_OK;
        }
        if (used < sizeof list)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s",
                                     i ? ", " : "", row->choices[i]);
    }
    return pst_fail(err, PST_E_CONFIG, "%s is not a choice; set one of %s",
                    pst_conf_shown(shown, text, secret), list);
}

static void list_done(pst_conf_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        pst_free(list->items[i]);
    pst_free(list->items);
    *list = (pst_conf_list){0};
}

static size_t count_commas(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += *text == ',';
    return n;
}

static pst_rc parse_list(const char *text, pst_conf_value *out, pst_err *err)
{
    pst_conf_list list = {0};
    size_t most = count_commas(text) + 1;
    if (most > PST_CONF_LIST_MAX)
        return pst_fail(err, PST_E_CONFIG, "a list of more than %d items; shorten it",
                        PST_CONF_LIST_MAX);
    list.items = pst_calloc(most, sizeof *list.items);
    if (!list.items)
        return pst_fail_nomem(err, "a list");
    for (pst_sv rest = pst_sv_of(text); rest.p;) {
        pst_sv item = pst_sv_trim(pst_sv_cut(rest, ',', &rest));
        if (!item.n)
            continue;
        char *copy = pst_strndup(item.p, item.n);
        if (!copy) {
            list_done(&list);
            return pst_fail_nomem(err, "a list");
        }
        list.items[list.n++] = copy;
    }
    out->list = list;
    return PST_OK;
}

/* Product of all {n,m} in the pattern: compiling copies what they repeat. */
static bool repeats_too_much(const char *pattern)
{
    enum { MOST = 10000 };
    int64_t product = 1, number = 0;
    for (const char *at = strchr(pattern, '{'); at && *at; at = strchr(at, '{')) {
        number = 0;
        for (at++; *at && *at != '}' && number <= MOST; at++)
            number =
                *at == ',' ? 0 : number * 10 + (*at >= '0' && *at <= '9' ? *at - '0' : 0);
        product *= number > 1 ? number : 1;
        if (product > MOST)
            return true;
    }
    return false;
}

/* A Java class that POSIX takes for a plain letter: it would match, but something else.
 */
static const char *java_only(const char *pattern)
{
    static const char *const known[] = {"\\d", "[0-9]", "\\D", "[^0-9]", NULL};
    for (size_t i = 0; known[i]; i += 2) {
        const char *at = strstr(pattern, known[i]);
        if (at && (at == pattern || at[-1] != '\\'))
            return known[i + 1];
    }
    return NULL;
}

static pst_rc check_regex(const char *text, bool secret, pst_err *err)
{
    char shown[PST_CONF_SHOWN], why[128];
    pst_conf_shown(shown, text, secret);
    if (strlen(text) > PST_CONF_REGEX_MAX || repeats_too_much(text))
        return pst_fail(err, PST_E_CONFIG,
                        "%s is too large for a regular expression; simplify it", shown);
    const char *posix = java_only(text);
    if (posix)
        return pst_fail(err, PST_E_CONFIG,
                        "%s uses a class that POSIX regular expressions don't have; "
                        "write %s",
                        shown, posix);
    regex_t regex;
    int failed = regcomp(&regex, text, REG_EXTENDED | REG_NOSUB);
    if (!failed) {
        regfree(&regex);
        return PST_OK;
    }
    regerror(failed, &regex, why, sizeof why);
    if (failed == REG_ESPACE)
        return pst_fail_nomem(err, "a regular expression");
    return pst_fail(err, PST_E_CONFIG,
                    "%s is not a POSIX extended regular expression (%s); mend it", shown,
                    why);
}

static pst_rc parse_string(const pst_setting *row, const char *text, bool secret,
                           pst_conf_value *out, pst_err *err)
{
    if (row->type == PST_CONF_REGEX && *text) {
        pst_rc rc = check_regex(text, secret, err);
        if (rc != PST_OK)
            return rc;
    }
    out->s = pst_strdup(text);
    return out->s ? PST_OK : pst_fail_nomem(err, "a setting");
}

static pst_rc parse_by_type(const pst_setting *row, const char *text, bool secret,
                            pst_conf_value *out, pst_err *err)
{
    switch (row->type) {
    case PST_CONF_BOOL:
        return parse_bool(row, text, secret, out, err);
    case PST_CONF_DOUBLE:
        return parse_double(row, text, secret, out, err);
    case PST_CONF_ENUM:
        return parse_enum(row, text, secret, out, err);
    case PST_CONF_LIST:
        return parse_list(text, out, err);
    case PST_CONF_STRING:
    case PST_CONF_REGEX:
        return parse_string(row, text, secret, out, err);
    default:
        return parse_number(row, text, secret, out, err);
    }
}

/* The row's own check; its text must not tell a secret that it was given. */
static pst_rc run_check(const pst_setting *row, const char *text, bool secret,
                        pst_err *err)
{
    pst_err own = PST_ERR_INIT;
    pst_rc rc = row->check(text, &own);
    if (rc == PST_OK)
        return PST_OK;
    if (rc == PST_E_NOMEM)
        return pst_fail_nomem(err, "checking a setting");
    if (!*own.text || (secret && pst_conf_leaks(own.text, text)))
        return pst_fail(err, PST_E_CONFIG,
                        "the value%s is not valid; see its description",
                        secret ? " ****" : "");
    return pst_fail(err, PST_E_CONFIG, "%s", own.text);
}

pst_rc pst_conf_value_parse(const pst_setting *row, const char *text, bool secret,
                            pst_conf_value *out, pst_err *err)
{
    pst_conf_value value = {0};
    pst_rc rc = parse_by_type(row, text, secret, &value, err);
    if (rc == PST_OK && row->check)
        rc = run_check(row, text, secret, err);
    if (rc == PST_OK)
        *out = value;
    else
        pst_conf_value_done(&value);
    return rc;
}

static void free_wiped(char *s)
{
    if (s)
        pst_wipe(s, strlen(s));
    pst_free(s);
}

void pst_conf_value_done(pst_conf_value *value)
{
    free_wiped(value->s);
    list_done(&value->list);
    *value = (pst_conf_value){0};
}

void pst_conf_value_store(const pst_setting *row, pst_conf_value *value, void *field)
{
    switch (row->type) {
    case PST_CONF_STRING:
    case PST_CONF_REGEX:
        *(char **)field = value->s;
        break;
    case PST_CONF_BOOL:
        *(bool *)field = value->n != 0;
        break;
    case PST_CONF_INT:
    case PST_CONF_ENUM:
        *(int *)field = (int)value->n;
        break;
    case PST_CONF_DOUBLE:
        *(double *)field = value->d;
        break;
    case PST_CONF_LIST:
        *(pst_conf_list *)field = value->list;
        break;
    case PST_CONF_LONG:
    case PST_CONF_SIZE:
    case PST_CONF_MS:
        *(int64_t *)field = value->n;
        break;
    }
    *value = (pst_conf_value){0};
}

void pst_conf_field_done(const pst_setting *row, void *field)
{
    if (row->type == PST_CONF_STRING || row->type == PST_CONF_REGEX) {
        free_wiped(*(char **)field);
        *(char **)field = NULL;
    } else if (row->type == PST_CONF_LIST) {
        list_done(field);
    }
}

char *pst_conf_value_trimmed(const pst_setting *row, const char *text)
{
    pst_sv sv = pst_sv_of(text);
    if (!(row->flags & PST_CONF_RAW))
        sv = pst_sv_trim(sv);
    return pst_strndup(sv.p, sv.n);
}
