/*
 * test_chain.c - the chain's safety rules 1 to 9, one by one, against a store in memory.
 */
#include "chain_run.h"

typedef struct fixture {
    fake_store *store;
    fake_clock clock;
    pst_chain_conf conf;
    pst_chain chain;
    pst_sink_host host;
    int64_t committed; /* what the host's group says */
    char metadata[PST_KAFKA_METADATA_MAX];
    int asked;
    int64_t sleep_in_answer_ms;
    int32_t partitions; /* of the topic, as Kafka says now */
    int64_t high;       /* of the partition, now */
} fixture;

static pst_rc host_commits(void *self, pst_tp *tps, size_t n,
                           char (*metadata)[PST_KAFKA_METADATA_MAX], pst_err *err)
{
    (void)err;
    fixture *f = self;
    f->asked++;
    for (size_t i = 0; i < n; i++) {
        tps[i].offset = f->committed;
        memcpy(metadata[i], f->metadata, sizeof f->metadata);
    }
    fake_clock_add(&f->clock, f->sleep_in_answer_ms);
    return PST_OK;
}

static pst_rc host_partitions(void *self, const char *topic, int32_t *n, pst_err *err)
{
    (void)topic, (void)err;
    *n = ((fixture *)self)->partitions;
    return PST_OK;
}

static pst_rc host_watermarks(void *self, const char *topic, int32_t partition,
                              int64_t *low, int64_t *high, pst_err *err)
{
    (void)topic, (void)partition, (void)err;
    *low = 0;
    *high = ((fixture *)self)->high;
    return PST_OK;
}

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    f->store = fake_new();
    fake_clock_init(&f->clock);
    f->committed = PST_OFFSET_NONE;
    f->partitions = 4;
    f->host = (pst_sink_host){.commits = host_commits,
                              .watermarks = host_watermarks,
                              .partitions = host_partitions,
                              .self = f};
    f->conf = chain_conf(f->store, &f->clock, "topics", &f->host);
    f->conf.cluster = "c1";
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    fake_free(f->store);
    free(f);
    return 0;
}

static pst_log_facts facts_of(int64_t committed, const char *metadata, int64_t low,
                              int64_t high)
{
    return (pst_log_facts){
        .committed = committed, .metadata = metadata, .low = low, .high = high};
}

static pst_rc recover(fixture *f, pst_chain *chain, pst_log_facts facts,
                      pst_resume *resume, pst_err *err)
{
    pst_err_clear(err);
    assert_int_equal(pst_chain_init(chain, &f->conf, "users", 0, err), PST_OK);
    facts.asked_ms = f->clock.mono;
    return pst_chain_recover(chain, &facts, resume, err);
}

static void fill(pst_window *window, const char *text, int64_t next, int64_t last)
{
    static int batches;
    memset(window, 0, sizeof *window);
    assert_int_equal(pst_chunks_add(&window->bytes, text, strlen(text)), PST_OK);
    window->next = next;
    window->rows = window->records = 1;
    window->last = (pst_last){.offset = last, .timestamp_ms = 77, .crc32c = 0xabcdef01};
    snprintf(window->batch, sizeof window->batch, "%032d", ++batches);
}

static pst_rc append(pst_chain *chain, const char *text, int64_t next, int64_t last,
                     pst_outcome *outcome, pst_err *err)
{
    pst_window window;
    fill(&window, text, next, last);
    pst_err_clear(err);
    pst_rc rc = pst_chain_append(chain, &window, outcome, NULL, 0, err);
    pst_chunks_done(&window.bytes);
    return rc;
}

static void must_append(pst_chain *chain, int64_t next, pst_outcome expected)
{
    pst_err err = PST_ERR_INIT;
    pst_outcome outcome;
    assert_int_equal(append(chain, "row\n", next, next - 1, &outcome, &err), PST_OK);
    assert_int_equal(outcome, expected);
}

#define KEY(n) "topics/users/partition=0/users+0+" n ".csv"
#define KEY_0 KEY("00000000000000000000")
#define KEY_5 KEY("00000000000000000005")
#define ROOT "topics/_penstock/users/0/root.json"

