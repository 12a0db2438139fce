/*
 * predicate.c - TopicNameMatches, HasHeaderKey, RecordIsTombstone.
 */
#include "transform/internal.h"
#include "transform/regex.h"

#include <stdio.h>

typedef struct text_conf {
    pst_step_conf common;
    char *text;
} text_conf;

/* ---- TopicNameMatches ---- */

static pst_rc check_pattern(const char *value, pst_err *err)
{
    pst_regex *regex = NULL;
    pst_rc rc = pst_regex_new(&regex, value, err);
    pst_regex_free(regex);
    return rc;
}

static const pst_setting topic_rows[] = {
    {.name = "pattern",
     .type = PST_CONF_STRING,
     .offset = offsetof(text_conf, text),
     .flags = PST_CONF_REQUIRED | PST_CONF_RAW,
     .check = check_pattern,
     .doc = "A regular expression in Java's syntax, for the topic's whole name."},
};

static const pst_conf_section topic_section = {.rows = topic_rows, .n_rows = 1};

enum { TOPIC_MAX = 256 };

/* A topic's answer is kept: it is asked for each record. */
typedef struct topic_state {
    pst_regex *regex;
    char last[TOPIC_MAX];
    bool matches;
} topic_state;

static pst_rc bind_topic(pst_predicate *predicate, const char **setting, pst_err *err)
{
    const text_conf *conf = predicate->group.conf;
    topic_state *state = pst_calloc(1, sizeof *state);
    *setting = "pattern";
    if (!state)
        return pst_fail_nomem(err, "the transforms");
    predicate->state = state;
    pst_rc rc = pst_regex_new(&state->regex, conf->text, err);
    if (rc == PST_OK)
        state->matches = pst_regex_matches(state->regex, PST_SV(""));
    return rc;
}

static pst_rc test_topic(pst_predicate *predicate, const pst_run *run, bool *out,
                         pst_err *err)
{
    topic_state *state = predicate->state;
    const char *topic = run->msg->topic;
    (void)err;
    if (strcmp(state->last, topic) != 0) {
        state->matches = pst_regex_matches(state->regex, pst_sv_of(topic));
        snprintf(state->last, sizeof state->last, "%s", topic);
    }
    *out = state->matches;
    return PST_OK;
}

static void done_topic(pst_predicate *predicate)
{
    topic_state *state = predicate->state;
    if (state)
        pst_regex_free(state->regex);
}

static const pst_predicate_kind topic_matches = {
    .name = "TopicNameMatches",
    .section = &topic_section,
    .conf_size = sizeof(text_conf),
    .bind = bind_topic,
    .test = test_topic,
    .done = done_topic,
};

/* ---- HasHeaderKey ---- */

static const pst_setting header_rows[] = {
    {.name = "name",
     .type = PST_CONF_STRING,
     .offset = offsetof(text_conf, text),
     .flags = PST_CONF_REQUIRED | PST_CONF_RAW,
     .doc = "The header that the record is to have."},
};

static const pst_conf_section header_section = {.rows = header_rows, .n_rows = 1};

static pst_rc test_header(pst_predicate *predicate, const pst_run *run, bool *out,
                          pst_err *err)
{
    const text_conf *conf = predicate->group.conf;
    pst_sv key, value, name = pst_sv_of(conf->text);
    *out = false;
    if (!run->msg->headers || !run->header_at)
        return PST_OK;
    for (size_t i = 0; !*out; i++) {
        pst_rc rc = run->header_at(run->msg->headers, i, &key, &value);
        if (rc == PST_E_NOT_FOUND)
            return PST_OK;
        if (rc == PST_E_INVALID)
            return pst_fail(err, rc, "the record's headers can't be parsed");
        if (rc != PST_OK)
            return pst_fail_nomem(err, "a record's headers");
        *out = pst_sv_eq(key, name);
    }
    return PST_OK;
}

static const pst_predicate_kind has_header = {
    .name = "HasHeaderKey",
    .section = &header_section,
    .conf_size = sizeof(text_conf),
    .headers = true,
    .test = test_header,
};

/* ---- RecordIsTombstone ---- */

static pst_rc test_tombstone(pst_predicate *predicate, const pst_run *run, bool *out,
                             pst_err *err)
{
    (void)predicate;
    (void)err;
    *out = run->msg->value.p == NULL;
    return PST_OK;
}

static const pst_predicate_kind is_tombstone = {
    .name = "RecordIsTombstone",
    .test = test_tombstone,
};

const pst_predicate_kind *const pst_predicate_kinds[] = {&topic_matches, &has_header,
                                                         &is_tombstone, NULL};
