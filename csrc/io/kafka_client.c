/*
 * kafka_client.c - what consumer and producer have in common: librdkafka's settings out
 * of the worker's and the connector's properties, its log lines, its errors.
 *
 * Which names librdkafka has, and for which role, is read from its own table
 * (rd_kafka_conf_properties_show), so that a newer librdkafka needs no change here. Names
 * that the runtime fixes, that take a pointer ("see dedicated API": setting one from text
 * would be a wild pointer), or that load code are refused; Java-only names get an answer
 * that names librdkafka's. No client is made here.
 */
#include "io/kafka_internal.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

enum {
    NAMES_MAX = 600,
    NAME_BYTES = 64,
    TABLE_BYTES = 512 * 1024, /* librdkafka 2.0 writes 56 KiB */
    ERRSTR_BYTES = 300,
    SUGGEST_EDITS = 3,
};

/* ---- librdkafka's own table of names ---- */

typedef struct known_name {
    char name[NAME_BYTES];
    bool consumer, producer;
    bool pointer; /* takes a pointer, not text */
} known_name;

typedef struct known_names {
    known_name *items;
    size_t n;
} known_names;

/* One line of the table: "name | C/P | range | default | importance | text". */
static void parse_table_line(known_names *names, pst_sv line)
{
    pst_sv rest, role_rest;
    pst_sv name = pst_sv_trim(pst_sv_cut(line, '|', &rest));
    pst_sv role = pst_sv_trim(pst_sv_cut(rest, '|', &role_rest));
    bool both = pst_sv_is(role, "*");
    if (!rest.p || !role_rest.p || name.n == 0 || name.n >= NAME_BYTES ||
        names->n == NAMES_MAX ||
        (!both && !pst_sv_is(role, "C") && !pst_sv_is(role, "P")))
        return;
    known_name *item = &names->items[names->n++];
    memcpy(item->name, name.p, name.n);
    item->name[name.n] = '\0';
    item->consumer = both || pst_sv_is(role, "C");
    item->producer = both || pst_sv_is(role, "P");
    item->pointer = memmem(line.p, line.n, "dedicated API", 13) != NULL;
}

static void names_done(known_names *names)
{
    pst_free(names->items);
    *names = (known_names){0};
}

static pst_rc names_init(known_names *names, pst_err *err)
{
    char *text = pst_calloc(1, TABLE_BYTES);
    names->n = 0;
    names->items = pst_calloc(NAMES_MAX, sizeof *names->items);
    FILE *out = text ? fmemopen(text, TABLE_BYTES - 1, "w") : NULL;
    if (!out || !names->items) {
        if (out)
            fclose(out);
        pst_free(text);
        names_done(names);
        return pst_fail_nomem(err, "librdkafka's table of settings");
    }
    rd_kafka_conf_properties_show(out);
    fclose(out);
    pst_sv rest = pst_sv_of(text);
    while (rest.p && rest.n > 0)
        parse_table_line(names, pst_sv_cut(rest, '\n', &rest));
    pst_free(text);
    return PST_OK;
}

static const known_name *names_find(const known_names *names, const char *name)
{
    for (size_t i = 0; i < names->n; i++)
        if (strcmp(names->items[i].name, name) == 0)
            return &names->items[i];
    return NULL;
}

/* The name that the user may have meant, or NULL. */
static const char *names_nearest(const known_names *names, const char *name, unsigned max)
{
    const char *best = NULL;
    unsigned best_edits = max + 1;
    for (size_t i = 0; i < names->n; i++) {
        unsigned edits =
            pst_edit_distance(pst_sv_of(name), pst_sv_of(names->items[i].name), max + 1);
        if (edits < best_edits && !names->items[i].pointer) {
            best_edits = edits;
            best = names->items[i].name;
        }
    }
    return best;
}

/* ---- names that are refused ---- */

typedef struct name_rule {
    const char *name;     /* a trailing * stands for anything */
    const char *accepted; /* a value that changes nothing, or NULL */
    const char *reason;
} name_rule;

#define COMMIT_REASON "offsets are committed once an object is durable"
#define CALLBACK_REASON "it takes a pointer, which settings can't give"

