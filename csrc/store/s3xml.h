/*
 * s3xml.h - the kinds of XML that we read from S3 and STS: errors, single fields,
 * listings, temporary keys. The answers come from outside and may be hostile: no DTD, no
 * nesting beyond S3's, every text has a ceiling.
 */
#ifndef PST_STORE_S3XML_H
#define PST_STORE_S3XML_H

#include "store/store.h"

typedef struct pst_s3xml_error {
    char code[64];
    char message[256]; /* one line; from the server, so not for matching */
    char region[64];
} pst_s3xml_error;

/* False if the text is no <Error> document (or STS's <ErrorResponse>). Longer texts are
   cut. */
bool pst_s3xml_error_of(pst_sv xml, pst_s3xml_error *out);

/* What STS gives; wipe it. */
typedef struct pst_s3xml_keys {
    char id[256], secret[256], token[8192], expires[64];
} pst_s3xml_keys;

/* The <Credentials> of an AssumeRole…Response. False if there are none, or if the text is
   not whole or a value too long. */
bool pst_s3xml_keys_of(pst_sv xml, pst_s3xml_keys *out);

typedef struct pst_s3xml_page {
    bool truncated;
    size_t keys;
    pst_buf token; /* NextContinuationToken, not NUL-terminated */
} pst_s3xml_page;

/* Gets each key, decoded. Return PST_OK to go on. */
typedef pst_rc (*pst_s3xml_each)(void *opaque, const char *key, int64_t size);

void pst_s3xml_page_init(pst_s3xml_page *page);
void pst_s3xml_page_done(pst_s3xml_page *page);
/* PST_E_INVALID if the text is no whole <ListBucketResult>; what `each` says otherwise.
 */
pst_rc pst_s3xml_list_of(pst_sv xml, pst_s3xml_page *page, pst_s3xml_each each,
                         void *opaque, pst_err *err) PST_MUST;

/* The text of <root><name>…</name></root>, trimmed. False if the document is another one
   or not whole, or if the text is empty or does not fit. */
bool pst_s3xml_field(pst_sv xml, const char *root, const char *name, char *out,
                     size_t size);

/* One of <ListMultipartUploadsResult>, decoded. */
typedef struct pst_s3xml_upload {
    char key[PST_STORE_KEY_MAX + 1];
    char id[1025];
    char initiated[64];
} pst_s3xml_upload;

typedef pst_rc (*pst_s3xml_each_upload)(void *opaque, const pst_s3xml_upload *upload);
/* As pst_s3xml_list_of(); uploads that can't be ours (a key or an id too long) are left
   out. */
pst_rc pst_s3xml_uploads_of(pst_sv xml, pst_s3xml_each_upload each, void *opaque,
                            pst_err *err) PST_MUST;

#endif
