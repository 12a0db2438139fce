/*
 * dir.c - the directory store: objects are files, `file:///folder` in store.url.
 *
 * A chain object (a put with a `link`) is written to a temporary file beside its link;
 * then the link file, which holds the metadata and the temporary name, gets its name by
 * link(2). That is the commit: it happens once, whole, for one writer. The rename of the
 * data to its key follows; head() and list() finish it after a crash. Files and folders
 * are fsynced on the way, so a commit that was answered survives a loss of power.
 *
 * Other keys (the root, the probe) get their name by link(2) when they must be new and by
 * rename(2) when they may replace. Their metadata is not kept.
 *
 * Nothing here bounds how long a writer may have slept (safety rule 9): files below the
 * commit can be moved away only when no other writer is alive.
 */
#include "store/dir.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

static pst_dir *dir_of(pst_store *store)
{
    return (pst_dir *)store;
}

/* ---- opening ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The folder of file:///folder, decoded, without slashes at its end; NULL if malformed.
 */
static bool root_of(const char *url, char out[PATH_MAX])
{
    const char *from = url ? url : "";
    if (strncmp(from, "file:///", 8) != 0)
        return false;
    size_t n = 0;
    for (from += 7; *from; from++) {
        char c = *from;
        if (c == '%') {
            int high = hex_digit(from[1]);
            int low = high < 0 ? -1 : hex_digit(from[2]);
            if (low < 0 || high * 16 + low == 0)
                return false;
            c = (char)(high * 16 + low);
            from += 2;
        }
        if (n + 1 >= PATH_MAX)
            return false;
        out[n++] = c;
    }
    while (n > 1 && out[n - 1] == '/')
        n--;
    out[n] = '\0';
    return n > 1;
}

static void dir_close(pst_store *store)
{
    pst_dir *dir = dir_of(store);
    pst_free(dir->root);
    pst_free(dir);
}

static pst_rc dir_open(pst_store **out, const pst_store_conf *conf,
                       const pst_clock *clock, pst_cancel *cancel, pst_log *log,
                       pst_err *err)
{
    char root[PATH_MAX];
    if (!root_of(conf->url, root))
        return pst_fail(err, PST_E_CONFIG,
                        "store.url: a directory is written file:///folder");
    pst_dir *dir = pst_calloc(1, sizeof *dir);
    if (!dir)
        return pst_fail_nomem(err, "the directory store");
    *dir = (pst_dir){.base.driver = &pst_store_dir,
                     .root = pst_strdup(root),
                     .clock = clock,
                     .cancel = cancel,
                     .log = log};
    pst_rc rc = dir->root ? PST_OK : pst_fail_nomem(err, "the directory store");
    int why = dir->root ? pst_dir_make_root(root) : 0;
    if (why)
        rc = pst_dir_fail(dir, why, "create the folder", "", err);
    if (rc != PST_OK) {
        dir_close(&dir->base);
        return rc;
    }
    if (conf->bucket && conf->bucket[0])
        pst_logf(log, PST_LOG_WARN, NULL, "store",
                 "s3.bucket.name is not used by a directory store; keys go to file://%s",
                 root);
    *out = &dir->base;
    return PST_OK;
}

/* ---- put ---- */

static bool exists(const pst_dir_at *at, const char *key)
{
    struct stat st;
    return fstatat(at->fd, key, &st, 0) == 0;
}

static pst_rc fail_exists(const pst_dir_at *at, const char *key, pst_err *err)
{
    return pst_fail(err, PST_E_EXISTS, "file://%s/%s exists already", at->dir->root, key);
}

/* Gives the temporary file its name if that is free. */
static pst_rc name_once(const pst_dir_at *at, const pst_dir_tmp *tmp, const char *key,
                        pst_err *err)
{
    if (linkat(at->fd, tmp->path, at->fd, key, 0) == 0)
        return PST_OK;
    int why = errno;
    struct stat st;
    /* A network file system may do it and then lose its answer. */
    if (why == EEXIST && fstat(tmp->fd, &st) == 0 && st.st_nlink == 2)
        return PST_OK;
    if (why == EEXIST)
        return fail_exists(at, key, err);
    if (why == EOPNOTSUPP || why == ENOSYS || why == EMLINK || why == EPERM)
        return pst_fail(
            err, PST_E_UNSUPPORTED,
            "file://%s: this file system has no hard links (%s), so nothing can "
            "be created exactly once: use another one",
            at->dir->root, strerrordesc_np(why));
    return pst_dir_fail(at->dir, why, "name", key, err);
}