static const name_rule fixed_rules[] = {
    {"enable.auto.commit", "false", COMMIT_REASON},
    {"auto.commit.enable", "false", COMMIT_REASON},
    {"auto.commit.interval.ms", NULL, COMMIT_REASON},
    {"enable.auto.offset.store", "false", COMMIT_REASON},
    {"auto.offset.reset", NULL,
     "the chain decides where reading starts; consumer.auto.offset.reset=earliest|latest "
     "chooses its first position"},
    {"enable.partition.eof", "true", "the end of a partition must be seen"},
    {"group.id", NULL,
     "the group is connect-<name of the connector>; rename the connector"},
    {"acks", "all", "a record counts once all in-sync replicas have it"},
    {"acks", "-1", "a record counts once all in-sync replicas have it"},
    {"request.required.acks", "-1", "a record counts once all in-sync replicas have it"},
    {"enable.idempotence", "true", "a record must not be produced twice by a retry"},
    {"transactional.id", NULL, "it follows from the connector's name"},
    {"delivery.report.only.error", "false", "each record's delivery is confirmed"},
    {"enabled_events", NULL, "the clients use callbacks"},
    {"log.queue", "false", "log lines go to the program's log at once"},
    {"plugin.library.paths", "", "no library is loaded because a setting says so"},
    {"interceptors", NULL, CALLBACK_REASON},
    {"opaque", NULL, CALLBACK_REASON},
    {"default_topic_conf", NULL, CALLBACK_REASON},
};

/* What a connector's overrides can't do, though the worker's own file may. */
static const name_rule worker_only_rules[] = {
    {"sasl.kerberos.kinit.cmd", NULL, "a command is the worker's to set"},
    {"ssl.engine.location", NULL, "a library is the worker's to set"},
};

static const name_rule java_rules[] = {
    {"sasl.jaas.config", NULL,
     "that is the Java client's; set sasl.username and sasl.password"},
    {"sasl.login.*", NULL, "that is the Java client's; see sasl.oauthbearer.*"},
    {"sasl.client.callback.handler.class", NULL,
     "that is the Java client's; see sasl.oauthbearer.*"},
    {"ssl.truststore.*", NULL,
     "that is the Java client's; set ssl.ca.location to a PEM file (convert a JKS store "
     "by "
     "keytool -exportcert -rfc)"},
    {"ssl.keystore.type", NULL,
     "ssl.keystore.location takes PKCS#12; leave the type out"},
    {"ssl.keystore.key", NULL, "that is the Java client's; set ssl.key.pem"},
    {"ssl.keystore.certificate.chain", NULL,
     "that is the Java client's; set ssl.certificate.pem"},
    {"ssl.protocol", NULL, "that is the Java client's; OpenSSL negotiates the version"},
    {"ssl.enabled.protocols", NULL,
     "that is the Java client's; OpenSSL negotiates the version"},
    {"key.converter*", NULL, "there are no converters: records are taken as bytes"},
    {"value.converter*", NULL,
     "there are no converters: the sink's value.schema says what the JSON holds"},
    {"header.converter*", NULL, "there are no converters: headers are taken as bytes"},
    {"key.serializer", NULL, "there are no serializers: records are bytes"},
    {"value.serializer", NULL, "there are no serializers: records are bytes"},
    {"key.deserializer", NULL, "there are no serializers: records are bytes"},
    {"value.deserializer", NULL, "there are no serializers: records are bytes"},
    {"interceptor.classes", NULL, "Java classes can't be loaded"},
    {"metric.reporters", NULL, "Java classes can't be loaded; see /metrics"},
    {"fetch.max.wait.ms", NULL, "librdkafka's name is fetch.wait.max.ms"},
    {"max.request.size", NULL, "librdkafka's name is message.max.bytes"},
    {"send.buffer.bytes", NULL, "librdkafka's name is socket.send.buffer.bytes"},
    {"receive.buffer.bytes", NULL, "librdkafka's name is socket.receive.buffer.bytes"},
    {"max.poll.records", NULL, "librdkafka has no such limit; see buffer.memory"},
    {"max.block.ms", NULL, "librdkafka never blocks; see delivery.timeout.ms"},
    {"buffer.memory", NULL,
     "librdkafka's name is queue.buffering.max.kbytes (the worker's own buffer.memory "
     "has no "
     "prefix)"},
};

#define N_OF(array) (sizeof(array) / sizeof(array)[0])

static bool rule_matches(const name_rule *rule, const char *name)
{
    size_t n = strlen(rule->name);
    if (n > 0 && rule->name[n - 1] == '*')
        return strncmp(rule->name, name, n - 1) == 0;
    return strcmp(rule->name, name) == 0;
}

