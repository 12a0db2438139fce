/*
 * s3md5.c - the MD5 of an object's bytes, for stores that know no other checksum
 * (s3.checksum=md5). A check against damage on the way, not against forgery.
 */
#include "store/s3.h"

#include <openssl/evp.h>

enum { MD5 = 16, STEP = 16 * 1024 };

pst_rc pst_s3_md5(pst_chunks_pos *from, pst_sv bytes, char out[PST_S3_MD5_SIZE],
                  pst_err *err)
{
    unsigned char hash[MD5];
    char scratch[STEP];
    const char *piece;
    size_t n;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int ok = ctx && EVP_DigestInit_ex(ctx, EVP_md5(), NULL);
    if (!from)
        ok = ok && EVP_DigestUpdate(ctx, bytes.n ? bytes.p : "", bytes.n);
    while (ok && from && (n = pst_chunks_next(from, scratch, sizeof scratch, &piece)) > 0)
        ok = EVP_DigestUpdate(ctx, piece, n);
    ok = ok && EVP_DigestFinal_ex(ctx, hash, NULL);
    EVP_MD_CTX_free(ctx);
    if (from && from->failed)
        return pst_chunks_failed(from, err);
    if (!ok)
        return pst_fail(err, PST_E_CONFIG,
                        "this machine's libcrypto computes no MD5 (FIPS?): set "
                        "s3.checksum=crc32c");
    pst_base64(out, hash, sizeof hash);
    return PST_OK;
}
