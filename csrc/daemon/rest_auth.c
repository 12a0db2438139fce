/*
 * rest_auth.c - users and their passwords, for basic authentication.
 *
 * A line of rest.auth.file is name:pbkdf2-sha256:<iterations>:<salt>:<hash>, in hex; what
 * `penstockd --hash-password NAME` prints. Hashing is slow on purpose, so a header that
 * was right is known again by its HMAC under a key of this process, and a wrong one is
 * followed by a second in which no other is looked at: guessing takes for ever, and costs
 * the tasks next to nothing.
 *
 * The file is read again when it has changed, before the next request is looked at. One
 * that can't be used changes nothing: who knew a password still does, and the log says
 * so.
 */
#include "daemon/rest_internal.h"

#include "base/mem.h"
#include "daemon/password.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum {
    USERS_MAX = 100,
    LINE_MAX_BYTES = 1024,
    FILE_MAX_BYTES = 256 * 1024,
    HEADER_MAX = 1024,
    TAG = 32,
    PAUSE_MS = 1000
};

typedef struct rest_user {
    char *name;
    pst_password password;
    bool known; /* tag is that of a header that was right */
    unsigned char tag[TAG];
} rest_user;

typedef struct rest_users {
    rest_user at[USERS_MAX];
    size_t n;
} rest_users;

/* What tells one state of the file from another. */
typedef struct rest_stamp {
    struct timespec changed, modified;
    off_t size;
    ino_t inode;
} rest_stamp;

struct rest_auth {
    rest_users *users;
    char *path;
    pst_log *log;
    rest_stamp stamp; /* of the file as it was last read, or tried to be */
    unsigned char key[TAG];
    int64_t again_ms; /* when the next unknown header is looked at */
};

/* ---- the file ---- */

static pst_rc add_line(rest_users *users, char *line, const char *path, int number,
                       pst_err *err)
{
    line[strcspn(line, "\r\n")] = '\0';
    char *rest = strchr(line, ':');
    if (!*line || *line == '#')
        return PST_OK;
    if (users->n == USERS_MAX)
        return pst_fail(err, PST_E_CONFIG, "rest.auth.file: %s: over %d users", path,
                        USERS_MAX);
    rest_user *user = &users->at[users->n];
    if (!rest || rest == line || !pst_password_parse(&user->password, rest + 1))
        return pst_fail(err, PST_E_CONFIG,
                        "rest.auth.file: %s:%d: no line of penstockd --hash-password",
                        path, number);
    user->name = pst_strndup(line, (size_t)(rest - line));
    if (!user->name)
        return pst_fail_nomem(err, "rest.auth.file");
    users->n++;
    return PST_OK;
}

static pst_rc read_file(rest_users *users, const char *path, pst_err *err)
{
    char line[LINE_MAX_BYTES], why[128];
    FILE *file = rest_file_open(path, FILE_MAX_BYTES);
    if (!file)
        return pst_fail(err, PST_E_CONFIG, "rest.auth.file: %s cannot be opened: %s",
                        path, strerror_r(errno, why, sizeof why));
    pst_rc rc = PST_OK;
    for (int number = 1; rc == PST_OK && fgets(line, sizeof line, file); number++)
        rc = add_line(users, line, path, number, err);
    fclose(file);
    pst_wipe(line, sizeof line);
    if (rc == PST_OK && !users->n)
        rc = pst_fail(err, PST_E_CONFIG,
                      "rest.auth.file: %s names nobody; add a line of penstockd "
                      "--hash-password",
                      path);
    return rc;
}

static void free_users(rest_users *users)
{
    for (size_t i = 0; users && i < USERS_MAX; i++)
        pst_free(users->at[i].name);
    if (users)
        pst_wipe(users, sizeof *users);
    pst_free(users);
}