/* The first rule against this name and value, or NULL. */
static const name_rule *rules_find(const name_rule *rules, size_t n, const char *name,
                                   const char *value)
{
    const name_rule *against = NULL;
    for (size_t i = 0; i < n; i++) {
        if (!rule_matches(&rules[i], name))
            continue;
        if (rules[i].accepted && strcasecmp(rules[i].accepted, value) == 0)
            return NULL;
        against = &rules[i];
    }
    return against;
}

static bool is_secret_name(const char *name)
{
    static const char *const parts[] = {"password", "secret", "token",      "ssl.key",
                                        "jaas",     ".pem",   "oauthbearer"};
    for (size_t i = 0; i < N_OF(parts); i++)
        if (strstr(name, parts[i]))
            return true;
    return false;
}

/* ---- one key of the properties ---- */

enum scope { SCOPE_PLAIN, SCOPE_WORKER, SCOPE_OVERRIDE };

typedef struct parsed_key {
    const char *name; /* librdkafka's, without the prefix */
    enum scope scope;
    pst_kafka_role role; /* not for SCOPE_PLAIN */
} parsed_key;

static parsed_key parse_key(const char *key)
{
    static const struct {
        const char *prefix;
        enum scope scope;
        pst_kafka_role role;
    } prefixes[] = {
        {"consumer.override.", SCOPE_OVERRIDE, PST_KAFKA_CONSUMER},
        {"producer.override.", SCOPE_OVERRIDE, PST_KAFKA_PRODUCER},
        {"consumer.", SCOPE_WORKER, PST_KAFKA_CONSUMER},
        {"producer.", SCOPE_WORKER, PST_KAFKA_PRODUCER},
    };
    for (size_t i = 0; i < N_OF(prefixes); i++) {
        size_t n = strlen(prefixes[i].prefix);
        if (strncmp(key, prefixes[i].prefix, n) == 0)
            return (parsed_key){key + n, prefixes[i].scope, prefixes[i].role};
    }
    return (parsed_key){key, SCOPE_PLAIN, PST_KAFKA_CONSUMER};
}

/* consumer.auto.offset.reset is the chain's: never handed to librdkafka. */
static bool is_chain_setting(const parsed_key *key)
{
    return key->scope != SCOPE_PLAIN && key->role == PST_KAFKA_CONSUMER &&
           strcmp(key->name, "auto.offset.reset") == 0;
}

static pst_rc check_chain_setting(const char *value, pst_err *err)
{
    if (strcasecmp(value, "earliest") == 0 || strcasecmp(value, "latest") == 0)
        return PST_OK;
    return pst_fail(err, PST_E_CONFIG, "must be earliest or latest");
}

static pst_rc check_rules(const parsed_key *key, const char *value, pst_err *err)
{
    const name_rule *rule = rules_find(fixed_rules, N_OF(fixed_rules), key->name, value);
    if (rule)
        return pst_fail(err, PST_E_CONFIG, "%s is fixed: %s", key->name, rule->reason);
    if (key->scope == SCOPE_OVERRIDE &&
        (rule = rules_find(worker_only_rules, N_OF(worker_only_rules), key->name, value)))
        return pst_fail(err, PST_E_CONFIG, "%s can't be overridden: %s", key->name,
                        rule->reason);
    rule = rules_find(java_rules, N_OF(java_rules), key->name, value);
    if (rule)
        return pst_fail(err, PST_E_CONFIG, "%s: %s", key->name, rule->reason);
    return PST_OK;
}

static pst_rc fail_unknown(const known_names *names, const parsed_key *key, pst_err *err)
{
    /* Without a prefix it may be anybody's key: what is not nearly one of librdkafka's
       gets no text, so that the settings engine looks for a nearer name of its own. */
    bool plain = key->scope == SCOPE_PLAIN;
    const char *nearest = names_nearest(names, key->name, plain ? 1 : SUGGEST_EDITS);
    pst_rc rc = plain ? PST_E_NOT_FOUND : PST_E_CONFIG;
    if (nearest)
        return pst_fail(err, rc, "librdkafka has no property %s; did you mean %s?",
                        key->name, nearest);
    return plain ? rc : pst_fail(err, rc, "librdkafka has no property %s", key->name);
}

