/*
 * dirtmp.c - temporary files of the directory driver: making them, and what becomes of
 * those that a crash left behind. See dir.h.
 *
 * An orphan is removed only when its name is exactly of our form, it is older than an
 * hour and nobody holds its lock; a data file that a link refers to is no orphan but a
 * commit to be finished. Where the file system has no locks, nothing is removed.
 */
#include "store/dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

enum { WRITE_STEP = 256 * 1024, SPOOL_STEP = 32 * 1024, TRIES = 8 };

static const char prefix[] = ".tmp-";

bool pst_dir_tmp_is(const char *basename)
{
    if (strncmp(basename, prefix, sizeof prefix - 1) != 0)
        return false;
    const char *kind = basename + sizeof prefix - 1;
    return *kind && strchr("dmp", *kind) && strspn(kind + 1, "0123456789abcdef") == 16 &&
           kind[17] == '-' && kind[18];
}

static void name_tmp(const char *for_key, char kind, pst_dir_tmp *tmp)
{
    unsigned char noise[8];
    char hex[17];
    if (getrandom(noise, sizeof noise, 0) != sizeof noise)
        memset(noise, 0, sizeof noise); /* then O_EXCL tells */
    pst_hex(hex, noise, sizeof noise);
    const char *base = pst_dir_basename(for_key);
    snprintf(tmp->path, sizeof tmp->path, "%.*s%s%c%s-%s", (int)(base - for_key), for_key,
             prefix, kind, hex, base);
}

pst_rc pst_dir_tmp_create(const pst_dir_at *at, const char *for_key, char kind,
                          pst_dir_tmp *tmp, pst_err *err)
{
    int why = EEXIST;
    for (int i = 0; i < TRIES && why == EEXIST; i++) {
        name_tmp(for_key, kind, tmp);
        tmp->fd = openat(at->fd, tmp->path,
                         O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
        why = tmp->fd < 0 ? errno : 0;
    }
    if (why)
        return pst_dir_fail(at->dir, why, "create", tmp->path, err);
    (void)flock(tmp->fd, LOCK_EX | LOCK_NB);
    return PST_OK;
}

static int write_bytes(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t put = write(fd, p, n < WRITE_STEP ? n : WRITE_STEP);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return errno;
        p += put;
        n -= (size_t)put;
    }
    return 0;
}

pst_rc pst_dir_tmp_write(const pst_dir_at *at, pst_dir_tmp *tmp, const pst_chunks *chunks,
                         pst_sv bytes, pst_err *err)
{
    char scratch[SPOOL_STEP];
    const char *piece;
    size_t n;
    int why = chunks ? 0 : write_bytes(tmp->fd, bytes.p, bytes.n);
    pst_chunks_pos pos = chunks ? pst_chunks_begin(chunks) : (pst_chunks_pos){0};
    while (why == 0 && (n = pst_chunks_next(&pos, scratch, sizeof scratch, &piece)) > 0) {
        if (pst_cancelled(at->dir->cancel))
            return pst_fail(err, PST_E_STOPPED, "stopped while writing file://%s/%s",
                            at->dir->root, tmp->path);
        why = write_bytes(tmp->fd, piece, n);
    }
    if (pos.failed)
        return pst_chunks_failed(&pos, err);
    if (why == 0 && fsync(tmp->fd) != 0)
        why = errno;
    return why ? pst_dir_fail(at->dir, why, "write", tmp->path, err) : PST_OK;
}

void pst_dir_tmp_close(pst_dir_tmp *tmp)
{
    if (tmp->fd >= 0)
        close(tmp->fd);
    tmp->fd = -1;
}

void pst_dir_tmp_discard(const pst_dir_at *at, pst_dir_tmp *tmp)
{
    if (tmp->fd >= 0)
        (void)unlinkat(at->fd, tmp->path, 0);
    pst_dir_tmp_close(tmp);
}

/* ---- after a crash ---- */

/* If the link that this data file waits for has been made and names it, finishes it. */
static pst_rc finish_committed(const pst_dir_at *at, const char *key, bool *committed,
                               pst_err *err)
{
    char link[PST_STORE_KEY_MAX + 64];
    const char *base = pst_dir_basename(key);
    const char *link_name = base + sizeof prefix - 1 + 18;
    snprintf(link, sizeof link, "%.*s%s", (int)(base - key), key, link_name);
    pst_dir_link record;
    pst_err ignored = PST_ERR_INIT;
    *committed = false;
    pst_rc rc = pst_dir_link_read(at, link, &record, &ignored);
    if (rc == PST_E_NOT_FOUND || rc == PST_E_INVALID)
        return PST_OK;
    if (rc != PST_OK) {
        if (err && err->code == PST_OK)
            *err = ignored;
        return rc;
    }
    if (strcmp(record.temp, base) != 0)
        return PST_OK;
    *committed = true;
    return pst_dir_link_finish(at, link, &record, err);
}

static bool is_old(const pst_dir_at *at, int fd)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return false;
    int64_t changed_ms = (int64_t)st.st_mtim.tv_sec * 1000;
    return pst_wall_ms(at->dir->clock) - changed_ms > PST_DIR_ORPHAN_MS;
}

pst_rc pst_dir_tmp_sweep(const pst_dir_at *at, const char *key, pst_err *err)
{
    const char *base = pst_dir_basename(key);
    bool data = base[sizeof prefix - 1] == 'd';
    bool committed = false;
    pst_rc rc = data ? finish_committed(at, key, &committed, err) : PST_OK;
    if (rc != PST_OK || committed)
        return rc;
    int fd = openat(at->fd, key, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return PST_OK;
    if (is_old(at, fd) && flock(fd, LOCK_EX | LOCK_NB) == 0) {
        /* Its writer is gone, so its link, made or not, is final now. */
        rc = data ? finish_committed(at, key, &committed, err) : PST_OK;
        if (rc == PST_OK && !committed && unlinkat(at->fd, key, 0) == 0)
            pst_logf(at->dir->log, PST_LOG_INFO, NULL, "store",
                     "removed file://%s/%s, left over from a crash", at->dir->root, key);
    }
    close(fd);
    return rc;
}
