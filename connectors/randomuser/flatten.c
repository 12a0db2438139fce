/*
 * flatten.c - one user of the API becomes one record: raw or flat.
 *
 * raw is the API's own text without the blanks between its tokens: numbers, escapes and
 * the order of keys stay as they came (jansson would rewrite them, so it only validates).
 * flat is one object of fixed keys in fixed order; what the API left out is null. A
 * postcode is a number for some nationalities and a string for others: here always a
 * string. Coordinates come as strings: here numbers with the very same digits.
 */
#include "connectors/randomuser/internal.h"

#include <jansson.h>
#include <stdio.h>

enum { KEY_BYTES = 512 };

/* ---- writing JSON ---- */

static pst_rc add_escape(pst_buf *out, unsigned char c)
{
    switch (c) {
    case '"':
        return pst_buf_adds(out, "\\\"");
    case '\\':
        return pst_buf_adds(out, "\\\\");
    case '\b':
        return pst_buf_adds(out, "\\b");
    case '\f':
        return pst_buf_adds(out, "\\f");
    case '\n':
        return pst_buf_adds(out, "\\n");
    case '\r':
        return pst_buf_adds(out, "\\r");
    case '\t':
        return pst_buf_adds(out, "\\t");
    default:
        return pst_buf_addf(out, "\\u%04x", c);
    }
}

/* The inside of a JSON string; UTF-8 stays as it is. */
static pst_rc add_escaped(pst_buf *out, pst_sv text)
{
    size_t from = 0;
    pst_rc rc = PST_OK;
    for (size_t i = 0; i < text.n && rc == PST_OK; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        rc = pst_buf_add(out, text.p + from, i - from);
        if (rc == PST_OK)
            rc = add_escape(out, c);
        from = i + 1;
    }
    return rc == PST_OK ? pst_buf_add(out, text.p + from, text.n - from) : rc;
}

/* ---- reading values ---- */

/* Member by path ("location", "street", NULL); NULL if any part is missing. */
static const json_t *member(const json_t *user, const char *const path[])
{
    for (size_t i = 0; user && path[i]; i++)
        user = json_object_get(user, path[i]);
    return user;
}

/* A scalar as text: strings as they are, numbers in `scratch`. False for null, objects …
 */
