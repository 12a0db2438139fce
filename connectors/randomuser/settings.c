/*
 * settings.c - the table of RandomUserSource's settings, and what follows from them.
 *
 * Names and defaults exist here only. Checks that need more than one setting, or that may
 * be wrong about a newer API, are in check_settings() and mostly warn.
 */
#include "connectors/randomuser/internal.h"

#include <string.h>

#define OFFSET(field) offsetof(pst_randomuser_settings, field)

static const char *const outputs[] = {"raw", "flat", NULL};
static const char *const genders[] = {"any", "male", "female", NULL};
static const char *const fields[] = {"gender",     "name", "location", "email", "login",
                                     "registered", "dob",  "phone",    "cell",  "id",
                                     "picture",    "nat",  NULL};
static const char *const nats[] = {"AU", "BR", "CA", "CH", "DE", "DK", "ES", "FI",
                                   "FR", "GB", "IE", "IN", "IR", "MX", "NL", "NO",
                                   "NZ", "RS", "TR", "UA", "US", NULL};

static bool is_one_of(const char *const names[], pst_sv name)
{
    for (size_t i = 0; names[i]; i++)
        if (pst_sv_eq_nocase(name, pst_sv_of(names[i])))
            return true;
    return false;
}

static pst_rc check_topic(const char *value, pst_err *err)
{
    size_t n = strlen(value);
    if (n > 249 || strcmp(value, ".") == 0 || strcmp(value, "..") == 0)
        return pst_fail(err, PST_E_CONFIG,
                        "a topic's name has 1 to 249 characters and is "
                        "neither . nor ..");
    for (const char *p = value; *p; p++)
        if (!(*p >= 'a' && *p <= 'z') && !(*p >= 'A' && *p <= 'Z') &&
            !(*p >= '0' && *p <= '9') && !strchr("._-", *p))
            return pst_fail(
                err, PST_E_CONFIG,
                "a topic's name has only letters, digits, dots, underscores and "
                "hyphens");
    return PST_OK;
}

static pst_rc check_url(const char *value, pst_err *err)
{
    pst_sv url = pst_sv_of(value);
    bool http =
        pst_sv_starts(url, PST_SV("http://")) || pst_sv_starts(url, PST_SV("https://"));
    if (!http && !pst_sv_starts(url, PST_SV("file:///")))
        return pst_fail(
            err, PST_E_CONFIG,
            "must begin with https://, http:// or file:/// (a recorded response)");
    for (const char *p = value; *p; p++)
        if ((unsigned char)*p <= ' ' || *p == 0x7F || *p == '#')
            return pst_fail(
                err, PST_E_CONFIG,
                "must have no blanks and no fragment; write them as %%20, %%23");
    const char *host = http ? strstr(value, "://") + 3 : NULL;
    if (host && (*host == '\0' || *host == '/' || *host == ':'))
        return pst_fail(err, PST_E_CONFIG, "has no host");
    if (host && memchr(host, '@', strcspn(host, "/?")))
        return pst_fail(err, PST_E_CONFIG, "must hold no user name or password");
    return PST_OK;
}

static pst_rc check_seed(const char *value, pst_err *err)
{
    if (strlen(value) < PST_RANDOMUSER_SEED_BYTES)
        return PST_OK;
    return pst_fail(err, PST_E_CONFIG, "has more than %d bytes",
                    PST_RANDOMUSER_SEED_BYTES - 1);
}

static pst_rc check_fields(const char *value, pst_err *err)
{
    pst_sv rest = pst_sv_of(value);
    while (rest.p) {
        pst_sv name = pst_sv_trim(pst_sv_cut(rest, ',', &rest));
        if (name.n && !is_one_of(fields, name))
            return pst_fail(err, PST_E_CONFIG,
                            "%.*s is no field of the API: gender, name, location, email, "
                            "login, registered, dob, phone, cell, id, picture, nat",
                            PST_SV_FMT(name));
    }
    return PST_OK;
}

