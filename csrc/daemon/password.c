/*
 * password.c - see password.h. PBKDF2-HMAC-SHA256 of libcrypto: it is in every build of
 * it, needs no memory that junk could multiply, and the count is in the line.
 */
#include "daemon/password.h"

#include "base/mem.h"
#include "base/str.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum {
    ITERATIONS = 210000,
    ITERATIONS_MIN = 10000,
    ITERATIONS_MAX = 10000000,
    TYPED = 512
};

static bool derive(unsigned char hash[PST_PASSWORD_HASH], const char *password,
                   const unsigned char *salt, int iterations)
{
    return PKCS5_PBKDF2_HMAC(password, (int)strlen(password), salt, PST_PASSWORD_SALT,
                             iterations, EVP_sha256(), PST_PASSWORD_HASH, hash) == 1;
}

static bool unhex(unsigned char *out, size_t n, pst_sv text)
{
    if (text.n != 2 * n)
        return false;
    for (size_t i = 0; i < 2 * n; i++) {
        char c = text.p[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                           : -1;
        if (digit < 0)
            return false;
        out[i / 2] = (unsigned char)(i % 2 ? out[i / 2] | digit : digit << 4);
    }
    return true;
}

bool pst_password_parse(pst_password *out, const char *text)
{
    pst_sv rest = pst_sv_of(text);
    int64_t iterations = 0;
    if (!pst_sv_is(pst_sv_cut(rest, ':', &rest), "pbkdf2-sha256") || !rest.p ||
        !pst_sv_to_i64(pst_sv_cut(rest, ':', &rest), &iterations) || !rest.p ||
        iterations < ITERATIONS_MIN || iterations > ITERATIONS_MAX)
        return false;
    out->iterations = (int)iterations;
    pst_sv salt = pst_sv_cut(rest, ':', &rest);
    return rest.p && unhex(out->salt, PST_PASSWORD_SALT, salt) &&
           unhex(out->hash, PST_PASSWORD_HASH, rest);
}

pst_rc pst_password_make(char out[PST_PASSWORD_LINE], const char *password, pst_err *err)
{
    unsigned char salt[PST_PASSWORD_SALT], hash[PST_PASSWORD_HASH];
    char salt_hex[2 * PST_PASSWORD_SALT + 1], hash_hex[2 * PST_PASSWORD_HASH + 1];
    if (RAND_bytes(salt, sizeof salt) != 1 || !derive(hash, password, salt, ITERATIONS))
        return pst_fail(err, PST_E_IO, "libcrypto cannot hash a password");
    pst_hex(salt_hex, salt, sizeof salt);
    pst_hex(hash_hex, hash, sizeof hash);
    snprintf(out, PST_PASSWORD_LINE, "pbkdf2-sha256:%d:%s:%s", (int)ITERATIONS, salt_hex,
             hash_hex);
    return PST_OK;
}

bool pst_password_check(const pst_password *password, const char *given)
{
    unsigned char hash[PST_PASSWORD_HASH];
    return derive(hash, given, password->salt, password->iterations) &&
           CRYPTO_memcmp(hash, password->hash, sizeof hash) == 0;
}

/* ---- --hash-password ---- */

static bool read_password(char *out, size_t size)
{
    struct termios old, quiet;
    bool tty = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &old) == 0;
    if (tty) {
        quiet = old;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        fputs("password: ", stderr);
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    }
    bool ok = fgets(out, (int)size, stdin) != NULL;
    if (tty) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
        fputc('\n', stderr);
    }
    if (ok)
        out[strcspn(out, "\r\n")] = '\0';
    return ok && *out;
}

int pst_password_main(const char *name)
{
    char typed[TYPED], line[PST_PASSWORD_LINE];
    pst_err err = PST_ERR_INIT;
    if (!name || !*name || strpbrk(name, ":#\r\n")) {
        fputs("penstockd: --hash-password NAME: a name without : and #\n", stderr);
        return 2;
    }
    if (!read_password(typed, sizeof typed)) {
        fputs("penstockd: --hash-password reads a password from standard input\n",
              stderr);
        return 2;
    }
    pst_rc rc = pst_password_make(line, typed, &err);
    pst_wipe(typed, sizeof typed);
    if (rc == PST_OK)
        printf("%s:%s\n", name, line);
    else
        fprintf(stderr, "penstockd: %s\n", err.text);
    return rc == PST_OK ? 0 : 1;
}
