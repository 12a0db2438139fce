/*
 * spool.c - see spool.h.
 */
#include "base/spool.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

struct pst_spool {
    char *dir;
    int64_t max_bytes;
    _Atomic int64_t used;
    _Atomic int files;
};

struct pst_spool_file {
    pst_spool *spool;
    int64_t size;
    int fd;
};

/* A file without a name: by O_TMPFILE, or where the file system has none, one whose name
   is taken away at once. */
static int open_nameless(const char *dir)
{
    int fd = open(dir, O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
        return fd;
    char *path = pst_asprintf("%s/penstock-spool-XXXXXX", dir);
    if (!path) {
        errno = ENOMEM;
        return -1;
    }
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        (void)unlink(path);
    pst_free(path);
    return fd;
}

pst_rc pst_spool_new(pst_spool **out, const char *dir, int64_t max_bytes, pst_err *err)
{
    int fd = open_nameless(dir);
    if (fd < 0)
        return pst_fail(err, PST_E_CONFIG, "no file can be made in %s: %s", dir,
                        strerrordesc_np(errno));
    (void)close(fd);
    pst_spool *spool = pst_calloc(1, sizeof *spool);
    char *copy = pst_strdup(dir);
    if (!spool || !copy) {
        pst_free(spool);
        pst_free(copy);
        return pst_fail_nomem(err, "the spool");
    }
    spool->dir = copy;
    spool->max_bytes = max_bytes;
    *out = spool;
    return PST_OK;
}

void pst_spool_free(pst_spool *spool)
{
    if (spool)
        pst_free(spool->dir);
    pst_free(spool);
}

int64_t pst_spool_used(const pst_spool *spool)
{
    return atomic_load(&((pst_spool *)(uintptr_t)spool)->used);
}

/* ---- files ---- */

static pst_rc fail_io(const pst_spool *spool, int why, pst_err *err)
{
    return pst_fail(err, PST_E_IO, "spool.dir=%s: %s", spool->dir, strerrordesc_np(why));
}

static pst_rc file_new(pst_spool *spool, pst_spool_file **out, pst_err *err)
{
    if (atomic_fetch_add(&spool->files, 1) >= PST_SPOOL_FILES_MAX) {
        atomic_fetch_sub(&spool->files, 1);
        return pst_fail(err, PST_E_LIMIT, "spool.dir=%s: %d windows have a file there",
                        spool->dir, PST_SPOOL_FILES_MAX);
    }
    pst_spool_file *file = pst_calloc(1, sizeof *file);
    int fd = file ? open_nameless(spool->dir) : -1;
    if (fd < 0) {
        pst_rc rc = file ? fail_io(spool, errno, err) : pst_fail_nomem(err, "the spool");
        atomic_fetch_sub(&spool->files, 1);
        pst_free(file);
        return rc;
    }
    file->spool = spool;
    file->fd = fd;
    *out = file;
    return PST_OK;
}

void pst_spool_file_free(pst_spool_file *file)
{
    if (!file)
        return;
    (void)close(file->fd);
    atomic_fetch_sub(&file->spool->used, file->size);
    atomic_fetch_sub(&file->spool->files, 1);
    pst_free(file);
}

int pst_spool_file_read(const pst_spool_file *file, size_t at, char *out, size_t n)
{
    while (n) {
        ssize_t got = pread(file->fd, out, n, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got ? errno : EIO;
        out += got;
        at += (size_t)got;
        n -= (size_t)got;
    }
    return 0;
}

static int file_write(const pst_spool_file *file, const char *p, size_t n)
{
    off_t at = (off_t)file->size;
    while (n) {
        ssize_t put = pwrite(file->fd, p, n, at);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return put ? errno : ENOSPC;
        p += put;
        at += put;
        n -= (size_t)put;
    }
    return 0;
}

/* One block to the end of the file. */
static pst_rc file_add(pst_spool_file *file, const pst_chunk *chunk, pst_err *err)
{
    pst_spool *spool = file->spool;
    int64_t n = (int64_t)chunk->len;
    if (atomic_fetch_add(&spool->used, n) + n > spool->max_bytes) {
        atomic_fetch_sub(&spool->used, n);
        return pst_fail(err, PST_E_LIMIT, "spool.dir=%s: spool.max.bytes=%lld are in use",
                        spool->dir, (long long)spool->max_bytes);
    }
    int why = file_write(file, chunk->data, chunk->len);
    if (why) {
        atomic_fetch_sub(&spool->used, n);
        return fail_io(spool, why, err);
    }
    file->size += n;
    return PST_OK;
}

pst_rc pst_chunks_spill(pst_chunks *chunks, pst_spool *spool, pst_err *err)
{
    pst_rc rc = PST_OK;
    if (chunks->head && !chunks->file)
        rc = file_new(spool, &chunks->file, err);
    while (rc == PST_OK && chunks->head) {
        pst_chunk *chunk = chunks->head;
        rc = file_add(chunks->file, chunk, err);
        if (rc != PST_OK)
            break;
        chunks->spooled += chunk->len;
        chunks->reserved -= sizeof *chunk + chunk->cap;
        chunks->head = chunk->next;
        if (!chunks->head)
            chunks->tail = NULL;
        pst_free(chunk);
    }
    return rc;
}