static const pst_setting rows[] = {
    {.name = "kafka.topic",
     .type = PST_CONF_STRING,
     .flags = PST_CONF_REQUIRED,
     .offset = OFFSET(topic),
     .check = check_topic,
     .importance = PST_CONF_HIGH,
     .doc = "The topic that users are written to. The record key is login.uuid."},
    {.name = "randomuser.url",
     .type = PST_CONF_STRING,
     .offset = OFFSET(url),
     .def = "https://randomuser.me/api/",
     .check = check_url,
     .importance = PST_CONF_MEDIUM,
     .doc = "Where the API is. A file:///path reads one recorded response and ends."},
    {.name = "randomuser.results",
     .type = PST_CONF_INT,
     .offset = OFFSET(results),
     .min = 1,
     .max = PST_RANDOMUSER_RESULTS_MAX,
     .importance = PST_CONF_MEDIUM,
     .doc = "Users per request. Unset: max.users, but at most 500; 500 without a limit."},
    {.name = "randomuser.seed",
     .type = PST_CONF_STRING,
     .offset = OFFSET(seed),
     .check = check_seed,
     .importance = PST_CONF_MEDIUM,
     .doc =
         "The API makes the same users of the same seed. With it each user is produced "
         "exactly once over all runs of this name: a start goes on where the last one "
         "ended (offset.storage.topic). Unset: the API chooses one for each run."},
    {.name = "randomuser.nat",
     .type = PST_CONF_LIST,
     .offset = OFFSET(nat),
     .importance = PST_CONF_LOW,
     .doc = "Nationalities, as US,GB,FR. Unset: all."},
    {.name = "randomuser.gender",
     .type = PST_CONF_ENUM,
     .offset = OFFSET(gender),
     .def = "any",
     .choices = genders,
     .importance = PST_CONF_LOW,
     .doc = "Only users of this gender. With a seed the API ignores it."},
    {.name = "randomuser.inc",
     .type = PST_CONF_LIST,
     .offset = OFFSET(inc),
     .check = check_fields,
     .importance = PST_CONF_LOW,
     .doc = "Fields to include, as name,location,login. Without login, records have no "
            "key."},
    {.name = "randomuser.exc",
     .type = PST_CONF_LIST,
     .offset = OFFSET(exc),
     .check = check_fields,
     .importance = PST_CONF_LOW,
     .doc = "Fields to leave out."},
    {.name = "max.users",
     .type = PST_CONF_LONG,
     .offset = OFFSET(max_users),
     .def = "0",
     .min = 0,
     .max = INT64_MAX,
     .importance = PST_CONF_HIGH,
     .doc = "How many users to produce before the connector is done; 0 = no limit. With "
            "a seed over all runs, without one per run."},
    {.name = "users.per.second",
     .type = PST_CONF_DOUBLE,
     .offset = OFFSET(users_per_second),
     .def = "1",
     .min = 0,
     .max = 1000000,
     .importance = PST_CONF_HIGH,
     .doc = "Users are paced out one by one at this rate, whatever a request brought; 0 "
            "= as "
            "fast as possible."},
    {.name = "output",
     .type = PST_CONF_ENUM,
     .offset = OFFSET(output),
     .def = "raw",
     .choices = outputs,
     .importance = PST_CONF_HIGH,
     .doc =
         "raw = the API's user object; flat = one level: id, full_name, gender, street, "
         "city, state, country, postcode, latitude, longitude, email, dob, registered, "
         "phone, nat."},
    {.name = "http.timeout.ms",
     .type = PST_CONF_MS,
     .offset = OFFSET(http_timeout_ms),
     .def = "30000",
     .min = 1,
     .max = 3600000,
     .importance = PST_CONF_LOW,
     .doc = "Time for one request, connecting included, in ms."},
    {.name = "retry.backoff.ms",
     .type = PST_CONF_MS,
     .offset = OFFSET(retry_backoff_ms),
     .def = "1000",
     .min = 1,
     .max = 3600000,
     .importance = PST_CONF_LOW,
     .doc =
         "Wait before the first retry of a request, in ms; doubles with each one, up to "
         "errors.retry.delay.max.ms. The API's Retry-After goes before it."},
    {.name = "max.retries",
     .type = PST_CONF_INT,
     .offset = OFFSET(max_retries),
     .def = "10",
     .min = 0,
     .max = INT32_MAX,
     .importance = PST_CONF_LOW,
     .doc = "Retries of one request before the task fails. Another errors.retry.timeout "
            "than 0 "
            "decides instead."},
};