/* Rule 1: the root is created once; who comes later uses it, whatever the log says now.
 */
static void rule_1_root_is_agreed(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_resume resume;
    pst_chain other;
    assert_int_equal(recover(f, &f->chain, facts_of(-1, "", 5, 100), &resume, &err),
                     PST_OK);
    assert_int_equal(resume.take_from, 5);
    assert_non_null(fake_find(f->store, ROOT));
    assert_non_null(strstr(fake_find(f->store, ROOT)->bytes, "\"start\":5"));
    f->conf.fail_on_data_loss = false;
    assert_int_equal(recover(f, &other, facts_of(-1, "", 9, 100), &resume, &err), PST_OK);
    assert_int_equal(other.start, 5);
    assert_int_equal(resume.lost, 4);
}

/* Rule 1: the loser of the race for the root takes the winner's. */
static void rule_1_loser_takes_the_winners_root(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_resume resume;
    pst_chain other;
    assert_int_equal(recover(f, &other, facts_of(-1, "", 5, 100), &resume, &err), PST_OK);
    /* The other's root comes between our look for one and our PUT. */
    fake_break(f->store,
               (fake_fault){
                   .op = "get", .times = 2, .code = PST_E_NOT_FOUND, .on = "/root.json"});
    assert_int_equal(recover(f, &f->chain, facts_of(-1, "", 50, 100), &resume, &err),
                     PST_E_CHAIN); /* 45 offsets expired: told, not skipped */
    assert_int_equal(f->chain.start, 5);
}

static void rule_1_latest_and_later_partitions(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_resume resume;
    f->conf.reset = PST_RESET_LATEST;
    assert_int_equal(recover(f, &f->chain, facts_of(-1, "", 0, 42), &resume, &err),
                     PST_OK);
    assert_int_equal(resume.take_from, 42);
    /* Partition 9 was not there when the connector first saw the topic (4 partitions). */
    pst_chain later;
    pst_log_facts facts = facts_of(-1, "", 0, 42);
    f->partitions = 10;
    assert_int_equal(pst_chain_init(&later, &f->conf, "users", 9, &err), PST_OK);
    assert_int_equal(pst_chain_recover(&later, &facts, &resume, &err), PST_OK);
    assert_int_equal(resume.take_from, 0);
}

static void rule_1_another_cluster_stops(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_resume resume;
    assert_int_equal(recover(f, &f->chain, facts_of(-1, "", 0, 10), &resume, &err),
                     PST_OK);
    f->conf.cluster = "c2";
    assert_int_equal(recover(f, &f->chain, facts_of(-1, "", 0, 10), &resume, &err),
                     PST_E_CHAIN);
    assert_non_null(strstr(err.text, "cluster \"c1\", this is cluster \"c2\""));
    assert_non_null(strstr(err.text, "topics.dir"));
    assert_false(err.retriable);
}

/* Rule 2: the key is the chain's position, not the first record's offset. */
static void rule_2_key_is_the_chain_position(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_resume resume;
    assert_int_equal(recover(f, &f->chain, facts_of(-1, "", 0, 100), &resume, &err),
                     PST_OK);
    must_append(&f->chain, 5, PST_APPENDED);
    /* Records 5 to 19 are compacted away: the first record is 20, the key says 5. */
    must_append(&f->chain, 25, PST_APPENDED);
    assert_non_null(fake_find(f->store, KEY_0));
    const fake_object *second = fake_find(f->store, KEY_5);
    assert_non_null(second);
    assert_string_equal(pst_store_meta_get(&second->meta, "penstock-next"), "25");
    assert_string_equal(pst_store_meta_get(&second->meta, "penstock-group"), "connect-a");
    assert_string_equal(pst_store_meta_get(&second->meta, "penstock-last"),
                        "24:77:abcdef01");
}

