/*
 * dirlist.c - listing of the directory store: keys in byte order, as S3 lists them.
 *
 * A folder is read whole and sorted with a slash after the names of folders, because a
 * folder's keys sort by "name/": "a-b" comes before "a/x". Folders that can hold no
 * wanted key (by prefix or `after`) are not opened. Symbolic links to files count as
 * files; symbolic links to folders are not followed (they may make loops), except in the
 * prefix.
 */
#include "base/mem.h"
#include "store/dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { NAMES_MAX = 1 << 30, TEMPS_MAX = 1024 * 1024 };

typedef struct walk {
    const pst_dir_at *at;
    const pst_store_list *list;
    pst_store_each each;
    void *opaque;
    pst_err *err;
    size_t n;                        /* keys given out */
    bool stop;                       /* the caller has enough */
    char key[PST_STORE_KEY_MAX + 1]; /* the folder being walked, with its last slash */
} walk;

/* One folder's wanted names, NUL-terminated in `text`, folders with a slash; and where
   each of them starts. */
typedef struct names {
    pst_buf text;
    pst_buf starts; /* uint32_t each */
    pst_buf temps;  /* names of temporary files, NUL-terminated */
} names;

static void names_init(names *all)
{
    pst_buf_init(&all->text, NAMES_MAX);
    pst_buf_init(&all->starts, NAMES_MAX);
    pst_buf_init(&all->temps, TEMPS_MAX);
}

static void names_done(names *all)
{
    pst_buf_done(&all->text);
    pst_buf_done(&all->starts);
    pst_buf_done(&all->temps);
}

/* Can a key that is, or for a folder begins with, `key` be wanted? */
static bool wanted(const pst_store_list *list, const char *key, size_t n, bool folder)
{
    const char *prefix = list->prefix ? list->prefix : "";
    size_t prefix_n = strlen(prefix);
    size_t common = n < prefix_n ? n : prefix_n;
    if (memcmp(key, prefix, common) != 0 || (!folder && n < prefix_n))
        return false;
    if (!list->after || strcmp(key, list->after) > 0)
        return true;
    return folder && strncmp(list->after, key, n) == 0;
}