static pst_rc check_role(const known_name *known, const parsed_key *key, pst_err *err)
{
    bool fits = key->scope == SCOPE_PLAIN ||
                (key->role == PST_KAFKA_CONSUMER ? known->consumer : known->producer);
    if (fits)
        return PST_OK;
    const char *other = known->consumer ? "consumer" : "producer";
    return pst_fail(err, PST_E_CONFIG, "%s is a %s's property: set %s.%s%s", key->name,
                    other, other, key->scope == SCOPE_OVERRIDE ? "override." : "",
                    key->name);
}

/* Everything about a key but its value. */
static pst_rc check_name(const known_names *names, const parsed_key *key,
                         const char *value, pst_err *err)
{
    pst_rc rc = check_rules(key, value, err);
    if (rc != PST_OK)
        return rc;
    const known_name *known = names_find(names, key->name);
    if (!known)
        return fail_unknown(names, key, err);
    if (known->pointer)
        return pst_fail(err, PST_E_CONFIG, "%s can't be set: %s", key->name,
                        CALLBACK_REASON);
    return check_role(known, key, err);
}

/* librdkafka's own text quotes the value, which a secret's must not. */
static pst_rc conf_set(rd_kafka_conf_t *conf, const char *name, const char *value,
                       bool secret, pst_err *err)
{
    char errstr[ERRSTR_BYTES] = "";
    if (rd_kafka_conf_set(conf, name, value, errstr, sizeof errstr) == RD_KAFKA_CONF_OK)
        return PST_OK;
    if (secret || is_secret_name(name))
        return pst_fail(err, PST_E_CONFIG, "librdkafka does not take the value of %s",
                        name);
    return pst_fail(err, PST_E_CONFIG, "%s", errstr);
}

pst_rc pst_kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value,
                          pst_err *err)
{
    return conf_set(conf, name, value, false, err);
}

pst_rc pst_kafka_check_property(const char *key, const char *value, pst_err *err)
{
    parsed_key parsed = parse_key(key);
    if (is_chain_setting(&parsed))
        return check_chain_setting(value, err);
    known_names names;
    pst_rc rc = names_init(&names, err);
    if (rc != PST_OK)
        return rc;
    rc = check_name(&names, &parsed, value, err);
    names_done(&names);
    if (rc != PST_OK)
        return rc;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rc = pst_kafka_conf_set(conf, parsed.name, value, err);
    rd_kafka_conf_destroy(conf);
    return rc;
}

/* ---- a client's settings ---- */

static void add_place(const pst_prop *prop, pst_err *err)
{
    if (prop->file && prop->line > 0)
        pst_err_context(err, "%s:%d: %s", prop->file, prop->line, prop->key);
    else
        pst_err_context(err, "%s", prop->key);
}

/* Does this property belong to this pass and role? Keys of other tables don't. */
static bool is_wanted(const known_names *names, const parsed_key *key, enum scope scope,
                      pst_kafka_role role)
{
    if (key->scope != scope || is_chain_setting(key))
        return false;
    if (scope != SCOPE_PLAIN)
        return key->role == role;
    const known_name *known = names_find(names, key->name);
    return known && (role == PST_KAFKA_CONSUMER ? known->consumer : known->producer);
}

/* Hands the properties of one scope to librdkafka. */
static pst_rc merge_scope(rd_kafka_conf_t *conf, const known_names *names,
                          const pst_props *props, enum scope scope, pst_kafka_role role,
                          pst_err *err)
{
    for (size_t i = 0; props && i < props->n; i++) {
        const pst_prop *prop = &props->items[i];
        parsed_key key = parse_key(prop->key);
        if (!is_wanted(names, &key, scope, role))
            continue;
        pst_rc rc = check_name(names, &key, prop->value, err);
        if (rc == PST_OK)
            rc = conf_set(conf, key.name, prop->value, prop->secret_source, err);
        if (rc != PST_OK) {
            add_place(prop, err);
            return rc;
        }
    }
    return PST_OK;
}

static pst_rc check_bootstrap(const rd_kafka_conf_t *conf, pst_err *err)
{
    size_t size = 0; /* of the value with its NUL */
    if (rd_kafka_conf_get(conf, "bootstrap.servers", NULL, &size) == RD_KAFKA_CONF_OK &&
        size > 1)
        return PST_OK;
    return pst_fail(err, PST_E_CONFIG,
                    "bootstrap.servers is not set: host:port of a broker");
}

/* "Group … changed join state steady -> wait-join (state up)": there is no other way to
   hear of it; see pst_consumer_joining(). */