/* Rule 3: of two writers one takes the position; nothing is overwritten. */
static void rule_3_one_writer_takes_a_position(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_resume resume;
    pst_chain other;
    assert_int_equal(recover(f, &f->chain, facts_of(-1, "", 0, 100), &resume, &err),
                     PST_OK);
    assert_int_equal(recover(f, &other, facts_of(-1, "", 0, 100), &resume, &err), PST_OK);
    pst_outcome outcome;
    assert_int_equal(append(&f->chain, "first\n", 7, 6, &outcome, &err), PST_OK);
    assert_int_equal(outcome, PST_APPENDED);
    assert_int_equal(append(&other, "second\n", 9, 8, &outcome, &err), PST_OK);
    assert_int_equal(outcome, PST_ADOPTED);
    assert_string_equal(fake_find(f->store, KEY_0)->bytes, "first\n");
    assert_int_equal(other.pos, 7);
    assert_int_equal(other.last.offset, 6);
}

/* Rule 4: a lost answer to my own PUT is not a second object. */
static void rule_4_own_lost_answer(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_resume resume;
    assert_int_equal(recover(f, &f->chain, facts_of(-1, "", 0, 100), &resume, &err),
                     PST_OK);
    fake_break(f->store, (fake_fault){.op = "put",
                                      .times = 1,
                                      .code = PST_E_IO,
                                      .retriable = true,
                                      .applied = true});
    pst_window window;
    pst_outcome outcome;
    fill(&window, "row\n", 5, 4);
    assert_int_equal(pst_chain_append(&f->chain, &window, &outcome, NULL, 0, &err),
                     PST_E_IO);
    assert_true(err.retriable);
    assert_int_equal(f->chain.pos, 0); /* rule 5: an unknown outcome moves nothing */
    pst_err_clear(&err);
    assert_int_equal(pst_chain_append(&f->chain, &window, &outcome, NULL, 0, &err),
                     PST_OK);
    assert_int_equal(outcome, PST_APPENDED);
    assert_int_equal(f->chain.pos, 5);
    pst_chunks_done(&window.bytes);
}

static void rule_4_not_mine_stops(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_resume resume;
    assert_int_equal(recover(f, &f->chain, facts_of(-1, "", 0, 100), &resume, &err),
                     PST_OK);
    must_append(&f->chain, 5, PST_APPENDED);
    /* A connector copied under a new name meets the root first. */
    f->conf.group = "connect-b";
    pst_chain other;
    assert_int_equal(recover(f, &other, facts_of(-1, "", 0, 100), &resume, &err),
                     PST_E_CHAIN);
    assert_non_null(strstr(err.text, "connect-a"));
    assert_non_null(strstr(err.text, "connect-b"));
    assert_non_null(strstr(err.text, "chain.take.over.from=a"));
    /* Renamed on purpose: it goes on at the end. */
    f->conf.take_over_from = "connect-a";
    assert_int_equal(recover(f, &other, facts_of(-1, "", 0, 100), &resume, &err), PST_OK);
    assert_int_equal(resume.take_from, 5);
}

/* Rule 4: the same at a 412, where no root is looked at. */
static void rule_4_not_mine_at_412_stops(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_resume resume;
    assert_int_equal(recover(f, &f->chain, facts_of(-1, "", 0, 100), &resume, &err),
                     PST_OK);
    pst_store_meta meta = {.n = 0};
    pst_store_put put = {.key = KEY_0, .bytes = PST_SV("foreign"), .meta = &meta};
    assert_int_equal(fake_put(&f->store->base, &put, &err), PST_OK);
    pst_outcome outcome;
    assert_int_equal(append(&f->chain, "row\n", 5, 4, &outcome, &err), PST_E_CHAIN);
    assert_non_null(strstr(err.text, "no metadata"));
    assert_string_equal(fake_find(f->store, KEY_0)->bytes, "foreign");
}

static void rule_4_taken_then_gone_is_tried_again(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_resume resume;
    pst_chain other;
    assert_int_equal(recover(f, &f->chain, facts_of(-1, "", 0, 100), &resume, &err),
                     PST_OK);
    assert_int_equal(recover(f, &other, facts_of(-1, "", 0, 100), &resume, &err), PST_OK);
    must_append(&other, 3, PST_APPENDED);
    f->store->vanish = true;
    pst_outcome outcome;
    assert_int_equal(append(&f->chain, "row\n", 5, 4, &outcome, &err), PST_E_IO);
    assert_true(err.retriable);
    must_append(&f->chain, 5, PST_APPENDED);
}

