/*
 * dirfs.c - files and folders for the directory driver: durable creation, bounded
 * reading, and errors that say what to do. See dir.h.
 */
#include "store/dir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { READ_STEP = 64 * 1024 };

/* ---- keys ---- */

static const char *bad_component(pst_sv part)
{
    if (part.n == 0)
        return "an empty part";
    if (pst_sv_is(part, ".") || pst_sv_is(part, ".."))
        return "a part that is . or ..";
    if (pst_sv_starts(part, PST_SV(".tmp-")))
        return "a part that begins with .tmp- (Penstock's own)";
    if (part.n > PST_DIR_COMPONENT_MAX)
        return "a part longer than 230 bytes";
    return NULL;
}

pst_rc pst_dir_check_key(const pst_dir *dir, const char *key, pst_err *err)
{
    pst_sv rest = pst_sv_of(key);
    const char *why = NULL;
    if (rest.n > PST_STORE_KEY_MAX)
        why = "more than 1024 bytes";
    else if (!pst_utf8_valid(rest))
        why = "bytes that are not UTF-8";
    do {
        if (!why)
            why = bad_component(pst_sv_cut(rest, '/', &rest));
    } while (!why && rest.p);
    if (why)
        return pst_fail(err, PST_E_INVALID, "file://%s: the key \"%.200s\" has %s",
                        dir->root, key, why);
    return PST_OK;
}

const char *pst_dir_basename(const char *key)
{
    const char *slash = strrchr(key, '/');
    return slash ? slash + 1 : key;
}

void pst_dir_parent(const char *key, char out[PST_STORE_KEY_MAX + 1])
{
    size_t n = (size_t)(pst_dir_basename(key) - key);
    if (n < 2 || n > PST_STORE_KEY_MAX) {
        memcpy(out, ".", 2);
        return;
    }
    memcpy(out, key, n - 1);
    out[n - 1] = '\0';
}

/* ---- errors ---- */

static pst_rc fail_full(const pst_dir *dir, int why, const char *doing, pst_err *err)
{
    struct statvfs fs;
    long long free_kib = 0;
    if (statvfs(dir->root, &fs) == 0)
        free_kib = (long long)(fs.f_bavail * (fs.f_frsize / 512) / 2);
    return pst_fail_retriable(
        err, PST_E_IO,
        "no space left on file://%s (%s): cannot %s; %lld KiB free; "
        "nothing is lost, the records wait in Kafka: make room",
        dir->root, why == EDQUOT ? "quota" : "disk full", doing, free_kib);
}

pst_rc pst_dir_fail(const pst_dir *dir, int why, const char *doing, const char *key,
                    pst_err *err)
{
    const char *text = strerrordesc_np(why);
    if (!text)
        text = "unknown error";
    switch (why) {
    case ENOSPC:
    case EDQUOT:
        return fail_full(dir, why, doing, err);
    case EACCES:
    case EPERM:
    case EROFS:
        return pst_fail_retriable(err, PST_E_AUTH,
                                  "cannot %s file://%s/%s: %s; let this user write there",
                                  doing, dir->root, key, text);
    case ENOTDIR:
    case EISDIR:
        return pst_fail(err, PST_E_INVALID,
                        "cannot %s file://%s/%s: %s; a directory store holds a file or a "
                        "folder under one name, not both",
                        doing, dir->root, key, text);
    case ENAMETOOLONG:
    case EXDEV:
        return pst_fail(err, PST_E_INVALID, "cannot %s file://%s/%s: %s", doing,
                        dir->root, key, text);
    default:
        return pst_fail_retriable(err, PST_E_IO, "cannot %s file://%s/%s: %s", doing,
                                  dir->root, key, text);
    }
}

/* ---- folders ---- */