/* 1 = a folder, 0 = a file, -1 = neither. */
static int kind_of(int folder_fd, const struct dirent *entry)
{
    struct stat st;
    if (entry->d_type == DT_REG)
        return 0;
    if (entry->d_type == DT_DIR)
        return 1;
    if (entry->d_type != DT_LNK && entry->d_type != DT_UNKNOWN)
        return -1;
    if (fstatat(folder_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return -1;
    if (S_ISDIR(st.st_mode))
        return 1;
    if (S_ISLNK(st.st_mode) && fstatat(folder_fd, entry->d_name, &st, 0) != 0)
        return -1;
    return S_ISREG(st.st_mode) ? 0 : -1;
}

static pst_rc add_name(walk *w, size_t len, names *all, int fd,
                       const struct dirent *entry)
{
    const char *name = entry->d_name;
    size_t n = strlen(name);
    if (pst_dir_tmp_is(name))
        return pst_buf_add(&all->temps, name, n + 1) == PST_E_NOMEM ? PST_E_NOMEM
                                                                    : PST_OK;
    if (len + n > PST_STORE_KEY_MAX || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return PST_OK;
    int kind = kind_of(fd, entry);
    if (kind < 0 || (kind == 1 && len + n == PST_STORE_KEY_MAX))
        return PST_OK;
    memcpy(w->key + len, name, n + 1);
    if (kind == 1)
        memcpy(w->key + len + n++, "/", 2);
    if (!wanted(w->list, w->key, len + n, kind == 1))
        return PST_OK;
    uint32_t start = (uint32_t)all->text.len;
    pst_rc rc = pst_buf_add(&all->text, w->key + len, n + 1);
    return rc == PST_OK ? pst_buf_add(&all->starts, &start, sizeof start) : rc;
}

static pst_rc read_folder(walk *w, size_t len, names *all)
{
    w->key[len] = '\0';
    int fd = openat(w->at->fd, len ? w->key : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return PST_OK;
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    if (!stream) {
        int why = errno;
        if (fd >= 0)
            close(fd);
        return pst_dir_fail(w->at->dir, why, "list", w->key, w->err);
    }
    pst_rc rc = PST_OK;
    const struct dirent *entry;
    errno = 0;
    while (rc == PST_OK && (entry = readdir(stream)) != NULL) {
        rc = add_name(w, len, all, fd, entry);
        errno = 0;
    }
    int why = errno;
    closedir(stream);
    w->key[len] = '\0';
    if (rc != PST_OK)
        return pst_fail(w->err, rc, "too many names in file://%s/%s", w->at->dir->root,
                        w->key);
    return why ? pst_dir_fail(w->at->dir, why, "list", w->key, w->err) : PST_OK;
}

static int by_bytes(const void *a, const void *b, void *text)
{
    uint32_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return strcmp((const char *)text + x, (const char *)text + y);
}

static pst_rc sweep(walk *w, size_t len, const pst_buf *temps)
{
    char key[PST_STORE_KEY_MAX + 300];
    pst_rc rc = PST_OK;
    for (size_t i = 0; i < temps->len && rc == PST_OK; i += strlen(temps->data + i) + 1) {
        snprintf(key, sizeof key, "%.*s%s", (int)len, w->key, temps->data + i);
        rc = pst_dir_tmp_sweep(w->at, key, w->err);
    }
    return rc;
}

static void give(walk *w)
{
    struct stat st;
    if (fstatat(w->at->fd, w->key, &st, 0) != 0 || !S_ISREG(st.st_mode))
        return; /* gone since the folder was read */
    w->n++;
    w->stop = !w->each(w->opaque, w->key, st.st_size) ||
              (w->list->limit && w->n >= w->list->limit);
}

/* Recursion is bounded by the length of a key. */
static pst_rc walk_folder(walk *w, size_t len) // NOLINT(misc-no-recursion)
{
    names all;
    names_init(&all);
    pst_rc rc = read_folder(w, len, &all);
    if (rc == PST_OK)
        rc = sweep(w, len, &all.temps);
    size_t n = all.starts.len / sizeof(uint32_t);
    if (rc == PST_OK && n)
        qsort_r(all.starts.data, n, sizeof(uint32_t), by_bytes, all.text.data);
    for (size_t i = 0; i < n && rc == PST_OK && !w->stop; i++) {
        uint32_t start;
        memcpy(&start, all.starts.data + i * sizeof start, sizeof start);
        const char *name = all.text.data + start;
        size_t name_n = strlen(name);
        memcpy(w->key + len, name, name_n + 1);
        if (pst_cancelled(w->at->dir->cancel))
            rc = pst_fail(w->err, PST_E_STOPPED, "stopped while listing");
        else if (name[name_n - 1] == '/')
            rc = walk_folder(w, len + name_n);
        else
            give(w);
    }
    names_done(&all);
    return rc;
}

pst_rc pst_dir_list(const pst_dir_at *at, const pst_store_list *list, pst_store_each each,
                    void *opaque, pst_err *err)
{
    walk w = {.at = at, .list = list, .each = each, .opaque = opaque, .err = err};
    const char *prefix = list->prefix ? list->prefix : "";
    size_t len = (size_t)(pst_dir_basename(prefix) - prefix);
    if (len > PST_STORE_KEY_MAX)
        return PST_OK;
    if (len) {
        memcpy(w.key, prefix, len - 1);
        pst_rc rc = pst_dir_check_key(at->dir, w.key, err);
        if (rc != PST_OK)
            return rc;
    }
    memcpy(w.key, prefix, len);
    return walk_folder(&w, len);
}