static void hear_join_state(pst_kafka_link *link, const char *text)
{
    const char *to = NULL; /* the last: a group's name may hold one, too */
    for (const char *at = strstr(text, " -> "); at; at = strstr(at + 1, " -> "))
        to = at;
    if (!to)
        return;
    bool answered = strncmp(to, " -> wait-metadata", 17) == 0 ||
                    strncmp(to, " -> wait-sync", 13) == 0;
    atomic_store(&link->joining, answered || strncmp(to, " -> wait-join", 13) == 0);
    if (answered)
        atomic_store(&link->chosen, true);
    bool assign = strncmp(to, " -> wait-assign-call", 20) == 0;
    bool unassign = strncmp(to, " -> wait-unassign-call", 22) == 0;
    atomic_store(&link->calling,
                 assign || unassign); /* before the next: see its reader */
    if (assign || strncmp(to, " -> steady", 10) == 0)
        atomic_store(&link->placed, true);
}

static void on_log(const rd_kafka_t *rk, int level, const char *facility,
                   const char *text)
{
    pst_kafka_link *link = rk ? rd_kafka_opaque(rk) : NULL;
    if (!link)
        return;
    if (strcmp(facility, "CGRPJOINSTATE") == 0)
        hear_join_state(link, text);
    if (level < 7 || !link->no_debug)
        pst_kafka_link_log(link, level, facility, text);
}

/* "2/2 brokers are down" must not hide what the last of them said. */
static void remember_error(pst_kafka_link *link, int code, const char *reason)
{
    char last[PST_KAFKA_ERROR_TEXT];
    pst_kafka_link_last_error(link, last, sizeof last);
    if (code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || !last[0])
        pst_kafka_link_set_error(link, reason);
}

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    pst_kafka_link *link = opaque;
    char fatal[PST_KAFKA_ERROR_TEXT];
    if (!link)
        return;
    if (code == RD_KAFKA_RESP_ERR__FATAL &&
        rd_kafka_fatal_error(rk, fatal, sizeof fatal) != RD_KAFKA_RESP_ERR_NO_ERROR)
        reason = fatal;
    remember_error(link, code, reason);
    pst_kafka_link_log(link, code == RD_KAFKA_RESP_ERR__FATAL ? 3 : 4, "ERROR", reason);
}

/* Where ours differ from librdkafka's; the user's values come later. The Java client's
   partitioner puts a key where other producers put it; 1 GiB is no ceiling of a queue. */
static pst_rc set_defaults(rd_kafka_conf_t *conf, pst_kafka_role role,
                           const pst_kafka_options *options, pst_err *err)
{
    pst_rc rc = PST_OK;
    if (options->client_id)
        rc = pst_kafka_conf_set(conf, "client.id", options->client_id, err);
    if (rc == PST_OK && role == PST_KAFKA_PRODUCER)
        rc = pst_kafka_conf_set(conf, "partitioner", "murmur2_random", err);
    if (rc == PST_OK && role == PST_KAFKA_PRODUCER)
        rc = pst_kafka_conf_set(conf, "queue.buffering.max.kbytes",
                                PST_KAFKA_QUEUE_KBYTES, err);
    if (rc == PST_OK && options->stats)
        rc = pst_kafka_conf_set(conf, "statistics.interval.ms", PST_KAFKA_STATS_MS, err);
    return rc;
}

pst_rc pst_kafka_conf_build(rd_kafka_conf_t **out, pst_kafka_role role,
                            const pst_kafka_options *options, pst_err *err)
{
    known_names names = {0};
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    pst_rc rc = names_init(&names, err);
    if (rc == PST_OK)
        rc = set_defaults(conf, role, options, err);
    if (rc == PST_OK)
        rc = merge_scope(conf, &names, options->worker, SCOPE_PLAIN, role, err);
    if (rc == PST_OK)
        rc = merge_scope(conf, &names, options->worker, SCOPE_WORKER, role, err);
    if (rc == PST_OK)
        rc = merge_scope(conf, &names, options->connector, SCOPE_OVERRIDE, role, err);
    if (rc == PST_OK)
        rc = check_bootstrap(conf, err);
    if (rc == PST_OK)
        rc = pst_kafka_conf_hear_tls(conf, err);
    names_done(&names);
    if (rc != PST_OK) {
        rd_kafka_conf_destroy(conf);
        return rc;
    }
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    if (options->stats)
        rd_kafka_conf_set_stats_cb(conf, pst_kafka_on_stats);
    *out = conf;
    return PST_OK;
}

