/*
 * diff_encoder.c - the real reader and CSV writer behind a pipe, for diff.py.
 *
 * stdin:  any number of groups. A group is a count of settings, each a name and a value,
 *         then a count of records. A record is a value, a key, a timestamp of 8 bytes and
 *         a count of headers, -1 for none, each a key and a value. All counts and lengths
 *         are 4 bytes, big endian; a length of -1 is null.
 * stdout: for a group 0, the header's bytes and each record's row (length, bytes); a
 *         length of -1 and then a text is a record that was refused. Or 1 and a text: the
 *         settings are refused.
 * Topic, partition and offset are the same for every record.
 */
#include "fuzz_row.h"

enum { GROUP_MAX = 1 << 20, BYTES_MAX = 1 << 28, HEADERS_MAX = 8 };

/* What pst_msg.headers points to. */
typedef struct headers {
    size_t n;
    pst_sv key[HEADERS_MAX], value[HEADERS_MAX];
} headers;

static bool get_number(int64_t *out)
{
    unsigned char b[4];
    if (fread(b, 1, sizeof b, stdin) != sizeof b)
        return false;
    *out = (int32_t)((uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 |
                     b[3]);
    return true;
}

/* The caller's to pst_free(); p == NULL for -1. */
static pst_sv get_bytes(void)
{
    int64_t n;
    FUZZ_CHECK(get_number(&n) && n < BYTES_MAX);
    if (n < 0)
        return (pst_sv){NULL, 0};
    char *p = pst_malloc((size_t)n + 1);
    FUZZ_CHECK(p && fread(p, 1, (size_t)n, stdin) == (size_t)n);
    p[n] = '\0';
    return (pst_sv){p, (size_t)n};
}

static void free_bytes(pst_sv bytes)
{
    pst_free((char *)(uintptr_t)bytes.p);
}

static pst_rc header_at(const void *all, size_t index, pst_sv *key, pst_sv *value)
{
    const headers *h = all;
    if (index >= h->n)
        return PST_E_NOT_FOUND;
    *key = h->key[index];
    *value = h->value[index];
    return PST_OK;
}

/* Everything in it is to be freed by free_msg(). */
static void get_msg(pst_msg *msg, headers *h)
{
    int64_t high, low, n;
    *msg = (pst_msg){.topic = "users", .partition = 3, .offset = 42};
    msg->value = get_bytes();
    msg->key = get_bytes();
    FUZZ_CHECK(get_number(&high) && get_number(&low) && get_number(&n));
    msg->timestamp_ms = (int64_t)((uint64_t)high << 32 | (uint32_t)low);
    FUZZ_CHECK(n <= HEADERS_MAX);
    *h = (headers){.n = n < 0 ? 0 : (size_t)n};
    msg->headers = n < 0 ? NULL : h;
    for (size_t i = 0; i < h->n; i++) {
        h->key[i] = get_bytes();
        h->value[i] = get_bytes();
    }
}

static void free_msg(pst_msg *msg, headers *h)
{
    free_bytes(msg->value);
    free_bytes(msg->key);
    for (size_t i = 0; i < h->n; i++) {
        free_bytes(h->key[i]);
        free_bytes(h->value[i]);
    }
}

static void put_number(uint32_t n)
{
    const unsigned char b[4] = {(unsigned char)(n >> 24), (unsigned char)(n >> 16),
                                (unsigned char)(n >> 8), (unsigned char)n};
    FUZZ_CHECK(fwrite(b, 1, sizeof b, stdout) == sizeof b);
}

static void put_bytes(pst_sv bytes)
{
    put_number((uint32_t)bytes.n);
    FUZZ_CHECK(!bytes.n || fwrite(bytes.p, 1, bytes.n, stdout) == bytes.n);
}

static void put_refused(const char *text)
{
    put_number(UINT32_MAX);
    put_bytes(pst_sv_of(text));
}

static void get_settings(pst_props *props, pst_conf_report *report)
{
    int64_t n;
    FUZZ_CHECK(get_number(&n) && n >= 0 && n < GROUP_MAX);
    for (; n; n--) {
        pst_sv name = get_bytes(), value = get_bytes();
        FUZZ_CHECK(name.p && value.p);
        FUZZ_CHECK(pst_props_set(props, name.p, value.p, "diff", report) == PST_OK);
        free_bytes(name);
        free_bytes(value);
    }
}

/* The first complaint about the settings, in `err`. */
static pst_rc open_pipe(fuzz_pipe *pipe, const pst_props *props, pst_conf_report *report,
                        pst_err *err)
{
    fuzz_settings conf = {0};
    pst_rc rc = pst_conf_apply(&fuzz_row_spec, props, &conf, report);
    if (rc != PST_OK)
        rc = pst_fail(err, rc, "%s: %s", report->items[0].key, report->items[0].text);
    rc = rc ? rc : pst_reader_new(&pipe->reader, &conf.reader, err);
    if (rc == PST_OK) {
        const pst_column *columns = pst_reader_columns(pipe->reader, &pipe->columns);
        (void)pst_reader_set_headers(pipe->reader, header_at);
        rc = pst_format_csv.open(&pipe->writer, &conf.csv, &conf.reader, columns,
                                 pipe->columns, err);
    }
    pst_conf_done(&fuzz_row_spec, &conf);
    return rc;
}

static void answer(fuzz_pipe *pipe, const pst_msg *msg, pst_buf *out)
{
    pst_row row;
    pst_err err = PST_ERR_INIT;
    pst_buf_clear(out);
    if (pst_reader_read(pipe->reader, msg, &row, &err) != PST_OK ||
        pst_format_csv.row(pipe->writer, &row, out, &err) != PST_OK)
        put_refused(err.text);
    else
        put_bytes((pst_sv){out->data, out->len});
}

static void answer_all(fuzz_pipe *pipe, int64_t n, bool opened)
{
    pst_buf out;
    pst_err err = PST_ERR_INIT;
    pst_buf_init(&out, BYTES_MAX);
    if (opened) {
        FUZZ_CHECK(pst_format_csv.begin(pipe->writer, &out, &err) == PST_OK);
        put_bytes((pst_sv){out.data, out.len});
    }
    for (; n; n--) {
        headers h;
        pst_msg msg;
        get_msg(&msg, &h);
        if (opened)
            answer(pipe, &msg, &out);
        free_msg(&msg, &h);
    }
    pst_buf_done(&out);
}

static void run_group(void)
{
    pst_props props;
    pst_conf_report report;
    pst_err err = PST_ERR_INIT;
    fuzz_pipe pipe = {.reader = NULL};
    int64_t n;
    pst_props_init(&props);
    pst_conf_report_init(&report);
    get_settings(&props, &report);
    FUZZ_CHECK(get_number(&n) && n >= 0 && n < GROUP_MAX);
    pst_rc rc = open_pipe(&pipe, &props, &report, &err);
    put_number(rc != PST_OK);
    if (rc != PST_OK)
        put_bytes(pst_sv_of(err.text));
    answer_all(&pipe, n, rc == PST_OK);
    fuzz_pipe_close(&pipe);
    pst_props_done(&props);
    pst_conf_report_done(&report);
    FUZZ_CHECK(fflush(stdout) == 0);
}

int main(void)
{
    int c;
    while ((c = getchar()) != EOF) {
        ungetc(c, stdin);
        run_group();
    }
    return 0;
}