static bool scalar_text(const json_t *value, char *scratch, size_t size, pst_sv *out)
{
    int n = -1;
    if (json_is_string(value)) {
        *out = (pst_sv){json_string_value(value), json_string_length(value)};
        return true;
    }
    if (json_is_integer(value))
        n = snprintf(scratch, size, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        n = snprintf(scratch, size, "%.15g", json_real_value(value));
    else if (json_is_boolean(value))
        n = snprintf(scratch, size, "%s", json_is_true(value) ? "true" : "false");
    if (n < 0 || (size_t)n >= size)
        return false;
    *out = (pst_sv){scratch, (size_t)n};
    return true;
}

static size_t count_digits(pst_sv text, size_t from)
{
    size_t n = 0;
    while (from + n < text.n && text.p[from + n] >= '0' && text.p[from + n] <= '9')
        n++;
    return n;
}

static bool char_at(pst_sv text, size_t i, const char *any_of)
{
    return i < text.n && text.p[i] != '\0' && strchr(any_of, text.p[i]);
}

/* -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)? */
static bool is_json_number(pst_sv text)
{
    size_t i = char_at(text, 0, "-") ? 1 : 0;
    size_t digits = count_digits(text, i);
    if (digits == 0 || (digits > 1 && text.p[i] == '0'))
        return false;
    i += digits;
    if (char_at(text, i, ".")) {
        if ((digits = count_digits(text, i + 1)) == 0)
            return false;
        i += 1 + digits;
    }
    if (char_at(text, i, "eE")) {
        i += char_at(text, i + 1, "+-") ? 2 : 1;
        if ((digits = count_digits(text, i)) == 0)
            return false;
        i += digits;
    }
    return i == text.n;
}

/* ---- the columns of flat ---- */

/* Two members joined by a blank; one alone if the other is missing. */
static pst_rc add_pair(pst_buf *out, const json_t *a, const json_t *b)
{
    char scratch_a[64], scratch_b[64];
    pst_sv left, right;
    bool has_left = scalar_text(a, scratch_a, sizeof scratch_a, &left);
    bool has_right = scalar_text(b, scratch_b, sizeof scratch_b, &right);
    if (!has_left && !has_right)
        return pst_buf_adds(out, "null");
    pst_rc rc = pst_buf_addc(out, '"');
    if (rc == PST_OK && has_left)
        rc = add_escaped(out, left);
    if (rc == PST_OK && has_left && has_right)
        rc = pst_buf_addc(out, ' ');
    if (rc == PST_OK && has_right)
        rc = add_escaped(out, right);
    return rc == PST_OK ? pst_buf_addc(out, '"') : rc;
}

static pst_rc add_text(pst_buf *out, const json_t *value)
{
    return add_pair(out, value, NULL);
}

static pst_rc add_number(pst_buf *out, const json_t *value)
{
    char scratch[64];
    pst_sv text;
    if (!scalar_text(value, scratch, sizeof scratch, &text) || !is_json_number(text))
        return pst_buf_adds(out, "null");
    return pst_buf_add(out, text.p, text.n);
}

static pst_rc add_full_name(pst_buf *out, const json_t *name)
{
    return add_pair(out, json_object_get(name, "first"), json_object_get(name, "last"));
}

/* {"number": 4988, "name": "Hickory Creek Dr"}; older versions of the API send a string.
 */
static pst_rc add_street(pst_buf *out, const json_t *street)
{
    if (!json_is_object(street))
        return add_text(out, street);
    return add_pair(out, json_object_get(street, "number"),
                    json_object_get(street, "name"));
}

/* {"date": …, "age": …}; older versions of the API send a string. */
static pst_rc add_date(pst_buf *out, const json_t *value)
{
    return add_text(out, json_is_object(value) ? json_object_get(value, "date") : value);
}

typedef struct flat_column {
    const char *name;
    const char *path[4];
    pst_rc (*add)(pst_buf *out, const json_t *value);
} flat_column;

/* In the order of PST_RANDOMUSER_FLAT_DDL. */
static const flat_column flat_columns[] = {
    {"id", {"login", "uuid"}, add_text},
    {"full_name", {"name"}, add_full_name},
    {"gender", {"gender"}, add_text},
    {"street", {"location", "street"}, add_street},
    {"city", {"location", "city"}, add_text},
    {"state", {"location", "state"}, add_text},
    {"country", {"location", "country"}, add_text},
    {"postcode", {"location", "postcode"}, add_text},
    {"latitude", {"location", "coordinates", "latitude"}, add_number},
    {"longitude", {"location", "coordinates", "longitude"}, add_number},
    {"email", {"email"}, add_text},
    {"dob", {"dob"}, add_date},
    {"registered", {"registered"}, add_date},
    {"phone", {"phone"}, add_text},
    {"nat", {"nat"}, add_text},
};

static pst_rc add_flat(pst_buf *out, const json_t *user)
{
    pst_rc rc = PST_OK;
    for (size_t i = 0; i < sizeof flat_columns / sizeof flat_columns[0]; i++) {
        const flat_column *column = &flat_columns[i];
        if (rc == PST_OK)
            rc = pst_buf_addf(out, "%c\"%s\":", i ? ',' : '{', column->name);
        if (rc == PST_OK)
            rc = column->add(out, member(user, column->path));
    }
    return rc == PST_OK ? pst_buf_addc(out, '}') : rc;
}

/* ---- raw ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Valid JSON text without its blanks. */
static pst_rc add_compact(pst_buf *out, pst_sv text)
{
    size_t from = 0;
    bool in_string = false;
    pst_rc rc = PST_OK;
    for (size_t i = 0; i < text.n && rc == PST_OK; i++) {
        if (in_string && text.p[i] == '\\') {
            i++;
        } else if (text.p[i] == '"') {
            in_string = !in_string;
        } else if (!in_string && is_blank(text.p[i])) {
            rc = pst_buf_add(out, text.p + from, i - from);
            from = i + 1;
        }
    }
    return rc == PST_OK ? pst_buf_add(out, text.p + from, text.n - from) : rc;
}

/* ---- the record ---- */

static pst_rc add_key(pst_buf *out, const json_t *user, bool need, size_t *key_len,
                      pst_err *err)
{
    const json_t *uuid = member(user, (const char *const[]){"login", "uuid", NULL});
    size_t n = json_is_string(uuid) ? json_string_length(uuid) : 0;
    *key_len = PST_RANDOMUSER_NO_KEY;
    if (n > KEY_BYTES || (n == 0 && need))
        return pst_fail_retriable(err, PST_E_INVALID, "its login.uuid is %s",
                                  n ? "too long" : "missing");
    if (n == 0)
        return PST_OK;
    *key_len = n;
    pst_rc rc = pst_buf_add(out, json_string_value(uuid), n);
    return rc == PST_OK ? rc : pst_fail(err, rc, "no room for its key");
}

/* jansson names an error of the text, but not always that it found no memory. */
static bool is_nomem(const json_error_t *why)
{
    enum json_error_code code = json_error_code(why);
    return code == json_error_out_of_memory || code == json_error_unknown;
}

static pst_rc parse_user(json_t **out, pst_sv text, pst_err *err)
{
    json_error_t why;
    if (text.n > PST_RANDOMUSER_USER_BYTES)
        return pst_fail_retriable(err, PST_E_INVALID, "it has %zu bytes, more than %d",
                                  text.n, PST_RANDOMUSER_USER_BYTES);
    json_t *user = json_loadb(text.p, text.n, JSON_ALLOW_NUL, &why);
    if (!user && is_nomem(&why))
        return pst_fail_nomem(err, "a user");
    if (!json_is_object(user)) {
        json_decref(user);
        return pst_fail_retriable(err, PST_E_INVALID, "it is not a JSON object");
    }
    *out = user;
    return PST_OK;
}

pst_rc pst_randomuser_convert(pst_sv user, const pst_randomuser_shape *shape,
                              pst_buf *out, size_t *key_len, pst_err *err)
{
    json_t *parsed = NULL;
    size_t before = out->len;
    pst_rc rc = parse_user(&parsed, user, err);
    if (rc != PST_OK)
        return rc;
    rc = add_key(out, parsed, shape->need_key, key_len, err);
    if (rc == PST_OK) {
        rc = shape->output == PST_RANDOMUSER_FLAT ? add_flat(out, parsed)
                                                  : add_compact(out, user);
        if (rc != PST_OK)
            (void)pst_fail(err, rc, "no room for it");
    }
    json_decref(parsed);
    if (rc != PST_OK)
        out->len = before;
    return rc;
}
