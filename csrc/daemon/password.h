/*
 * password.h - a password's salted, slow hash: made once, compared in constant time.
 */
#ifndef PST_DAEMON_PASSWORD_H
#define PST_DAEMON_PASSWORD_H

#include "base/err.h"

enum { PST_PASSWORD_SALT = 16, PST_PASSWORD_HASH = 32, PST_PASSWORD_LINE = 200 };

typedef struct pst_password {
    int iterations;
    unsigned char salt[PST_PASSWORD_SALT], hash[PST_PASSWORD_HASH];
} pst_password;

/* "pbkdf2-sha256:<iterations>:<salt>:<hash>" */
bool pst_password_parse(pst_password *out, const char *text);
/* The same of a new password. */
pst_rc pst_password_make(char out[PST_PASSWORD_LINE], const char *password,
                         pst_err *err) PST_MUST;
bool pst_password_check(const pst_password *password, const char *given);
/* --hash-password NAME: a password from stdin, the file's line to stdout; exit status. */
int pst_password_main(const char *name);

#endif
