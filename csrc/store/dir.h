/*
 * dir.h - what the files of the directory driver share. Internal to store/.
 *
 * All paths are keys, taken relative to a descriptor of the root folder that is opened
 * for each call: a root that is moved or remounted is noticed, and the working directory
 * doesn't matter.
 */
#ifndef PST_STORE_DIR_H
#define PST_STORE_DIR_H

#include "store/store.h"

#include <sys/stat.h>

typedef struct pst_dir {
    pst_store base;
    char *root; /* absolute path of the folder, no slash at its end */
    const pst_clock *clock;
    pst_cancel *cancel;
    pst_log *log;
} pst_dir;

enum {
    PST_DIR_COMPONENT_MAX = 230, /* leaves room for a temporary name's prefix in 255 */
    PST_DIR_ORPHAN_MS = 3600 * 1000,
    PST_DIR_LINK_MAX = 64 * 1024,
};

/* One open root folder, for the length of a call. */
typedef struct pst_dir_at {
    const pst_dir *dir;
    int fd;
} pst_dir_at;

/* ---- dirfs.c: files and folders ---- */

/* A key may be hostile: "..", ".", empty components, our own temporary names and anything
   a file system can't hold are refused. */
pst_rc pst_dir_check_key(const pst_dir *dir, const char *key, pst_err *err) PST_MUST;
pst_rc pst_dir_open_root(const pst_dir *dir, pst_dir_at *out, pst_err *err) PST_MUST;
void pst_dir_close_root(pst_dir_at *at);
/* Creates an absolute folder with its parents. 0 or errno. */
int pst_dir_make_root(const char *path) PST_MUST;
/* The folder part of a key, without a slash at its end; "." if there is none. */
void pst_dir_parent(const char *key, char out[PST_STORE_KEY_MAX + 1]);
const char *pst_dir_basename(const char *key);
/* Creates the folders above a key, durably. */
pst_rc pst_dir_make_parents(const pst_dir_at *at, const char *key, pst_err *err) PST_MUST;
/* Makes the directory entry of a key durable. */
pst_rc pst_dir_sync_parent(const pst_dir_at *at, const char *key, pst_err *err) PST_MUST;
/* Reads a regular file whole; PST_E_NOT_FOUND, PST_E_LIMIT beyond body->max. */
pst_rc pst_dir_read(const pst_dir_at *at, const char *key, pst_buf *body,
                    pst_err *err) PST_MUST;
/* "cannot <doing> file:///…: why, what to do"; classified by errno. */
pst_rc pst_dir_fail(const pst_dir *dir, int why, const char *doing, const char *key,
                    pst_err *err);

/* ---- dirtmp.c: temporary files ----
   .tmp-<kind><16 hex digits>-<name>: kind d = data waiting for its link <name>, m = a
   link file before it is linked, p = any other file before it gets its name. A writer
   holds a lock on its file, so that a sleeper's file is never taken for an orphan. */

typedef struct pst_dir_tmp {
    char path[PST_STORE_KEY_MAX + 64];
    int fd; /* -1 = there is none */
} pst_dir_tmp;

#define PST_DIR_TMP_INIT                                                                 \
    {                                                                                    \
        .fd = -1                                                                         \
    }

pst_rc pst_dir_tmp_create(const pst_dir_at *at, const char *for_key, char kind,
                          pst_dir_tmp *tmp, pst_err *err) PST_MUST;
/* Writes the bytes and makes them durable. */
pst_rc pst_dir_tmp_write(const pst_dir_at *at, pst_dir_tmp *tmp, const pst_chunks *chunks,
                         pst_sv bytes, pst_err *err) PST_MUST;
void pst_dir_tmp_discard(const pst_dir_at *at, pst_dir_tmp *tmp); /* removes the file */
void pst_dir_tmp_close(pst_dir_tmp *tmp);                         /* leaves the file */
bool pst_dir_tmp_is(const char *basename);
/* A folder's temporary file, seen in a listing: finishes what was committed, removes what
   is ours and left over for an hour. `key` is the temporary file's own. */
pst_rc pst_dir_tmp_sweep(const pst_dir_at *at, const char *key, pst_err *err) PST_MUST;

/* ---- dirlink.c: link files ---- */

typedef struct pst_dir_link {
    char key[PST_STORE_KEY_MAX + 1]; /* where the data belongs */
    char temp[256];                  /* the data's name until it is there */
    int64_t size;
    int64_t modified_ms;
    pst_store_meta meta;
} pst_dir_link;

pst_rc pst_dir_link_text(const pst_store_put *put, const char *temp, pst_buf *out,
                         pst_err *err) PST_MUST;
pst_rc pst_dir_link_read(const pst_dir_at *at, const char *link, pst_dir_link *out,
                         pst_err *err) PST_MUST;
/* Moves the data to its key if that was not done yet. */
pst_rc pst_dir_link_finish(const pst_dir_at *at, const char *link,
                           const pst_dir_link *record, pst_err *err) PST_MUST;

/* ---- dirlist.c ---- */

pst_rc pst_dir_list(const pst_dir_at *at, const pst_store_list *list, pst_store_each each,
                    void *opaque, pst_err *err) PST_MUST;

#endif
