/*
 * fuzz_chain.c - names of the chain: a commit's metadata and the keys of objects. What is
 * written comes back, and the order of keys is the order of offsets.
 *
 * First byte: 0 = metadata as read from Kafka, 1 = keys made from numbers, a topic and a
 * folder, 2 = a key as listed.
 */
#include "fuzz.h"
#include "runtime/chain_internal.h"

static const pst_store_driver by_key = {.name = "fuzz"}, by_link = {.links = true};

static void set_up(pst_chain *chain, pst_chain_conf *conf, const pst_store *store,
                   fuzz_input *in)
{
    unsigned how = fuzz_choose(in, 4);
    pst_err err = PST_ERR_INIT;
    *conf = (pst_chain_conf){.store = (pst_store *)(uintptr_t)store,
                             .topics_dir = "topics",
                             .layout = how & 1 ? PST_LAYOUT_FLAT : PST_LAYOUT_DEFAULT,
                             .extension = ".csv",
                             .conditional = (how & 2) == 0};
    FUZZ_CHECK(pst_chain_init(chain, conf, "users", 3, &err) == PST_OK);
}

static void metadata(fuzz_input *in)
{
    pst_store store = {&by_key};
    pst_chain_conf conf;
    pst_chain chain;
    set_up(&chain, &conf, &store, in);
    char *text = fuzz_string(fuzz_rest(in)), again[PST_KAFKA_METADATA_MAX];
    pst_last last;
    int64_t pos;
    bool empty;
    if (pst_chain_metadata_place(text, "d", &chain.at, &empty))
        FUZZ_CHECK(strlen(chain.at.dir) <= PST_TOPICS_DIR_MAX &&
                   chain.at.extension[0] == '.');
    if (pst_chain_parse_metadata(text, &chain.pos, &chain.last)) {
        FUZZ_CHECK(chain.pos >= 0);
        pst_chain_metadata(&chain, again);
        FUZZ_CHECK(pst_chain_parse_metadata(again, &pos, &last));
        FUZZ_CHECK(pos == chain.pos && last.offset == chain.last.offset);
        FUZZ_CHECK(last.timestamp_ms == chain.last.timestamp_ms);
        FUZZ_CHECK(last.crc32c == chain.last.crc32c);
    }
    pst_free(text);
}

static int64_t number(fuzz_input *in)
{
    uint64_t value = 0;
    for (int i = 0; i < 8 && in->n; i++, in->p++, in->n--)
        value = value << 8 | (unsigned char)*in->p;
    return (int64_t)(value & INT64_MAX);
}

/* As settings.c and Kafka allow it. */
static bool legal(const char *dir, const char *topic)
{
    size_t n = strlen(dir);
    return n <= 400 && !(n && (dir[0] == '/' || dir[n - 1] == '/')) && *topic &&
           strlen(topic) <= PST_TOPIC_MAX && !strpbrk(topic, "/+");
}

static void check_keys(const pst_chain *chain, int64_t start, int64_t other)
{
    char key[PST_STORE_KEY_MAX + 1], key2[PST_STORE_KEY_MAX + 1];
    char after[PST_STORE_KEY_MAX + 1];
    pst_err err = PST_ERR_INIT;
    int64_t found = -1;
    if (chain->conf->store->driver->links) {
        pst_chain_link(chain, start, key);
        pst_chain_link(chain, other, key2);
    } else if (pst_chain_key(chain, start, INT64_MAX, key, &err) != PST_OK ||
               pst_chain_key(chain, other, INT64_MAX, key2, &err) != PST_OK) {
        FUZZ_CHECK(err.code == PST_E_CONFIG);
        return;
    }
    FUZZ_CHECK(pst_chain_key_start(chain, key, &found) && found == start);
    FUZZ_CHECK(pst_chain_key_start(chain, key2, &found) && found == other);
    int order = strcmp(key, key2);
    FUZZ_CHECK(start < other ? order < 0 : start > other ? order > 0 : order == 0);
    pst_chain_after(chain, other, after);
    FUZZ_CHECK((strcmp(key, after) > 0) == (start >= other));
}

/* The layout comes back from a commit and from a seal; its links lie apart. */
static void check_place(pst_chain *chain, int64_t start)
{
    char text[PST_PLACE_TEXT_MAX], metadata[PST_KAFKA_METADATA_MAX];
    char key[PST_STORE_KEY_MAX + 1], key2[PST_STORE_KEY_MAX + 1];
    pst_place place;
    bool empty;
    chain->pos = chain->since = start;
    pst_chain_metadata(chain, metadata);
    FUZZ_CHECK(pst_chain_metadata_place(metadata, "x", &place, &empty) && empty);
    FUZZ_CHECK(pst_place_same(&place, &chain->at));
    pst_place_text(&chain->at, text);
    FUZZ_CHECK(pst_place_parse(text, &place) && pst_place_same(&place, &chain->at));
    pst_chain_link(chain, start, key);
    chain->at.first = false;
    pst_chain_link(chain, start, key2);
    FUZZ_CHECK(strcmp(key, key2) != 0);
}

static void keys(fuzz_input *in)
{
    pst_store store = {fuzz_choose(in, 2) ? &by_link : &by_key};
    pst_chain_conf conf;
    pst_chain chain;
    pst_err err = PST_ERR_INIT;
    set_up(&chain, &conf, &store, in);
    int64_t start = number(in), other = number(in);
    int32_t partition = (int32_t)(number(in) & INT32_MAX);
    char *dir = fuzz_string(fuzz_line(in)), *topic = fuzz_string(fuzz_rest(in));
    conf.topics_dir = dir;
    if (legal(dir, topic)) {
        /* A folder of many blanks does not fit into a commit. */
        if (pst_chain_init(&chain, &conf, topic, partition, &err) == PST_OK) {
            check_keys(&chain, start, other);
            check_place(&chain, start);
        } else {
            FUZZ_CHECK(err.code == PST_E_LIMIT && strlen(dir) > 200);
        }
    }
    pst_free(dir);
    pst_free(topic);
}

static void listed(fuzz_input *in)
{
    pst_store store = {fuzz_choose(in, 2) ? &by_link : &by_key};
    pst_chain_conf conf;
    pst_chain chain;
    int64_t start;
    pst_last last;
    set_up(&chain, &conf, &store, in);
    char *text = fuzz_string(fuzz_rest(in));
    if (pst_chain_key_start(&chain, text, &start))
        FUZZ_CHECK(start >= 0);
    (void)pst_chain_parse_last(text, &last);
    pst_free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = fuzz_begin(data, size);
    switch (fuzz_choose(&in, 3)) {
    case 0:
        metadata(&in);
        break;
    case 1:
        keys(&in);
        break;
    default:
        listed(&in);
    }
    return 0;
}