static pst_rc put_plain(const pst_dir_at *at, const pst_store_put *put, pst_err *err)
{
    pst_dir_tmp tmp = PST_DIR_TMP_INIT;
    if (put->create_only && exists(at, put->key))
        return fail_exists(at, put->key, err);
    pst_rc rc = pst_dir_make_parents(at, put->key, err);
    if (rc == PST_OK)
        rc = pst_dir_tmp_create(at, put->key, 'p', &tmp, err);
    if (rc == PST_OK)
        rc = pst_dir_tmp_write(at, &tmp, put->chunks, put->bytes, err);
    if (rc != PST_OK)
        goto out;
    if (put->create_only) {
        rc = name_once(at, &tmp, put->key, err);
    } else if (renameat(at->fd, tmp.path, at->fd, put->key) == 0) {
        pst_dir_tmp_close(&tmp);
    } else {
        rc = pst_dir_fail(at->dir, errno, "rename a new file to", put->key, err);
    }
    if (rc == PST_OK) {
        rc = pst_dir_sync_parent(at, put->key, err);
        if (rc != PST_OK && err)
            err->unknown = true;
    }
out:
    pst_dir_tmp_discard(at, &tmp);
    return rc;
}

/* The data's later rename must not cross file systems. */
static pst_rc check_same_device(const pst_dir_at *at, const pst_store_put *put,
                                pst_err *err)
{
    char folder[PST_STORE_KEY_MAX + 1];
    struct stat a, b;
    pst_dir_parent(put->key, folder);
    int why = fstatat(at->fd, folder, &a, 0) == 0 ? 0 : errno;
    pst_dir_parent(put->link, folder);
    if (!why && fstatat(at->fd, folder, &b, 0) != 0)
        why = errno;
    if (!why && a.st_dev != b.st_dev)
        why = EXDEV;
    return why ? pst_dir_fail(at->dir, why, "use one file system for", put->key, err)
               : PST_OK;
}

static pst_rc write_link(const pst_dir_at *at, const pst_store_put *put,
                         const pst_dir_tmp *data, pst_dir_tmp *meta, pst_err *err)
{
    pst_buf text;
    pst_buf_init(&text, PST_DIR_LINK_MAX);
    pst_rc rc = pst_dir_link_text(put, pst_dir_basename(data->path), &text, err);
    if (rc == PST_OK)
        rc = pst_dir_tmp_create(at, put->link, 'm', meta, err);
    if (rc == PST_OK)
        rc = pst_dir_tmp_write(at, meta, NULL, (pst_sv){text.data, text.len}, err);
    pst_buf_done(&text);
    return rc;
}

/* The link is made: from here on the data must stay, whatever happens. */
static pst_rc after_commit(const pst_dir_at *at, const pst_store_put *put,
                           pst_dir_tmp *data, pst_err *err)
{
    pst_dir_link record = {0};
    snprintf(record.key, sizeof record.key, "%s", put->key);
    snprintf(record.temp, sizeof record.temp, "%s", pst_dir_basename(data->path));
    pst_rc rc = pst_dir_sync_parent(at, put->link, err);
    if (rc == PST_OK)
        rc = pst_dir_link_finish(at, put->link, &record, err);
    if (rc != PST_OK && err) {
        err->unknown = true;
        err->retriable = true;
    }
    pst_dir_tmp_close(data);
    return rc;
}

static pst_rc put_linked(const pst_dir_at *at, const pst_store_put *put, pst_err *err)
{
    pst_dir_tmp data = PST_DIR_TMP_INIT;
    pst_dir_tmp meta = PST_DIR_TMP_INIT;
    if (exists(at, put->link) || exists(at, put->key))
        return fail_exists(at, put->key, err);
    pst_rc rc = pst_dir_make_parents(at, put->link, err);
    if (rc == PST_OK)
        rc = pst_dir_make_parents(at, put->key, err);
    if (rc == PST_OK)
        rc = check_same_device(at, put, err);
    if (rc == PST_OK)
        rc = pst_dir_tmp_create(at, put->link, 'd', &data, err);
    if (rc == PST_OK)
        rc = pst_dir_tmp_write(at, &data, put->chunks, put->bytes, err);
    if (rc == PST_OK)
        rc = write_link(at, put, &data, &meta, err);
    if (rc == PST_OK)
        rc = name_once(at, &meta, put->link, err);
    if (rc == PST_OK)
        rc = after_commit(at, put, &data, err);
    pst_dir_tmp_discard(at, &meta);
    pst_dir_tmp_discard(at, &data);
    return rc;
}

/* ---- the driver's calls ---- */

