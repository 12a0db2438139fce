/*
 * spool.h - files that hold what memory does not: the first bytes of large windows
 * (spool.dir).
 *
 * A file has no name, so that nothing is left of it whatever happens to the process, and
 * is never synced: the topic is the truth, a window is read again after a crash. All
 * files together have a ceiling in bytes and one in number. The readers of pst_chunks
 * find the bytes there by themselves.
 *
 * A pst_spool is shared by all tasks; a file belongs to its chunks.
 */
#ifndef PST_BASE_SPOOL_H
#define PST_BASE_SPOOL_H

#include "base/buf.h"

enum { PST_SPOOL_FILES_MAX = 256 };

typedef struct pst_spool pst_spool;
typedef struct pst_spool_file pst_spool_file;

/* Tries the folder by making a file there: PST_E_CONFIG if that fails. */
pst_rc pst_spool_new(pst_spool **out, const char *dir, int64_t max_bytes,
                     pst_err *err) PST_MUST;
void pst_spool_free(pst_spool *spool); /* after its files; NULL is fine */
int64_t pst_spool_used(const pst_spool *spool);

/* Moves what lies in memory to the file, which is made if there is none yet. What fails
   (PST_E_LIMIT: the spool is full; PST_E_IO) stays in memory, and every byte in its
   place. */
pst_rc pst_chunks_spill(pst_chunks *chunks, pst_spool *spool, pst_err *err) PST_MUST;

/* For buf.c. n bytes at `at`; 0, or an errno. */
int pst_spool_file_read(const pst_spool_file *file, size_t at, char *out, size_t n);
void pst_spool_file_free(pst_spool_file *file); /* NULL is fine */

#endif