static rest_stamp stamp_of(const char *path)
{
    struct stat found = {.st_size = -1};
    if (stat(path, &found) != 0)
        found = (struct stat){.st_size = -1};
    return (rest_stamp){found.st_ctim, found.st_mtim, found.st_size, found.st_ino};
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool same_stamp(const rest_stamp *a, const rest_stamp *b)
{
    return same_time(a->changed, b->changed) && same_time(a->modified, b->modified) &&
           a->size == b->size && a->inode == b->inode;
}

/* The stamp is taken first: what changes meanwhile is read once more. */
static pst_rc load_users(struct rest_auth *auth, pst_err *err)
{
    auth->stamp = stamp_of(auth->path);
    rest_users *users = pst_calloc(1, sizeof *users);
    pst_rc rc =
        users ? read_file(users, auth->path, err) : pst_fail_nomem(err, "rest.auth");
    if (rc != PST_OK) {
        free_users(users);
        return rc;
    }
    free_users(auth->users);
    auth->users = users;
    return PST_OK;
}

static void load_again(struct rest_auth *auth)
{
    pst_err err = PST_ERR_INIT;
    rest_stamp now = stamp_of(auth->path);
    if (same_stamp(&now, &auth->stamp))
        return;
    if (load_users(auth, &err) == PST_OK)
        pst_logf(auth->log, PST_LOG_INFO, NULL, "rest",
                 "rest.auth.file: %s has changed: %zu users", auth->path, auth->users->n);
    else
        pst_logf(auth->log, PST_LOG_WARN, NULL, "rest",
                 "%s; the users are those from before", err.text);
}

pst_rc rest_auth_load(struct rest_auth **out, const char *path, pst_log *log,
                      pst_err *err)
{
    struct rest_auth *auth = pst_calloc(1, sizeof *auth);
    if (auth)
        auth->path = pst_strdup(path);
    if (!auth || !auth->path) {
        rest_auth_free(auth);
        return pst_fail_nomem(err, "rest.auth");
    }
    auth->log = log;
    pst_rc rc = RAND_bytes(auth->key, sizeof auth->key) == 1
                    ? load_users(auth, err)
                    : pst_fail(err, PST_E_IO, "no random numbers are to be had");
    if (rc == PST_OK)
        *out = auth;
    else
        rest_auth_free(auth);
    return rc;
}

void rest_auth_free(struct rest_auth *auth)
{
    if (!auth)
        return;
    free_users(auth->users);
    pst_free(auth->path);
    pst_wipe(auth, sizeof *auth);
    pst_free(auth);
}

/* ---- a request ---- */

static bool make_tag(const struct rest_auth *auth, const char *header, unsigned char *tag)
{
    unsigned int n = 0;
    return HMAC(EVP_sha256(), auth->key, TAG, (const unsigned char *)header,
                strlen(header), tag, &n) &&
           n == TAG;
}

static bool is_known(const struct rest_auth *auth, const unsigned char *tag)
{
    int known = 0;
    for (size_t i = 0; i < auth->users->n; i++)
        known |= auth->users->at[i].known &&
                 CRYPTO_memcmp(auth->users->at[i].tag, tag, TAG) == 0;
    return known != 0;
}

/* "Basic <base64 of name:password>" into text; false if it is none. */
static bool decode(const char *header, char text[HEADER_MAX + 4])
{
    if (strncasecmp(header, "Basic ", 6) != 0)
        return false;
    const char *code = header + 6 + strspn(header + 6, " ");
    size_t n = strlen(code);
    if (n == 0 || n > HEADER_MAX || n % 4)
        return false;
    int got = EVP_DecodeBlock((unsigned char *)text, (const unsigned char *)code, (int)n);
    if (got < 0)
        return false;
    got -= code[n - 1] == '=';
    got -= code[n - 2] == '=';
    text[got] = '\0';
    return strlen(text) == (size_t)got && strchr(text, ':');
}

/* An unknown name costs as much time as a wrong password. */
static rest_user *right_user(struct rest_auth *auth, char *text)
{
    char *password = strchr(text, ':');
    *password++ = '\0';
    rest_user *user = NULL;
    for (size_t i = 0; i < auth->users->n; i++)
        if (strcmp(auth->users->at[i].name, text) == 0)
            user = &auth->users->at[i];
    bool right = pst_password_check(user ? &user->password : &auth->users->at[0].password,
                                    password);
    return right ? user : NULL;
}

int rest_auth_check(struct rest_auth *auth, const char *authorization)
{
    unsigned char tag[TAG];
    char text[HEADER_MAX + 4];
    if (!authorization || strlen(authorization) > HEADER_MAX ||
        !make_tag(auth, authorization, tag))
        return 401;
    load_again(auth);
    if (is_known(auth, tag))
        return 0;
    if (!decode(authorization, text))
        return 401;
    int64_t now = pst_mono_ms(pst_clock_system());
    if (now < auth->again_ms)
        return 429;
    rest_user *user = right_user(auth, text);
    pst_wipe(text, sizeof text);
    if (!user) {
        auth->again_ms = pst_mono_ms(pst_clock_system()) + PAUSE_MS;
        return 401;
    }
    user->known = true;
    memcpy(user->tag, tag, TAG);
    return 0;
}