pst_rc pst_dir_open_root(const pst_dir *dir, pst_dir_at *out, pst_err *err)
{
    int fd = open(dir->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return pst_fail_retriable(
            err, PST_E_IO, "the folder file://%s is gone: mount or create it", dir->root);
    if (fd < 0)
        return pst_dir_fail(dir, errno, "open", "", err);
    *out = (pst_dir_at){dir, fd};
    return PST_OK;
}

void pst_dir_close_root(pst_dir_at *at)
{
    if (at->fd >= 0)
        close(at->fd);
    at->fd = -1;
}

static int sync_folder(int at, const char *path)
{
    int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    /* Some file systems can't, and are none the worse for it. */
    int why = fsync(fd) == 0 || errno == EINVAL || errno == ENOTSUP ? 0 : errno;
    close(fd);
    return why;
}

/* One folder, durably; 0 or errno. An existing one is fine. */
static int make_folder(int at, const char *path)
{
    if (mkdirat(at, path, 0777) != 0)
        return errno == EEXIST ? 0 : errno;
    char parent[PATH_MAX];
    size_t n = (size_t)(pst_dir_basename(path) - path);
    if (n >= sizeof parent)
        return ENAMETOOLONG;
    memcpy(parent, path, n);
    parent[n] = '\0';
    return sync_folder(at, n ? parent : ".");
}

/* Every folder of `path` from the offset `from` on that ends in a slash. */
static int make_folders(int at, char *path, size_t from)
{
    for (char *slash = strchr(path + from, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int why = make_folder(at, path);
        *slash = '/';
        if (why)
            return why;
    }
    return 0;
}

int pst_dir_make_root(const char *path)
{
    char copy[PATH_MAX];
    struct stat st;
    if (stat(path, &st) == 0)
        return S_ISDIR(st.st_mode) ? 0 : ENOTDIR;
    int n = snprintf(copy, sizeof copy, "%s/", path);
    if (n < 0 || (size_t)n >= sizeof copy)
        return ENAMETOOLONG;
    return make_folders(AT_FDCWD, copy, 1);
}

pst_rc pst_dir_make_parents(const pst_dir_at *at, const char *key, pst_err *err)
{
    char path[PST_STORE_KEY_MAX + 1];
    struct stat st;
    pst_dir_parent(key, path);
    if (fstatat(at->fd, path, &st, 0) == 0 && S_ISDIR(st.st_mode))
        return PST_OK;
    size_t n = strlen(key);
    memcpy(path, key, n + 1);
    int why = make_folders(at->fd, path, 0);
    return why ? pst_dir_fail(at->dir, why, "create the folders of", key, err) : PST_OK;
}

pst_rc pst_dir_sync_parent(const pst_dir_at *at, const char *key, pst_err *err)
{
    char parent[PST_STORE_KEY_MAX + 1];
    pst_dir_parent(key, parent);
    int why = sync_folder(at->fd, parent);
    return why ? pst_dir_fail(at->dir, why, "make durable the folder of", key, err)
               : PST_OK;
}

/* ---- reading ---- */

static pst_rc read_to_end(const pst_dir_at *at, int fd, const char *key, pst_buf *body,
                          pst_err *err)
{
    for (;;) {
        char probe;
        size_t room = body->max - body->len;
        if (room > READ_STEP)
            room = READ_STEP;
        if (room && pst_buf_reserve(body, room) != PST_OK)
            return pst_fail_nomem(err, key);
        ssize_t got = room ? read(fd, body->data + body->len, room) : read(fd, &probe, 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return pst_dir_fail(at->dir, errno, "read", key, err);
        if (got == 0)
            return PST_OK;
        if (!room)
            return pst_fail(err, PST_E_LIMIT, "file://%s/%s is larger than %zu bytes",
                            at->dir->root, key, body->max);
        body->len += (size_t)got;
    }
}

pst_rc pst_dir_read(const pst_dir_at *at, const char *key, pst_buf *body, pst_err *err)
{
    struct stat st;
    int fd = openat(at->fd, key, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno != ENOENT && errno != ENOTDIR)
        return pst_dir_fail(at->dir, errno, "read", key, err);
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        if (fd >= 0)
            close(fd);
        return pst_fail(err, PST_E_NOT_FOUND, "file://%s/%s: there is no such file",
                        at->dir->root, key);
    }
    pst_rc rc = read_to_end(at, fd, key, body, err);
    close(fd);
    return rc;
}