static const pst_conf_section section = {
    .title = "RandomUserSource", .rows = rows, .n_rows = sizeof rows / sizeof rows[0]};

static void check_settings(const void *conf, const pst_props *props,
                           pst_conf_report *report)
{
    const pst_randomuser_settings *own = &((const pst_randomuser_conf *)conf)->own;
    for (size_t i = 0; i < own->nat.n; i++)
        if (!is_one_of(nats, pst_sv_of(own->nat.items[i])))
            pst_conf_warning(
                report, pst_props_find(props, "randomuser.nat"), "randomuser.nat",
                "%s is no nationality of the API's version 1.4, which ignores "
                "unknown ones",
                own->nat.items[i]);
    if (!pst_randomuser_has_login(own))
        pst_conf_warning(
            report,
            pst_props_find(props, own->inc.n ? "randomuser.inc" : "randomuser.exc"), NULL,
            "without the field login, records have no key and flat's id is "
            "null");
}

/* A connector's own file has librdkafka's names as producer.override.* only. */
static pst_rc check_other(const char *key, const char *value, pst_err *err)
{
    pst_sv name = pst_sv_of(key);
    if (pst_sv_starts(name, PST_SV("producer.override.")))
        return pst_kafka_check_property(key, value, err);
    if (pst_sv_starts(name, PST_SV("consumer.")))
        return pst_fail(err, PST_E_CONFIG, "%s: a source has no consumer", key);
    if (pst_sv_starts(name, PST_SV("producer.")))
        return pst_fail(err, PST_E_CONFIG,
                        "%s: a connector's file sets producer.override.%s", key,
                        key + strlen("producer."));
    pst_err plain = PST_ERR_INIT;
    switch (pst_kafka_check_property(key, value, &plain)) {
    case PST_OK:
        return pst_fail(err, PST_E_CONFIG,
                        "%s: a connector's file sets producer.override.%s", key, key);
    case PST_E_CONFIG:
        return pst_fail(err, PST_E_CONFIG, "%s", plain.text);
    case PST_E_NOMEM:
        return PST_E_NOMEM;
    default:
        return PST_E_NOT_FOUND; /* the settings engine names the nearest one */
    }
}

static const pst_conf_part parts[] = {
    {&pst_connector_section, offsetof(pst_randomuser_conf, common)},
    {&section, offsetof(pst_randomuser_conf, own)},
};

const pst_conf_spec pst_randomuser_spec = {
    .name = "RandomUserSource",
    .doc = "Produces the made-up people of the randomuser.me API to a Kafka topic.",
    .parts = parts,
    .n_parts = sizeof parts / sizeof parts[0],
    .size = sizeof(pst_randomuser_conf),
    .other = check_other,
    .check = check_settings,
};

int pst_randomuser_results(const pst_randomuser_settings *settings)
{
    if (settings->results > 0)
        return settings->results;
    if (settings->max_users > 0 && settings->max_users < PST_RANDOMUSER_RESULTS_DEFAULT)
        return (int)settings->max_users;
    return PST_RANDOMUSER_RESULTS_DEFAULT;
}

static bool list_has(const pst_conf_list *list, const char *name)
{
    for (size_t i = 0; i < list->n; i++)
        if (pst_sv_eq_nocase(pst_sv_of(list->items[i]), pst_sv_of(name)))
            return true;
    return false;
}

bool pst_randomuser_has_login(const pst_randomuser_settings *settings)
{
    return (settings->inc.n == 0 || list_has(&settings->inc, "login")) &&
           !list_has(&settings->exc, "login");
}

bool pst_randomuser_is_file(const pst_randomuser_settings *settings)
{
    return pst_sv_starts(pst_sv_of(settings->url), PST_SV("file:"));
}
