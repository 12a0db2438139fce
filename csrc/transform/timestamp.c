/*
 * timestamp.c - TimestampConverter$Value: a column of times becomes text, a number since
 * 1970, a DATE or a TIMESTAMP. All goes by milliseconds, as Connect's times do: what a
 * TIMESTAMP has beyond them is cut.
 */
#include "record/datetime.h"
#include "transform/internal.h"
#include "transform/simpledate.h"

enum target { TO_STRING, TO_UNIX, TO_DATE, TO_TIMESTAMP };
enum precision { SECONDS, MILLIS, MICROS, NANOS };
enum { DAY_MS = 86400000, OUT_MAX = 600 };

typedef struct stamp_conf {
    pst_step_conf common;
    char *field;
    int target; /* enum target */
    char *format;
    int precision; /* enum precision */
    bool null_default;
} stamp_conf;

typedef struct stamp {
    size_t slot;
    pst_type from;
    pst_simpledate format;
} stamp;

static const char *const targets[] = {"string", "unix", "Date", "Timestamp", NULL};
static const char *const precisions[] = {"seconds", "milliseconds", "microseconds",
                                         "nanoseconds", NULL};

static pst_rc check_format(const char *value, pst_err *err)
{
    pst_simpledate format;
    return *value ? pst_simpledate_init(&format, value, err) : PST_OK;
}

static const pst_setting rows[] = {
    {.name = "field",
     .type = PST_CONF_STRING,
     .offset = offsetof(stamp_conf, field),
     .doc = "The column; empty only behind ExtractField."},
    {.name = "target.type",
     .type = PST_CONF_ENUM,
     .offset = offsetof(stamp_conf, target),
     .flags = PST_CONF_REQUIRED,
     .choices = targets,
     .doc = "What it becomes: string, unix (a number), Date or Timestamp."},
    {.name = "format",
     .type = PST_CONF_STRING,
     .offset = offsetof(stamp_conf, format),
     .flags = PST_CONF_RAW,
     .check = check_format,
     .doc = "The pattern of texts, in SimpleDateFormat's letters."},
    {.name = "unix.precision",
     .type = PST_CONF_ENUM,
     .offset = offsetof(stamp_conf, precision),
     .def = "milliseconds",
     .choices = precisions,
     .doc = "What numbers count since 1970."},
    {.name = "replace.null.with.default",
     .type = PST_CONF_BOOL,
     .offset = offsetof(stamp_conf, null_default),
     .def = "true",
     .doc = "Columns have no defaults: without effect."},
};

static const pst_conf_section section = {.rows = rows,
                                         .n_rows = sizeof rows / sizeof *rows};

/* ---- compiling ---- */

static pst_rc bind_format(stamp *state, const stamp_conf *conf, pst_err *err)
{
    bool reads = state->from == PST_T_STRING;
    if (!reads && conf->target != TO_STRING)
        return PST_OK;
    if (!conf->format || !*conf->format)
        return pst_fail(err, PST_E_CONFIG,
                        "missing: texts need one, such as yyyy-MM-dd'T'HH:mm:ss");
    pst_rc rc = pst_simpledate_init(&state->format, conf->format, err);
    return rc || !reads ? rc : pst_simpledate_can_read(&state->format, err);
}