/* Rule 6: the commit's metadata keeps the chain position of windows without rows. */
static void rule_6_metadata_keeps_the_position(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_resume resume;
    char metadata[PST_KAFKA_METADATA_MAX];
    assert_int_equal(recover(f, &f->chain, facts_of(-1, "", 0, 100), &resume, &err),
                     PST_OK);
    must_append(&f->chain, 5, PST_APPENDED);
    f->chain.last = (pst_last){.offset = 19, .timestamp_ms = 3, .crc32c = 0xff};
    pst_chain_metadata(&f->chain, metadata);
    /* 5 to 19 were tombstones: committed 20, the chain stays at 5. */
    pst_chain again;
    assert_int_equal(recover(f, &again, facts_of(20, metadata, 0, 100), &resume, &err),
                     PST_OK);
    assert_int_equal(again.pos, 5);
    assert_int_equal(resume.take_from, 20);
    assert_int_equal(resume.read_from, 19);
    assert_int_equal(resume.check.crc32c, 0xff);
    must_append(&again, 30, PST_APPENDED);
    assert_non_null(fake_find(f->store, KEY_5));
}

/* Rule 6: an adopted end below the committed offset does not take the reader back. */
static void rule_6_reader_stays_where_the_commit_is(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_resume resume;
    assert_int_equal(recover(f, &f->chain, facts_of(-1, "", 0, 100), &resume, &err),
                     PST_OK);
    must_append(&f->chain, 5, PST_APPENDED);
    const char *metadata =
        "penstock/1 pos=0 last=11:1:00000001 layout=topics/DefaultPartitioner.csv";
    assert_int_equal(recover(f, &f->chain, facts_of(12, metadata, 0, 100), &resume, &err),
                     PST_OK);
    assert_int_equal(f->chain.pos, 5);
    assert_int_equal(resume.take_from, 12);
}

/* Rule 7: without a commit the chain itself is the truth, however long. */
static void rule_7_end_is_found_without_a_commit(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_resume resume;
    assert_int_equal(recover(f, &f->chain, facts_of(-1, "", 0, 10000), &resume, &err),
                     PST_OK);
    for (int64_t next = 3; next <= 3 * 2500; next += 3)
        must_append(&f->chain, next, PST_APPENDED);
    f->store->lists = 0;
    assert_int_equal(recover(f, &f->chain, facts_of(-1, "", 0, 10000), &resume, &err),
                     PST_OK);
    assert_int_equal(resume.take_from, 7500);
    assert_true(f->store->lists <= 14); /* bisected, not walked from page to page */
    /* With our commit: one LIST. */
    char metadata[PST_KAFKA_METADATA_MAX];
    pst_chain_metadata(&f->chain, metadata);
    f->store->lists = f->store->heads = 0;
    assert_int_equal(
        recover(f, &f->chain, facts_of(7500, metadata, 0, 10000), &resume, &err), PST_OK);
    assert_int_equal(f->store->lists, 1);
    assert_int_equal(f->store->heads, 0);
    assert_int_equal(resume.take_from, 7500);
}

/* Rule 7: killed between PUT and commit: the object after the committed position counts.
 */
static void rule_7_object_after_the_commit(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_resume resume;
    char metadata[PST_KAFKA_METADATA_MAX];
    assert_int_equal(recover(f, &f->chain, facts_of(-1, "", 0, 100), &resume, &err),
                     PST_OK);
    must_append(&f->chain, 5, PST_APPENDED);
    pst_chain_metadata(&f->chain, metadata);
    must_append(&f->chain, 8, PST_APPENDED);
    assert_int_equal(recover(f, &f->chain, facts_of(5, metadata, 0, 100), &resume, &err),
                     PST_OK);
    assert_int_equal(resume.take_from, 8);
}

