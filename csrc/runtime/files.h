/*
 * files.h - the data objects of a window whose rows go to several (routed layouts).
 *
 * While a window is filled: one file a path, and which records' rows lie in each ("runs"
 * of offsets, for the manifest). When a window is completed after somebody else's
 * manifest ("planned"): its objects, and by offset which of them a record's row belongs
 * to. Chain and sink share it; no locks: a window is one thread's at a time.
 *
 * The text of runs: "100*5,2,1*4" are the offsets 100 to 104, 107 and 109 to 112: skip so
 * many offsets after the run before, then take so many (1 without a star).
 */
#ifndef PST_RUNTIME_FILES_H
#define PST_RUNTIME_FILES_H

#include "base/buf.h"
#include "base/str.h"

enum {
    PST_FILES_MAX = 1000,            /* data objects a window */
    PST_FILES_RUNS_MAX = 128 * 1024, /* runs a window, all objects together */
    PST_MANIFEST_FILL =
        1024 * 1024, /* bytes of a manifest; a window is closed before it */
    PST_MANIFEST_MAX = 2 * PST_MANIFEST_FILL, /* what is read of one */
    PST_FILES_SLOTS = 2048,
};

typedef struct pst_file {
    char *path; /* folders below the topic's; NULL if planned */
    char *key;  /* NULL until the window goes to the store */
    pst_chunks bytes;
    int64_t first;    /* offset of its first row's record */
    int64_t first_ms; /* that record's time; INT64_MIN = none */
    int64_t rows;
    pst_buf runs;     /* text of the runs that are closed */
    int64_t from, to; /* the run that grows */
    int64_t below;    /* end of the run before it */
    uint32_t crc32c;  /* of the first `summed` bytes; of all when it goes to the store */
    size_t summed;
    int64_t expected; /* planned: rows, as the manifest says */
    bool done;        /* it is in the store */
    bool left;        /* planned: for another pass, as memory ran out */
} pst_file;

/* Offsets [from, to) of a plan belong to file `of`. */
typedef struct pst_run {
    int64_t from, to;
    uint32_t of;
} pst_run;

typedef struct pst_files {
    pst_file **at;
    size_t n, cap;
    pst_file *last;  /* the last row's */
    size_t len;      /* encoded bytes of all */
    size_t text;     /* about how long the manifest will be */
    size_t n_closed; /* runs */
    bool written;    /* the manifest is in the store */
    bool planned;
    pst_run *plan; /* sorted */
    size_t n_plan, at_plan;
    uint16_t slots[PST_FILES_SLOTS]; /* by path's hash: index + 1 */
} pst_files;

pst_rc pst_files_new(pst_files **out, pst_err *err) PST_MUST;
void pst_files_free(pst_files *files); /* NULL is fine */
/* Memory that they take, and one of them. */
size_t pst_files_reserved(const pst_files *files);
size_t pst_file_reserved(const pst_file *file);

pst_file *pst_files_find(const pst_files *files, pst_sv path); /* NULL if there is none */
/* Is there room in the manifest for one more row, of a new file if `file` is NULL? */
bool pst_files_fit(const pst_files *files, const pst_file *file, size_t key_n);
/* A file for `path`, whose key will have key_n bytes. */
pst_rc pst_files_open(pst_files *files, pst_sv path, size_t key_n, pst_file **out,
                      pst_err *err) PST_MUST;
/* The row of the record at `offset`, which is beyond all before. */
pst_rc pst_files_add(pst_files *files, pst_file *file, int64_t offset, const pst_buf *row,
                     pst_err *err) PST_MUST;
/* Bytes that are no row: what an object starts with. */
pst_rc pst_files_begin(pst_files *files, pst_file *file, const pst_buf *head,
                       pst_err *err) PST_MUST;
/* The whole text of a file's runs. */
pst_rc pst_file_runs(const pst_file *file, pst_buf *out, pst_err *err) PST_MUST;

/* ---- planned ---- */

/* An empty file at `key` (taken). */
pst_rc pst_files_plan(pst_files *files, char *key, pst_file **out, pst_err *err) PST_MUST;
/* Reads the text of a file's runs, all within [start, next); false if it is malformed or
   too much. */
bool pst_files_plan_runs(pst_files *files, size_t of, pst_sv text, int64_t start,
                         int64_t next, bool *nomem);
/* All runs are read: sorts them; false if an offset belongs to two files. */
bool pst_files_plan_sort(pst_files *files);
/* The file that the row at `offset` belongs to, NULL if there is none; offsets grow. */
pst_file *pst_files_of(pst_files *files, int64_t offset);
/* The first offset of a file that is not done; -1 if all are. */
int64_t pst_files_missing(const pst_files *files);

#endif
