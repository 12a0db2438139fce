/*
 * files.c - see files.h.
 *
 * A path is found by a small hash table of its own: the window is bounded, so the table
 * never grows. The last row's file is looked at first: rows come in bursts of one path.
 */
#include "runtime/files.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    OBJECT_TEXT = 256, /* of a manifest's object, without its key and closed runs */
    RUN_TEXT_MAX = 48,
};

pst_rc pst_files_new(pst_files **out, pst_err *err)
{
    pst_files *files = pst_calloc(1, sizeof *files);
    if (!files)
        return pst_fail_nomem(err, "window");
    *out = files;
    return PST_OK;
}

static void file_free(pst_file *file)
{
    pst_chunks_done(&file->bytes);
    pst_buf_done(&file->runs);
    pst_free(file->path);
    pst_free(file->key);
    pst_free(file);
}

void pst_files_free(pst_files *files)
{
    if (!files)
        return;
    for (size_t i = 0; i < files->n; i++)
        file_free(files->at[i]);
    pst_free(files->at);
    pst_free(files->plan);
    pst_free(files);
}

size_t pst_file_reserved(const pst_file *file)
{
    return sizeof *file + file->bytes.reserved + file->runs.cap +
           (file->path ? strlen(file->path) : 0);
}

size_t pst_files_reserved(const pst_files *files)
{
    size_t n = sizeof *files + files->cap * sizeof *files->at +
               files->n_plan * sizeof *files->plan;
    for (size_t i = 0; i < files->n; i++)
        n += pst_file_reserved(files->at[i]);
    return n;
}

/* ---- by path ---- */

static size_t slot_of(pst_sv path)
{
    uint32_t hash = 2166136261U; /* FNV-1a */
    for (size_t i = 0; i < path.n; i++)
        hash = (hash ^ (unsigned char)path.p[i]) * 16777619U;
    return (hash ^ hash >> 16) % PST_FILES_SLOTS;
}

static bool has_path(const pst_file *file, pst_sv path)
{
    return strlen(file->path) == path.n && memcmp(file->path, path.p, path.n) == 0;
}

/* Where the path is, or would be; half of the slots stay free. */
static size_t find_slot(const pst_files *files, pst_sv path)
{
    size_t slot = slot_of(path);
    while (files->slots[slot] && !has_path(files->at[files->slots[slot] - 1], path))
        slot = (slot + 1) % PST_FILES_SLOTS;
    return slot;
}

pst_file *pst_files_find(const pst_files *files, pst_sv path)
{
    if (files->last && has_path(files->last, path))
        return files->last;
    uint16_t index = files->slots[find_slot(files, path)];
    return index ? files->at[index - 1] : NULL;
}

bool pst_files_fit(const pst_files *files, const pst_file *file, size_t key_n)
{
    size_t more = file ? RUN_TEXT_MAX : OBJECT_TEXT + 2 * key_n;
    return files->text + more <= PST_MANIFEST_FILL &&
           files->n_closed + files->n < PST_FILES_RUNS_MAX - 1 &&
           (file || files->n < PST_FILES_MAX);
}

/* `file` becomes the list's. */
static pst_rc append(pst_files *files, pst_file *file, pst_err *err)
{
    if (files->n == files->cap) {
        size_t cap = files->cap ? files->cap * 2 : 8;
        pst_file **at = pst_realloc(files->at, cap, sizeof *at);
        if (!at)
            return pst_fail_nomem(err, "window");
        files->at = at;
        files->cap = cap;
    }
    files->at[files->n++] = file;
    return PST_OK;
}

static pst_file *file_new(void)
{
    pst_file *file = pst_calloc(1, sizeof *file);
    if (!file)
        return NULL;
    pst_chunks_init(&file->bytes);
    pst_buf_init(&file->runs, PST_MANIFEST_MAX);
    file->first = -1;
    file->first_ms = INT64_MIN;
    return file;
}

pst_rc pst_files_open(pst_files *files, pst_sv path, size_t key_n, pst_file **out,
                      pst_err *err)
{
    pst_file *file = file_new();
    if (file)
        file->path = pst_strndup(path.n ? path.p : "", path.n);
    pst_rc rc =
        file && file->path ? append(files, file, err) : pst_fail_nomem(err, "window");
    if (rc != PST_OK) {
        if (file)
            file_free(file);
        return rc;
    }
    files->slots[find_slot(files, path)] = (uint16_t)files->n;
    files->text += OBJECT_TEXT + 2 * key_n; /* JSON may escape every byte of it */
    *out = file;
    return PST_OK;
}

/* ---- rows ---- */

static pst_rc add_bytes(pst_files *files, pst_file *file, const pst_buf *bytes,
                        pst_err *err)
{
    if (pst_chunks_add(&file->bytes, bytes->data, bytes->len) != PST_OK)
        return pst_fail_nomem(err, "window");
    files->len += bytes->len;
    return PST_OK;
}