static void rule_7_rewound_group_stops(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_resume resume;
    assert_int_equal(recover(f, &f->chain, facts_of(-1, "", 0, 100), &resume, &err),
                     PST_OK);
    must_append(&f->chain, 5, PST_APPENDED);
    must_append(&f->chain, 9, PST_APPENDED);
    int64_t rewound[] = {0, 3, 5, 8};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(
            recover(f, &f->chain, facts_of(rewound[i], "", 0, 100), &resume, &err),
            PST_E_CHAIN);
        assert_non_null(strstr(err.text, "would double records"));
        assert_non_null(strstr(err.text, "Reset the group to 9 or later"));
    }
    /* Set forward by a tool: taken as said; the next object covers the gap. */
    assert_int_equal(recover(f, &f->chain, facts_of(20, "", 0, 100), &resume, &err),
                     PST_OK);
    assert_int_equal(resume.take_from, 20);
    assert_int_equal(f->chain.pos, 9);
}

/* Rule 8: the chain's end beyond the log's end is another log. */
static void rule_8_end_beyond_the_log_stops(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_resume resume;
    char metadata[PST_KAFKA_METADATA_MAX];
    assert_int_equal(recover(f, &f->chain, facts_of(-1, "", 0, 100), &resume, &err),
                     PST_OK);
    must_append(&f->chain, 50, PST_APPENDED);
    pst_chain_metadata(&f->chain, metadata);
    /* An answer from before the other writer's object is no other log. */
    f->high = 60;
    assert_int_equal(recover(f, &f->chain, facts_of(-1, "", 0, 20), &resume, &err),
                     PST_OK);
    assert_int_equal(resume.take_from, 50);
    f->high = 20;
    assert_int_equal(recover(f, &f->chain, facts_of(-1, "", 0, 20), &resume, &err),
                     PST_E_CHAIN);
    assert_non_null(strstr(err.text, "made anew"));
    /* The same by the commit alone, the objects having been moved away. */
    fake_delete(&f->store->base, KEY_0, &err);
    assert_int_equal(recover(f, &f->chain, facts_of(50, metadata, 0, 20), &resume, &err),
                     PST_E_CHAIN);
}

/* Rule 8: reading resumes at the last landed record, which is then compared. */
static void rule_8_last_record_is_to_be_checked(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_resume resume;
    assert_int_equal(recover(f, &f->chain, facts_of(-1, "", 0, 100), &resume, &err),
                     PST_OK);
    must_append(&f->chain, 50, PST_APPENDED);
    assert_int_equal(recover(f, &f->chain, facts_of(-1, "", 10, 100), &resume, &err),
                     PST_OK);
    assert_int_equal(resume.read_from, 49);
    assert_int_equal(resume.take_from, 50);
    assert_int_equal(resume.check.offset, 49);
    assert_int_equal(resume.check.timestamp_ms, 77);
    /* Gone by retention: go on. */
    assert_int_equal(recover(f, &f->chain, facts_of(-1, "", 50, 100), &resume, &err),
                     PST_OK);
    assert_int_equal(resume.read_from, 50);
    assert_int_equal(resume.check.offset, -1);
}

static void rule_8_data_loss_is_told_or_counted(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_resume resume;
    assert_int_equal(recover(f, &f->chain, facts_of(-1, "", 0, 100), &resume, &err),
                     PST_OK);
    must_append(&f->chain, 50, PST_APPENDED);
    assert_int_equal(recover(f, &f->chain, facts_of(-1, "", 60, 100), &resume, &err),
                     PST_E_CHAIN);
    assert_non_null(strstr(err.text, "offsets 50 to 59 of users-0 expired"));
    assert_non_null(strstr(err.text, "failOnDataLoss=false"));
    f->conf.fail_on_data_loss = false;
    assert_int_equal(recover(f, &f->chain, facts_of(-1, "", 60, 100), &resume, &err),
                     PST_OK);
    assert_int_equal(resume.lost, 10);
    assert_int_equal(resume.take_from, 60);
    assert_int_equal(f->chain.pos, 50); /* the next object covers the hole */
}

