/*
 * put_floor.c - what an upload costs at least: libcurl PUTs objects of one size to a
 * bucket over one kept-alive connection, signed by libcurl itself. It shares no code with
 * Penstock.
 *
 * usage: put_floor URL_PREFIX OBJECTS BYTES      credentials: AWS_ACCESS_KEY_ID,
 * AWS_SECRET_…
 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct body {
    const char *bytes;
    size_t size, at;
} body;

static size_t read_body(char *to, size_t size, size_t n, void *opaque)
{
    body *b = opaque;
    size_t want = size * n, left = b->size - b->at;
    size_t part = want < left ? want : left;
    memcpy(to, b->bytes + b->at, part);
    b->at += part;
    return part;
}

static size_t drop(char *from, size_t size, size_t n, void *opaque)
{
    (void)from, (void)opaque;
    return size * n;
}

static int put_all(CURL *curl, const char *prefix, int objects, body *b)
{
    for (int i = 0; i < objects; i++) {
        char url[1024];
        long status = 0;
        snprintf(url, sizeof url, "%s/%06d.csv", prefix, i);
        b->at = 0;
        curl_easy_setopt(curl, CURLOPT_URL, url);
        if (curl_easy_perform(curl) != CURLE_OK)
            return 1;
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
        if (status != 200) {
            fprintf(stderr, "put_floor: status %ld\n", status);
            return 1;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    const char *key = getenv("AWS_ACCESS_KEY_ID"),
               *secret = getenv("AWS_SECRET_ACCESS_KEY");
    if (argc != 4 || !key || !secret) {
        fprintf(stderr, "usage: put_floor URL_PREFIX OBJECTS BYTES\n");
        return 2;
    }
    body b = {.size = (size_t)strtoull(argv[3], NULL, 10)};
    char *bytes = malloc(b.size), user[512];
    memset(bytes, 'x', b.size);
    b.bytes = bytes;
    snprintf(user, sizeof user, "%s:%s", key, secret);
    curl_global_init(CURL_GLOBAL_ALL);
    CURL *curl = curl_easy_init();
    struct curl_slist *headers =
        curl_slist_append(NULL, "x-amz-content-sha256: UNSIGNED-PAYLOAD");
    curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_USERPWD, user);
    curl_easy_setopt(curl, CURLOPT_AWS_SIGV4, "aws:amz:us-east-1:s3");
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, read_body);
    curl_easy_setopt(curl, CURLOPT_READDATA, &b);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop);
    curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)b.size);
    int failed = put_all(curl, argv[1], (int)strtol(argv[2], NULL, 10), &b);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    free(bytes);
    return failed;
}