pst_rc pst_files_begin(pst_files *files, pst_file *file, const pst_buf *head,
                       pst_err *err)
{
    return add_bytes(files, file, head, err);
}

static pst_rc add_run(pst_buf *out, int64_t below, int64_t from, int64_t to)
{
    const char *comma = out->len ? "," : "";
    if (to - from == 1)
        return pst_buf_addf(out, "%s%" PRId64, comma, from - below);
    return pst_buf_addf(out, "%s%" PRId64 "*%" PRId64, comma, from - below, to - from);
}

/* Offsets between two rows of one file belong to it, too, if no row of another came
   between: what is there gives no row. */
static pst_rc note_run(pst_files *files, pst_file *file, int64_t offset, pst_err *err)
{
    if (files->last != file) {
        size_t before = file->runs.len;
        if (file->to && add_run(&file->runs, file->below, file->from, file->to) != PST_OK)
            return pst_fail_nomem(err, "window");
        files->text += file->runs.len - before;
        files->n_closed += file->to > 0;
        file->below = file->to;
        file->from = offset;
    }
    file->to = offset + 1;
    files->last = file;
    return PST_OK;
}

pst_rc pst_files_add(pst_files *files, pst_file *file, int64_t offset, const pst_buf *row,
                     pst_err *err)
{
    pst_rc rc = add_bytes(files, file, row, err);
    if (rc == PST_OK && !files->planned)
        rc = note_run(files, file, offset, err);
    if (rc != PST_OK)
        return rc;
    if (file->first < 0)
        file->first = offset;
    file->rows++;
    return PST_OK;
}

pst_rc pst_file_runs(const pst_file *file, pst_buf *out, pst_err *err)
{
    pst_rc rc = PST_OK;
    if (file->runs.len)
        rc = pst_buf_add(out, file->runs.data, file->runs.len);
    if (rc == PST_OK)
        rc = add_run(out, file->below, file->from, file->to);
    return rc == PST_OK ? PST_OK : pst_fail_nomem(err, "manifest");
}

/* ---- planned ---- */

pst_rc pst_files_plan(pst_files *files, char *key, pst_file **out, pst_err *err)
{
    pst_file *file = file_new();
    pst_rc rc = file ? append(files, file, err) : pst_fail_nomem(err, "window");
    if (rc != PST_OK) {
        pst_free(file);
        pst_free(key);
        return rc;
    }
    file->key = key;
    *out = file;
    return PST_OK;
}

static bool keep_run(pst_files *files, pst_run run, bool *nomem)
{
    size_t n = files->n_plan;
    if (n == PST_FILES_RUNS_MAX)
        return false;
    if ((n & (n - 1)) == 0) { /* a power of two: full */
        pst_run *plan = pst_realloc(files->plan, n ? 2 * n : 1, sizeof *plan);
        *nomem = !plan;
        if (!plan)
            return false;
        files->plan = plan;
    }
    files->plan[files->n_plan++] = run;
    return true;
}

/* Digits only, at most 19 of them. */
static bool read_number(pst_sv text, int64_t *out)
{
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
    return text.n && text.n <= 19 && pst_sv_to_i64(text, out);
}

bool pst_files_plan_runs(pst_files *files, size_t of, pst_sv text, int64_t start,
                         int64_t next, bool *nomem)
{
    int64_t below = 0;
    *nomem = false;
    do {
        pst_sv count;
        pst_sv item = pst_sv_cut(text, ',', &text);
        pst_sv gap = pst_sv_cut(item, '*', &count);
        int64_t skip, n = 1;
        if (!read_number(gap, &skip) || (count.p && !read_number(count, &n)))
            return false;
        if (n < 1 || skip > next - below || n > next - below - skip ||
            below + skip < start)
            return false;
        pst_run run = {.from = below + skip, .to = below + skip + n, .of = (uint32_t)of};
        if (files->at[of]->first < 0)
            files->at[of]->first = run.from;
        if (!keep_run(files, run, nomem))
            return false;
        below = run.to;
    } while (text.p);
    return true;
}

static int by_offset(const void *a, const void *b)
{
    const pst_run *x = a, *y = b;
    return (x->from > y->from) - (x->from < y->from);
}

bool pst_files_plan_sort(pst_files *files)
{
    qsort(files->plan, files->n_plan, sizeof *files->plan, by_offset);
    for (size_t i = 1; i < files->n_plan; i++)
        if (files->plan[i].from < files->plan[i - 1].to)
            return false;
    files->at_plan = 0;
    return true;
}

pst_file *pst_files_of(pst_files *files, int64_t offset)
{
    while (files->at_plan < files->n_plan && files->plan[files->at_plan].to <= offset)
        files->at_plan++;
    if (files->at_plan == files->n_plan || files->plan[files->at_plan].from > offset)
        return NULL;
    return files->at[files->plan[files->at_plan].of];
}

int64_t pst_files_missing(const pst_files *files)
{
    for (size_t i = 0; i < files->n_plan; i++)
        if (!files->at[files->plan[i].of]->done)
            return files->plan[i].from;
    return -1;
}