/* Rule 9: who slept asks the group before the PUT, and dates the PUT before it asks. */
static void rule_9_sleeper_asks_first(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_resume resume;
    pst_chain other;
    assert_int_equal(recover(f, &f->chain, facts_of(-1, "", 0, 100), &resume, &err),
                     PST_OK);
    assert_int_equal(recover(f, &other, facts_of(-1, "", 0, 100), &resume, &err), PST_OK);
    must_append(&other, 5, PST_APPENDED);
    f->committed = 5;
    /* The object is moved away by a loader: only the commit still tells. */
    fake_delete(&f->store->base, KEY_0, &err);
    fake_clock_add(&f->clock, 10001);
    must_append(&f->chain, 4, PST_PASSED);
    assert_null(fake_find(f->store, KEY_0));
    assert_int_equal(f->chain.pos, 0);
}

static void rule_9_no_question_while_confirmed(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_resume resume;
    assert_int_equal(recover(f, &f->chain, facts_of(-1, "", 0, 100), &resume, &err),
                     PST_OK);
    fake_clock_add(&f->clock, 10000);
    must_append(&f->chain, 5, PST_APPENDED);
    assert_int_equal(f->asked, 0);
    pst_chain_confirm(&f->chain, f->clock.mono);
    fake_clock_add(&f->clock, 10001);
    f->committed = 5;
    int64_t dated = f->clock.wall;
    must_append(&f->chain, 9, PST_APPENDED);
    assert_int_equal(f->asked, 1);
    assert_int_equal(f->store->last_dated_ms, dated);
}

/* Rule 9: an answer is as old as its question. The sleeper asks, sleeps again before it
   reads the answer, and the PUT is refused for its date: the next try asks anew. */
static void rule_9_an_answer_is_as_old_as_its_question(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_resume resume;
    pst_outcome outcome;
    assert_int_equal(recover(f, &f->chain, facts_of(-1, "", 0, 100), &resume, &err),
                     PST_OK);
    f->committed = 0;
    fake_clock_add(&f->clock, 20000);
    f->sleep_in_answer_ms = 3600000;
    fake_break(
        f->store,
        (fake_fault){.op = "put", .times = 1, .code = PST_E_IO, .retriable = true});
    assert_int_equal(append(&f->chain, "row\n", 4, 3, &outcome, &err), PST_E_IO);
    f->sleep_in_answer_ms = 0;
    f->committed = 5; /* the group went on during the hour, and the objects were moved */
    must_append(&f->chain, 4, PST_PASSED);
    assert_int_equal(f->asked, 2);
    assert_null(fake_find(f->store, KEY_0));
}

/* Rule 9: a clock that stood still does not vouch for itself: S3 refused its date. */
static void rule_9_a_refused_date_asks_again(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_resume resume;
    pst_outcome outcome;
    assert_int_equal(recover(f, &f->chain, facts_of(-1, "", 0, 100), &resume, &err),
                     PST_OK);
    fake_break(
        f->store,
        (fake_fault){
            .op = "put", .times = 1, .code = PST_E_IO, .retriable = true, .status = 403});
    int64_t before = f->clock.mono;
    fake_clock_add(&f->clock, 1);
    assert_int_equal(append(&f->chain, "row\n", 4, 3, &outcome, &err), PST_E_IO);
    assert_int_equal(f->asked, 0);
    pst_chain_confirm(&f->chain, before); /* an answer that lay there while we slept */
    f->committed = 5;
    must_append(&f->chain, 4, PST_PASSED);
    assert_int_equal(f->asked, 1);
}

/* Rules 6, 9 and 10: a commit of a later version may name a layout that only that version
   can find. */
static void an_unknown_layout_is_not_passed_over(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_resume resume;
    static const char metadata[] =
        "penstock/1 pos=5 last=4:1:00000001 layout=topics/OddPartitioner.csv";
    assert_int_equal(recover(f, &f->chain, facts_of(-1, "", 0, 100), &resume, &err),
                     PST_OK);
    f->committed = f->chain.pos;
    snprintf(f->metadata, sizeof f->metadata, "%s", metadata);
    fake_clock_add(&f->clock, 20000);
    must_append(&f->chain, 4, PST_PASSED);
    assert_int_equal(recover(f, &f->chain, facts_of(5, metadata, 0, 100), &resume, &err),
                     PST_E_CHAIN);
    assert_non_null(strstr(err.text, "this version does not know"));
}