/* ---- log and last error ---- */

void pst_kafka_link_init(pst_kafka_link *link, const pst_kafka_options *options)
{
    memset(link, 0, sizeof *link);
    pthread_mutex_init(&link->lock, NULL);
    link->log = options->log;
    link->stats = options->stats;
    link->stats_self = options->stats_self;
    snprintf(link->task, sizeof link->task, "%s",
             options->client_id ? options->client_id : "");
}

void pst_kafka_link_done(pst_kafka_link *link)
{
    pthread_mutex_destroy(&link->lock);
}

void pst_kafka_link_set_error(pst_kafka_link *link, const char *text)
{
    pthread_mutex_lock(&link->lock);
    bool refused = link->certificate[0] && text && strstr(text, "certificate verify");
    snprintf(link->last_error, sizeof link->last_error, "%s",
             refused ? link->certificate
             : text  ? text
                     : "");
    pthread_mutex_unlock(&link->lock);
}

void pst_kafka_link_last_error(pst_kafka_link *link, char *out, size_t size)
{
    pthread_mutex_lock(&link->lock);
    snprintf(out, size, "%s", link->last_error);
    pthread_mutex_unlock(&link->lock);
}

/* FNV-1a over the line, but for its counters ("after 12ms", "(3 identical"). */
static uint64_t line_hash(const char *facility, const char *text)
{
    uint64_t hash = 14695981039346656037u;
    for (const char *p = facility; *p; p++)
        hash = (hash ^ (unsigned char)*p) * 1099511628211u;
    bool counter = false;
    for (const char *p = text; *p; p++) {
        bool digit = *p >= '0' && *p <= '9';
        counter = digit && (counter || p == text || p[-1] == ' ' || p[-1] == '(');
        if (!counter)
            hash = (hash ^ (unsigned char)*p) * 1099511628211u;
    }
    return hash;
}

/* The line's slot: its own, else the one not used for the longest time. */
static pst_kafka_seen *seen_slot(pst_kafka_link *link, uint64_t hash)
{
    pst_kafka_seen *oldest = &link->seen[0];
    for (size_t i = 0; i < PST_KAFKA_LOG_SEEN; i++) {
        if (link->seen[i].hash == hash)
            return &link->seen[i];
        if (link->seen[i].at_ms < oldest->at_ms)
            oldest = &link->seen[i];
    }
    *oldest = (pst_kafka_seen){.hash = hash, .at_ms = -PST_KAFKA_LOG_REPEAT_MS};
    return oldest;
}

/* Is the line due? *repeats: how often it was held back since it was last written. */
static bool line_due(pst_kafka_link *link, uint64_t hash, unsigned *repeats)
{
    int64_t now = pst_mono_ms(pst_clock_system());
    pst_kafka_seen *seen = seen_slot(link, hash);
    bool due = now - seen->at_ms >= PST_KAFKA_LOG_REPEAT_MS;
    *repeats = seen->repeats;
    seen->repeats = due ? 0 : seen->repeats + 1;
    if (due)
        seen->at_ms = now;
    return due;
}

static void write_line(pst_kafka_link *link, pst_log_level level, const char *facility,
                       const char *text)
{
    const char *task = link->task[0] ? link->task : NULL;
    unsigned repeats = 0;
    if (!pst_log_on(link->log, level, "kafka"))
        return;
    if (level != PST_LOG_DEBUG && !line_due(link, line_hash(facility, text), &repeats))
        return;
    if (repeats)
        pst_logf(link->log, level, task, "kafka", "%s: %s (and %u times more since)",
                 facility, text, repeats);
    else
        pst_logf(link->log, level, task, "kafka", "%s: %s", facility, text);
}

void pst_kafka_link_log(pst_kafka_link *link, int syslog_level, const char *facility,
                        const char *text)
{
    pst_log_level level = syslog_level <= 3   ? PST_LOG_ERROR
                          : syslog_level == 4 ? PST_LOG_WARN
                          : syslog_level <= 6 ? PST_LOG_INFO
                                              : PST_LOG_DEBUG;
    /* Held while the line is written: the log may be freed after the silence. */
    pthread_mutex_lock(&link->lock);
    write_line(link, level, facility, text);
    pthread_mutex_unlock(&link->lock);
}