static pst_rc bind(pst_step *step, pst_shape *shape, const char **setting, pst_err *err)
{
    static const pst_type types[] = {PST_T_STRING, PST_T_LONG, PST_T_DATE,
                                     PST_T_TIMESTAMP};
    const stamp_conf *conf = step->group.conf;
    stamp *state = pst_calloc(1, sizeof *state);
    pst_live *live = shape->at;
    if (!state)
        return pst_fail_nomem(err, "the transforms");
    step->state = state;
    *setting = "field";
    bool named = conf->field && *conf->field;
    if (named && shape->single)
        return pst_fail(err, PST_E_CONFIG,
                        "an ExtractField before it has left a single value, without "
                        "fields: leave it out");
    if (!named && !shape->single)
        return pst_fail(err, PST_E_CONFIG, "missing: a whole row is no time");
    pst_rc rc = named ? pst_shape_need(shape, conf->field, &live, err) : PST_OK;
    if (rc != PST_OK)
        return rc;
    state->slot = live->slot;
    state->from = live->column.type;
    if (state->from != PST_T_STRING && state->from != PST_T_LONG &&
        (state->from < PST_T_DATE || state->from > PST_T_TIMESTAMP_NTZ))
        return pst_fail(err, PST_E_CONFIG,
                        "'%.100s' is no time: it must be STRING, BIGINT, DATE or "
                        "TIMESTAMP",
                        live->column.name);
    *setting = "format";
    rc = bind_format(state, conf, err);
    if (rc == PST_OK)
        live->column.type = types[conf->target];
    return rc;
}

static bool touches(const pst_step *step, const char *field)
{
    const stamp_conf *conf = step->group.conf;
    return conf->field && strcmp(conf->field, field) == 0;
}

/* ---- a value ---- */

static int64_t scaled(int64_t value, int64_t factor)
{
    int64_t out;
    if (__builtin_mul_overflow(value, factor, &out))
        return value < 0 ? INT64_MIN : INT64_MAX;
    return out;
}

static int64_t ms_of_unix(int precision, int64_t value)
{
    return precision == SECONDS  ? scaled(value, 1000)
           : precision == MILLIS ? value
           : precision == MICROS ? value / 1000
                                 : value / 1000000;
}

static int64_t unix_of_ms(int precision, int64_t ms)
{
    return precision == SECONDS  ? ms / 1000
           : precision == MILLIS ? ms
           : precision == MICROS ? scaled(ms, 1000)
                                 : scaled(ms, 1000000);
}

static pst_rc read(const stamp *state, const stamp_conf *conf, const pst_cell *cell,
                   int64_t *ms, pst_err *err)
{
    switch (state->from) {
    case PST_T_STRING:
        if (pst_simpledate_read(&state->format, cell->as.s, ms))
            return PST_OK;
        return pst_fail(err, PST_E_INVALID, "the text is no time of the format %.100s",
                        conf->format);
    case PST_T_LONG:
        *ms = ms_of_unix(conf->precision, cell->as.i);
        return PST_OK;
    case PST_T_DATE:
        *ms = scaled(cell->as.i, DAY_MS);
        return PST_OK;
    default:
        *ms = pst_floor_div(cell->as.i, 1000);
        return PST_OK;
    }
}

static pst_rc apply(const pst_step *step, pst_run *run, pst_err *err)
{
    const stamp *state = step->state;
    const stamp_conf *conf = step->group.conf;
    pst_cell *cell = &run->slots[state->slot];
    char text[OUT_MAX];
    int64_t ms;
    if (cell->null)
        return PST_OK;
    pst_rc rc = read(state, conf, cell, &ms, err);
    if (rc != PST_OK)
        return rc;
    switch (conf->target) {
    case TO_UNIX:
        cell->as.i = unix_of_ms(conf->precision, ms);
        return PST_OK;
    case TO_DATE:
        cell->as.i = pst_floor_div(ms, DAY_MS);
        return PST_OK;
    case TO_TIMESTAMP:
        if (__builtin_mul_overflow(ms, 1000, &cell->as.i))
            return pst_fail(err, PST_E_INVALID, "the time is out of TIMESTAMP's range");
        return PST_OK;
    default: {
        size_t n = pst_simpledate_print(&state->format, ms, text, sizeof text);
        return pst_run_keep(run, (pst_sv){text, n}, cell, err);
    }
    }
}

const pst_kind pst_kind_timestamp = {
    .name = "TimestampConverter",
    .sided = true,
    .columns = true,
    .section = &section,
    .conf_size = sizeof(stamp_conf),
    .bind = bind,
    .apply = apply,
    .touches = touches,
};
