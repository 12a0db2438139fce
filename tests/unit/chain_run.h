/*
 * chain_run.h - what the tests of the chain share: settings, opening, one more object.
 */
#ifndef PST_TESTS_CHAIN_RUN_H
#define PST_TESTS_CHAIN_RUN_H

#include "fake_store.h"

#include "runtime/chain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Connector "a" on cluster "c", below `dir`. */
static inline pst_chain_conf chain_conf(fake_store *store, fake_clock *clock,
                                        const char *dir, const pst_sink_host *host)
{
    return (pst_chain_conf){.store = &store->base,
                            .clock = &clock->clock,
                            .topics_dir = dir,
                            .extension = ".csv",
                            .content_type = "text/csv",
                            .group = "connect-a",
                            .cluster = "c",
                            .schema = "0123456789abcdef",
                            .fail_on_data_loss = true,
                            .conditional = true,
                            .session_timeout_ms = 10000,
                            .host = host};
}

/* Partition 0 of topic "u" is opened, as a task does; the log ends at 100000. */
static inline pst_rc chain_open(pst_chain *chain, const pst_chain_conf *conf,
                                int64_t committed, const char *metadata,
                                pst_resume *resume, pst_err *err)
{
    pst_log_facts facts = {.committed = committed,
                           .metadata = metadata,
                           .high = 100000,
                           .asked_ms = pst_mono_ms(conf->clock)};
    pst_err_clear(err);
    assert_int_equal(pst_chain_init(chain, conf, "u", 0, err), PST_OK);
    return pst_chain_recover(chain, &facts, resume, err);
}

/* A window of one row up to `next` is put. */
static inline pst_rc chain_put(pst_chain *chain, int64_t next, pst_outcome *outcome,
                               pst_err *err)
{
    static int batches;
    pst_window window = {.next = next, .rows = 1, .records = 1};
    assert_int_equal(pst_chunks_add(&window.bytes, "row\n", 4), PST_OK);
    window.last = (pst_last){next - 1, 77, 0xabcdef01};
    snprintf(window.batch, sizeof window.batch, "%032d", ++batches);
    pst_err_clear(err);
    pst_rc rc = pst_chain_append(chain, &window, outcome, NULL, 0, err);
    pst_chunks_done(&window.bytes);
    return rc;
}

static inline void chain_must_put(pst_chain *chain, int64_t next, pst_outcome expected)
{
    pst_err err = PST_ERR_INIT;
    pst_outcome outcome;
    pst_rc rc = chain_put(chain, next, &outcome, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(rc, PST_OK);
    assert_int_equal(outcome, expected);
}

/* Opening was refused for good, for a reason that the text tells, and changed nothing. */
static inline void chain_refused(const fake_store *store, size_t before, pst_rc rc,
                                 const pst_err *err, const char *why)
{
    assert_int_equal(rc, PST_E_CHAIN);
    assert_false(err->retriable);
    if (!strstr(err->text, why))
        fail_msg("%s", err->text);
    assert_int_equal(store->n, before);
}

#endif