void pst_kafka_link_silence(pst_kafka_link *link)
{
    pthread_mutex_lock(&link->lock);
    link->log = NULL;
    pthread_mutex_unlock(&link->lock);
}

/* ---- errors ---- */

typedef struct error_class {
    rd_kafka_resp_err_t code;
    pst_rc rc;
    bool retriable, unknown;
} error_class;

static const error_class error_classes[] = {
    {RD_KAFKA_RESP_ERR__TIMED_OUT, PST_E_TIMEOUT, true, false},
    {RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE, PST_E_TIMEOUT, true, false},
    {RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, PST_E_TIMEOUT, true, true},
    {RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, PST_E_TIMEOUT, true, true},
    {RD_KAFKA_RESP_ERR__TRANSPORT, PST_E_KAFKA, true, false},
    {RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, PST_E_KAFKA, true, false},
    {RD_KAFKA_RESP_ERR__RESOLVE, PST_E_KAFKA, true, false},
    {RD_KAFKA_RESP_ERR__WAIT_COORD, PST_E_KAFKA, true, false},
    {RD_KAFKA_RESP_ERR__RETRY, PST_E_KAFKA, true, false},
    {RD_KAFKA_RESP_ERR__QUEUE_FULL, PST_E_LIMIT, true, false},
    {RD_KAFKA_RESP_ERR__PURGE_QUEUE, PST_E_STOPPED, false, false},
    {RD_KAFKA_RESP_ERR__PURGE_INFLIGHT, PST_E_STOPPED, false, true},
    {RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, PST_E_KAFKA, true, false},
    {RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, PST_E_KAFKA, true, false},
    {RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION, PST_E_KAFKA, true, false},
    {RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, PST_E_KAFKA, true, false},
    {RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, PST_E_KAFKA, true, false},
    {RD_KAFKA_RESP_ERR_NOT_COORDINATOR, PST_E_KAFKA, true, false},
    {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, PST_E_KAFKA, true, false},
    {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND, PST_E_KAFKA, true, true},
    {RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS, PST_E_KAFKA, true, false},
    {RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR, PST_E_KAFKA, true, false},
    {RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH, PST_E_KAFKA, true, false},
    {RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH, PST_E_KAFKA, true, false},
    {RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT, PST_E_KAFKA, true, false},
    {RD_KAFKA_RESP_ERR__AUTHENTICATION, PST_E_AUTH, false, false},
    {RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, PST_E_AUTH, false, false},
    {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, PST_E_AUTH, false, false},
    {RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, PST_E_AUTH, false, false},
    {RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, PST_E_AUTH, false, false},
    {RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, PST_E_AUTH, false, false},
    {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, PST_E_NOT_FOUND, false, false},
    {RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, PST_E_NOT_FOUND, false, false},
    {RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, PST_E_NOT_FOUND, false, false},
    {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, PST_E_LIMIT, false, false},
    {RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE, PST_E_LIMIT, false, false},
};

pst_rc pst_kafka_fail(pst_err *err, rd_kafka_resp_err_t code, const char *what,
                      const char *detail)
{
    pst_err made = PST_ERR_INIT;
    error_class class = {code, PST_E_KAFKA, false, false};
    for (size_t i = 0; i < N_OF(error_classes); i++)
        if (error_classes[i].code == code)
            class = error_classes[i];
    if (detail && detail[0])
        pst_fail(&made, class.rc, "%s: %s (%s)", what, detail, rd_kafka_err2name(code));
    else
        pst_fail(&made, class.rc, "%s: %s (%s)", what, rd_kafka_err2str(code),
                 rd_kafka_err2name(code));
    made.retriable = class.retriable;
    made.unknown = class.unknown;
    made.status = (int)code;
    if (err && err->code == PST_OK)
        *err = made;
    return class.rc;
}

pst_rc pst_kafka_fail_take(pst_err *err, rd_kafka_error_t *error, const char *what)
{
    if (!error)
        return PST_OK;
    bool set = err && err->code != PST_OK;
    pst_rc rc = pst_kafka_fail(err, rd_kafka_error_code(error), what,
                               rd_kafka_error_string(error));
    if (err && !set && rd_kafka_error_is_retriable(error))
        err->retriable = true;
    if (err && !set && rd_kafka_error_is_fatal(error))
        err->retriable = false;
    rd_kafka_error_destroy(error);
    return rc;
}