/* Rule 9: a group that was forgotten confirms nothing. */
static void rule_9_no_commit_is_no_confirmation(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_resume resume;
    assert_int_equal(recover(f, &f->chain, facts_of(-1, "", 0, 100), &resume, &err),
                     PST_OK);
    f->committed = PST_OFFSET_NONE;
    fake_clock_add(&f->clock, 20000);
    must_append(&f->chain, 4, PST_PASSED);
}

/* A tool that copies commits between clusters copies our text with another offset. */
static void metadata_beyond_its_offset_is_not_ours(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_resume resume;
    assert_int_equal(recover(f, &f->chain, facts_of(-1, "", 0, 100), &resume, &err),
                     PST_OK);
    must_append(&f->chain, 5, PST_APPENDED);
    const char *metadata = "penstock/1 pos=90 last=89:1:00000001 layout=x";
    assert_int_equal(recover(f, &f->chain, facts_of(20, metadata, 0, 100), &resume, &err),
                     PST_OK);
    assert_int_equal(f->chain.pos, 5);
    assert_int_equal(resume.take_from, 20);
    assert_int_equal(resume.check.offset, 4);
}

static void store_without_conditions_never_overwrites(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_resume resume;
    f->conf.conditional = false;
    f->store->unconditional = true;
    assert_int_equal(recover(f, &f->chain, facts_of(-1, "", 0, 100), &resume, &err),
                     PST_OK);
    must_append(&f->chain, 5, PST_APPENDED);
    must_append(&f->chain, 9, PST_APPENDED);
    assert_non_null(
        fake_find(f->store, KEY("00000000000000000000-00000000000000000005")));
    assert_int_equal(recover(f, &f->chain, facts_of(-1, "", 0, 100), &resume, &err),
                     PST_OK);
    assert_int_equal(resume.take_from, 9);
}

/* Two writers at once: what cannot be prevented there is told, and the chain goes on. */
static void two_writers_without_conditions(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_resume resume;
    pst_chain other;
    f->conf.conditional = false;
    f->store->unconditional = true;
    pst_log_facts facts = facts_of(-1, "", 0, 100);
    assert_int_equal(recover(f, &f->chain, facts, &resume, &err), PST_OK);
    assert_int_equal(recover(f, &other, facts, &resume, &err), PST_OK);
    must_append(&other, 7, PST_APPENDED);
    must_append(&f->chain, 5, PST_APPENDED);
    assert_int_equal(recover(f, &f->chain, facts, &resume, &err), PST_OK);
    assert_int_equal(resume.take_from, 7);
    f->conf.conditional = true; /* there it can't be: one of them is a copy */
    assert_int_equal(recover(f, &f->chain, facts, &resume, &err), PST_E_CHAIN);
    assert_non_null(strstr(err.text, "begin at one offset"));
}

static void flat_layout_has_no_folders(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_resume resume;
    f->conf.layout = PST_LAYOUT_FLAT;
    assert_int_equal(recover(f, &f->chain, facts_of(-1, "", 0, 100), &resume, &err),
                     PST_OK);
    must_append(&f->chain, 5, PST_APPENDED);
    assert_non_null(fake_find(f->store, "topics/users+0+00000000000000000000.csv"));
    /* Rule 10's pin: the same chain, to be left by a seal (test_chain_seal.c). */
    f->conf.layout = PST_LAYOUT_DEFAULT;
    assert_int_equal(recover(f, &f->chain, facts_of(-1, "", 0, 100), &resume, &err),
                     PST_OK);
    assert_int_equal(resume.take_from, 5);
    assert_int_equal(f->chain.at.layout, PST_LAYOUT_FLAT);
}

static void neighbours_are_not_taken_for_the_chain(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_resume resume;
    const char *keys[] = {"topics/users/partition=0/users+0+5.csv",
                          "topics/users/partition=0/users+0+00000000000000000099",
                          "topics/users/partition=0/users+0+0000000000000000009x.csv",
                          "topics/users/partition=00/users+0+00000000000000000099.csv",
                          "topics/users2/partition=0/users2+0+00000000000000000099.csv"};
    for (size_t i = 0; i < 5; i++) {
        pst_store_put put = {.key = keys[i], .bytes = PST_SV("x")};
        assert_int_equal(fake_put(&f->store->base, &put, &err), PST_OK);
    }
    assert_int_equal(recover(f, &f->chain, facts_of(-1, "", 0, 100), &resume, &err),
                     PST_OK);
    assert_int_equal(resume.take_from, 0);
}