/* Every call begins so: the key is one we accept, and the folder is there. */
static pst_rc begin(pst_store *store, const char *key, const char *link, pst_dir_at *at,
                    pst_err *err)
{
    const pst_dir *dir = dir_of(store);
    *at = (pst_dir_at){dir, -1};
    if (pst_cancelled(dir->cancel))
        return pst_fail(err, PST_E_STOPPED, "stopped");
    pst_rc rc = key ? pst_dir_check_key(dir, key, err) : PST_OK;
    if (rc == PST_OK && link)
        rc = pst_dir_check_key(dir, link, err);
    return rc == PST_OK ? pst_dir_open_root(dir, at, err) : rc;
}

static pst_rc dir_put(pst_store *store, const pst_store_put *put, pst_err *err)
{
    pst_dir_at at;
    pst_rc rc = begin(store, put->key, put->link, &at, err);
    if (rc != PST_OK)
        return rc;
    rc = put->link ? put_linked(&at, put, err) : put_plain(&at, put, err);
    pst_dir_close_root(&at);
    return rc;
}

static pst_rc head_file(const pst_dir_at *at, const char *key, pst_store_info *info,
                        pst_err *err)
{
    struct stat st;
    int why = fstatat(at->fd, key, &st, 0) == 0 ? 0 : errno;
    if (why && why != ENOENT && why != ENOTDIR)
        return pst_dir_fail(at->dir, why, "look at", key, err);
    if (why || !S_ISREG(st.st_mode))
        return pst_fail(err, PST_E_NOT_FOUND, "file://%s/%s: there is no such file",
                        at->dir->root, key);
    info->size = st.st_size;
    info->modified_ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
    return PST_OK;
}

static pst_rc head_link(const pst_dir_at *at, const char *key, const char *link,
                        pst_store_info *info, pst_err *err)
{
    pst_dir_link record;
    pst_err why = PST_ERR_INIT;
    pst_rc rc = pst_dir_link_read(at, link, &record, &why);
    if (rc == PST_E_NOT_FOUND) /* then a file at the key is somebody else's */
        return head_file(at, key, info, err);
    if (rc == PST_OK)
        rc = pst_dir_link_finish(at, link, &record, &why);
    if (rc != PST_OK) {
        if (err && err->code == PST_OK)
            *err = why;
        return rc;
    }
    info->size = record.size;
    info->modified_ms = record.modified_ms;
    info->meta = record.meta;
    return PST_OK;
}

static pst_rc dir_head(pst_store *store, const char *key, const char *link,
                       pst_store_info *info, pst_err *err)
{
    pst_dir_at at;
    *info = (pst_store_info){0};
    pst_rc rc = begin(store, key, link, &at, err);
    if (rc != PST_OK)
        return rc;
    rc = link ? head_link(&at, key, link, info, err) : head_file(&at, key, info, err);
    pst_dir_close_root(&at);
    return rc;
}

static pst_rc dir_get(pst_store *store, const char *key, pst_buf *body, pst_err *err)
{
    pst_dir_at at;
    pst_rc rc = begin(store, key, NULL, &at, err);
    if (rc != PST_OK)
        return rc;
    rc = pst_dir_read(&at, key, body, err);
    pst_dir_close_root(&at);
    return rc;
}

static pst_rc dir_list(pst_store *store, const pst_store_list *list, pst_store_each each,
                       void *opaque, pst_err *err)
{
    pst_dir_at at;
    pst_rc rc = begin(store, NULL, NULL, &at, err);
    if (rc != PST_OK)
        return rc;
    rc = pst_dir_list(&at, list, each, opaque, err);
    pst_dir_close_root(&at);
    return rc;
}

/* As in S3, removing what is not there is no error. */
static pst_rc dir_remove(pst_store *store, const char *key, pst_err *err)
{
    pst_dir_at at;
    struct stat st;
    pst_rc rc = begin(store, key, NULL, &at, err);
    if (rc != PST_OK)
        return rc;
    bool there =
        fstatat(at.fd, key, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode);
    if (there && unlinkat(at.fd, key, 0) != 0 && errno != ENOENT)
        rc = pst_dir_fail(at.dir, errno, "remove", key, err);
    else if (there)
        rc = pst_dir_sync_parent(&at, key, err);
    pst_dir_close_root(&at);
    return rc;
}

static void dir_describe(const pst_store *store, const char *key, char *out, size_t size)
{
    snprintf(out, size, "file://%s/%s", ((const pst_dir *)store)->root, key);
}

const pst_store_driver pst_store_dir = {
    .name = "directory",
    .open = dir_open,
    .close = dir_close,
    .put = dir_put,
    .head = dir_head,
    .get = dir_get,
    .list = dir_list,
    .remove = dir_remove,
    .describe = dir_describe,
    .links = true,
};
