/*
 * sigv4_helper.c - our signer on a line protocol, for test_sigv4.py to compare with
 * botocore.
 *
 * A line in: method, key in hex, query, hash, date, region, then headers, all parted by
 * tabs. A line out: the encoded path, a tab, the signature. Keys come from the
 * environment.
 */
#include "base/mem.h"
#include "store/sigv4.h"

#include <stdio.h>
#include <stdlib.h>

enum { FIELDS_MAX = 32 };

static size_t split(char *line, const char *fields[FIELDS_MAX])
{
    size_t n = 0;
    line[strcspn(line, "\n")] = '\0';
    for (char *at = line; at && n < FIELDS_MAX;) {
        char *tab = strchr(at, '\t');
        fields[n++] = at;
        if (tab)
            *tab++ = '\0';
        at = tab;
    }
    return n;
}

static pst_rc add_path(const char *hex, pst_buf *path)
{
    pst_buf key;
    pst_buf_init(&key, 8192);
    pst_rc rc = PST_OK;
    for (; rc == PST_OK && hex[0] && hex[1]; hex += 2) {
        char pair[3] = {hex[0], hex[1], '\0'};
        rc = pst_buf_addc(&key, (char)strtoul(pair, NULL, 16));
    }
    if (rc == PST_OK)
        rc = pst_buf_adds(path, "/bucket/");
    if (rc == PST_OK)
        rc = pst_sigv4_encode(path, (pst_sv){key.data, key.len}, true);
    pst_buf_done(&key);
    return rc == PST_OK && pst_buf_cstr(path) ? PST_OK : PST_E_NOMEM;
}

static int answer(char *line, const pst_sigv4_keys *keys)
{
    const char *fields[FIELDS_MAX];
    size_t n = split(line, fields);
    pst_buf path;
    pst_buf out;
    pst_err err = PST_ERR_INIT;
    if (n < 6)
        return 1;
    pst_buf_init(&path, 16384);
    pst_buf_init(&out, 16384);
    pst_rc rc = add_path(fields[1], &path);
    pst_sigv4_request req = {.method = fields[0],
                             .path = path.data,
                             .query = fields[2],
                             .headers = fields + 6,
                             .n_headers = n - 6,
                             .payload_hash = fields[3],
                             .date = fields[4],
                             .region = fields[5],
                             .service = "s3"};
    if (rc == PST_OK)
        rc = pst_sigv4_sign(keys, &req, &out, &err);
    const char *text = rc == PST_OK ? pst_buf_cstr(&out) : NULL;
    const char *signature = text ? strstr(text, "Signature=") : NULL;
    if (signature)
        printf("%s\t%s\n", path.data, signature + 10);
    pst_buf_done(&path);
    pst_buf_done(&out);
    return signature ? 0 : 1;
}

int main(void)
{
    pst_sigv4_keys keys = {getenv("AWS_ACCESS_KEY_ID"), getenv("AWS_SECRET_ACCESS_KEY")};
    char *line = NULL;
    size_t size = 0;
    int failed = !keys.access_key_id || !keys.secret_access_key;
    while (!failed && getline(&line, &size, stdin) > 0)
        failed = answer(line, &keys);
    free(line); // NOLINT: getline's own
    return failed;
}
