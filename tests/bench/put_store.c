/*
 * put_store.c - what an upload costs us: Penstock's own driver PUTs objects of one size,
 * one after the other; to be compared with put_floor, which does the same with libcurl
 * alone.
 *
 * usage: put_store ENDPOINT BUCKET PREFIX OBJECTS BYTES PART_SIZE [SPOOL_DIR]
 * credentials: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY
 */
#include "base/spool.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>

static int fail(const pst_err *err)
{
    fprintf(stderr, "put_store: %s\n", err->text);
    return 1;
}

static pst_rc fill(pst_chunks *chunks, size_t n, pst_spool *spool, uint32_t *crc,
                   pst_err *err)
{
    static char block[65536];
    for (size_t i = 0; i < sizeof block; i++)
        block[i] = (char)('a' + i % 23);
    for (pst_rc rc = PST_OK; n;) {
        size_t part = n < sizeof block ? n : sizeof block;
        rc = pst_chunks_add(chunks, block, part);
        *crc = pst_crc32c(*crc, block, part);
        n -= part;
        if (rc == PST_OK && spool && chunks->reserved > 4 * 1024 * 1024)
            rc = pst_chunks_spill(chunks, spool, err);
        if (rc != PST_OK)
            return rc;
    }
    return PST_OK;
}

static pst_rc put_all(pst_store *store, const char *prefix, int objects,
                      const pst_chunks *chunks, uint32_t crc, pst_err *err)
{
    pst_rc rc = PST_OK;
    for (int i = 0; rc == PST_OK && i < objects; i++) {
        char key[512];
        snprintf(key, sizeof key, "%s/%06d.csv", prefix, i);
        pst_store_put put = {.key = key, .chunks = chunks, .crc32c = crc};
        rc = store->driver->put(store, &put, err);
    }
    return rc;
}

int main(int argc, char **argv)
{
    if (argc < 7) {
        fprintf(stderr, "usage: put_store ENDPOINT BUCKET PREFIX OBJECTS BYTES "
                        "PART_SIZE [SPOOL_DIR]\n");
        return 2;
    }
    pst_store_conf conf = {.url = argv[1],
                           .bucket = argv[2],
                           .region = (char[]){"us-east-1"},
                           .path_style = true,
                           .part_size = strtoll(argv[6], NULL, 10),
                           .part_retries = 3,
                           .retry_backoff_ms = 200};
    pst_err err = PST_ERR_INIT;
    pst_store *store = NULL;
    pst_spool *spool = NULL;
    pst_chunks chunks;
    uint32_t crc = 0;
    size_t size = strtoull(argv[5], NULL, 10);
    pst_chunks_init(&chunks);
    pst_rc rc = argc > 7 ? pst_spool_new(&spool, argv[7], INT64_MAX, &err) : PST_OK;
    if (rc == PST_OK)
        rc = pst_store_open(&store, &conf, pst_clock_system(), NULL, NULL, &err);
    if (rc == PST_OK)
        rc = fill(&chunks, size, spool, &crc, &err);
    if (rc == PST_OK)
        rc = put_all(store, argv[3], (int)strtol(argv[4], NULL, 10), &chunks, crc, &err);
    pst_chunks_done(&chunks);
    pst_store_close(store);
    pst_spool_free(spool);
    return rc == PST_OK ? 0 : fail(&err);
}
