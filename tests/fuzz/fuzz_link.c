/*
 * fuzz_link.c - link files of the directory store: any bytes are read without harm, and
 * what was written comes back.
 *
 * First byte: 0 = the rest is a link file, 1 = a link file is made of it: key, size,
 * then a metadata value a line. The parser is taken in as source: reading files would
 * cost most of the time.
 */
#include "fuzz.h"
#include "store/dirlink.c"

static bool parse(const pst_buf *text, pst_dir_link *out)
{
    *out = (pst_dir_link){0};
    return parse_link((pst_sv){text->data, text->len}, out);
}

static void check_same(const pst_dir_link *a, const pst_dir_link *b)
{
    FUZZ_CHECK(strcmp(a->key, b->key) == 0 && strcmp(a->temp, b->temp) == 0);
    FUZZ_CHECK(a->size == b->size && a->meta.n == b->meta.n);
    for (size_t i = 0; i < a->meta.n; i++) {
        FUZZ_CHECK(strcmp(a->meta.pairs[i].name, b->meta.pairs[i].name) == 0);
        FUZZ_CHECK(strcmp(a->meta.pairs[i].value, b->meta.pairs[i].value) == 0);
    }
}

static void read_any(pst_sv text)
{
    pst_dir_link link = {0};
    if (!parse_link(text, &link))
        return;
    FUZZ_CHECK(link.key[0] && link.size >= 0 && link.meta.n <= PST_STORE_META_MAX);
    FUZZ_CHECK(!strchr(link.temp, '/') && pst_dir_tmp_is(link.temp));
}

/* Only what the store's callers may hand over. */
static bool take_key(fuzz_input *in, pst_dir_link *link)
{
    pst_sv line = fuzz_line(in);
    char *key = fuzz_string(line);
    bool fits = *key && strlen(key) < sizeof link->key;
    if (fits)
        snprintf(link->key, sizeof link->key, "%s", key);
    pst_free(key);
    return fits;
}

static void take_meta(fuzz_input *in, pst_store_meta *meta)
{
    while (in->p && in->n && meta->n < PST_STORE_META_MAX) {
        char name[20], *value = fuzz_string(fuzz_line(in));
        snprintf(name, sizeof name, "penstock-%zu", meta->n);
        if (pst_store_meta_add(meta, name, "%s", value) != PST_OK)
            in->n = 0;
        pst_free(value);
    }
}

static void round_trip(fuzz_input *in)
{
    pst_dir_link sent = {.temp = ".tmp-d0123456789abcdef-x"}, got;
    pst_err err = PST_ERR_INIT;
    if (!take_key(in, &sent))
        return;
    pst_sv number = fuzz_line(in);
    sent.size = number.n;
    take_meta(in, &sent.meta);
    pst_store_put put = {.key = sent.key,
                         .bytes = {number.p, number.n},
                         .crc32c = 0xbadcafe,
                         .meta = &sent.meta};
    pst_buf text;
    pst_buf_init(&text, PST_DIR_LINK_MAX);
    if (pst_dir_link_text(&put, sent.temp, &text, &err) == PST_OK) {
        FUZZ_CHECK(parse(&text, &got));
        check_same(&sent, &got);
    }
    pst_buf_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = fuzz_begin(data, size);
    if (fuzz_choose(&in, 2) == 0)
        read_any(fuzz_rest(&in));
    else
        round_trip(&in);
    return 0;
}