static void metadata_of_others_is_not_ours(void **state)
{
    (void)state;
    const char *bad[] = {"",
                         "x",
                         "penstock/1",
                         "penstock/1 ",
                         "penstock/1 pos=x last=1:2:3",
                         "penstock/1 pos=-5",
                         "penstock/2 pos=1",
                         "penstock/1 last=1:2:00000000",
                         "penstock/1 pos=1 last=1:2:0000000g",
                         "penstock/1 pos=1 last=1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t pos = -7;
        pst_last last = PST_LAST_NONE;
        assert_false(pst_chain_parse_metadata(bad[i], &pos, &last));
        assert_int_equal(pos, -7);
    }
    int64_t pos;
    pst_last last;
    assert_true(pst_chain_parse_metadata("penstock/1 pos=12 last=11:-1:deadbeef later=1",
                                         &pos, &last));
    assert_int_equal(pos, 12);
    assert_int_equal(last.timestamp_ms, -1);
    assert_int_equal(last.crc32c, 0xdeadbeef);
}

/* Every remote call of a recovery fails once, in turn: an error is told, and the next try
   gives the same result. */
static void recovery_survives_each_failing_call(void **state)
{
    fixture *f = *state;
    pst_err err = PST_ERR_INIT;
    pst_resume resume;
    assert_int_equal(recover(f, &f->chain, facts_of(-1, "", 0, 100), &resume, &err),
                     PST_OK);
    must_append(&f->chain, 5, PST_APPENDED);
    const char *ops[] = {"get", "list", "head"};
    for (size_t i = 0; i < 3; i++) {
        fake_break(
            f->store,
            (fake_fault){.op = ops[i], .times = 1, .code = PST_E_IO, .retriable = true});
        assert_int_equal(recover(f, &f->chain, facts_of(-1, "", 0, 100), &resume, &err),
                         PST_E_IO);
        assert_true(err.retriable);
        assert_int_equal(recover(f, &f->chain, facts_of(-1, "", 0, 100), &resume, &err),
                         PST_OK);
        assert_int_equal(resume.take_from, 5);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rule_1_root_is_agreed),
        TEST(rule_1_loser_takes_the_winners_root),
        TEST(rule_1_latest_and_later_partitions),
        TEST(rule_1_another_cluster_stops),
        TEST(rule_2_key_is_the_chain_position),
        TEST(rule_3_one_writer_takes_a_position),
        TEST(rule_4_own_lost_answer),
        TEST(rule_4_not_mine_stops),
        TEST(rule_4_not_mine_at_412_stops),
        TEST(rule_4_taken_then_gone_is_tried_again),
        TEST(rule_6_metadata_keeps_the_position),
        TEST(rule_6_reader_stays_where_the_commit_is),
        TEST(rule_7_end_is_found_without_a_commit),
        TEST(rule_7_object_after_the_commit),
        TEST(rule_7_rewound_group_stops),
        TEST(rule_8_end_beyond_the_log_stops),
        TEST(rule_8_last_record_is_to_be_checked),
        TEST(rule_8_data_loss_is_told_or_counted),
        TEST(rule_9_sleeper_asks_first),
        TEST(rule_9_no_question_while_confirmed),
        TEST(rule_9_an_answer_is_as_old_as_its_question),
        TEST(rule_9_a_refused_date_asks_again),
        TEST(an_unknown_layout_is_not_passed_over),
        TEST(rule_9_no_commit_is_no_confirmation),
        TEST(metadata_beyond_its_offset_is_not_ours),
        TEST(store_without_conditions_never_overwrites),
        TEST(two_writers_without_conditions),
        TEST(flat_layout_has_no_folders),
        TEST(neighbours_are_not_taken_for_the_chain),
        TEST(metadata_of_others_is_not_ours),
        TEST(recovery_survives_each_failing_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
