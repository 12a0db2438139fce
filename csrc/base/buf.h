/*
 * buf.h - growing byte buffers with a ceiling.
 *
 * pst_buf: one contiguous block. Its ceiling is given at init; an append that would pass
 * it (or that finds no memory) leaves the buffer as it was and answers PST_E_LIMIT /
 * _NOMEM. pst_chunks: a list of blocks for large encoded windows: nothing is ever moved
 * or copied again, memory grows with what is stored, and an upload reads it block by
 * block. Its first bytes may lie in a file (base/spool.h); who reads it by a position
 * does not see where they are. Neither is thread-safe.
 */
#ifndef PST_BASE_BUF_H
#define PST_BASE_BUF_H

#include "base/err.h"

#include <stdint.h>
#include <string.h>

typedef struct pst_buf {
    char *data; /* not NUL-terminated; see pst_buf_cstr() */
    size_t len, cap, max;
} pst_buf;

/* Cannot fail and allocates nothing. `max` in bytes. */
void pst_buf_init(pst_buf *buf, size_t max);
void pst_buf_done(pst_buf *buf);
void pst_buf_clear(pst_buf *buf); /* length 0, memory kept */
/* Makes room for n more bytes after len. */
pst_rc pst_buf_reserve(pst_buf *buf, size_t n) PST_MUST;
pst_rc pst_buf_add(pst_buf *buf, const void *bytes, size_t n) PST_MUST;
pst_rc pst_buf_adds(pst_buf *buf, const char *s) PST_MUST;
pst_rc pst_buf_addf(pst_buf *buf, const char *fmt, ...) PST_PRINTF(2, 3) PST_MUST;
/* NUL-terminates (the NUL does not count in len) and returns data; NULL if no memory. */
const char *pst_buf_cstr(pst_buf *buf) PST_MUST;
/* Moves the block to the caller (NUL-terminated; free with pst_free()); buf is empty. */
char *pst_buf_take(pst_buf *buf) PST_MUST;

static inline pst_rc pst_buf_addc(pst_buf *buf, char c)
{
    return pst_buf_add(buf, &c, 1);
}

typedef struct pst_chunk {
    struct pst_chunk *next;
    size_t len, cap;
    char data[];
} pst_chunk;

typedef struct pst_chunks {
    pst_chunk *head, *tail;      /* in memory: what comes after the file's bytes */
    struct pst_spool_file *file; /* base/spool.h; NULL = none */
    size_t spooled;              /* bytes in the file */
    size_t len;                  /* bytes stored, here and there */
    size_t reserved;             /* bytes allocated, what the memory budget counts */
} pst_chunks;

enum { PST_CHUNK_MIN = 4096, PST_CHUNK_MAX = 256 * 1024 };

void pst_chunks_init(pst_chunks *chunks);
void pst_chunks_done(pst_chunks *chunks);
/* Appends n bytes; they may be split over two blocks. The ceiling is the caller's budget.
 */
pst_rc pst_chunks_add(pst_chunks *chunks, const void *bytes, size_t n) PST_MUST;
/* Moves all of `from` to the empty `to`. */
void pst_chunks_move(pst_chunks *to, pst_chunks *from);
/* A read position: for uploads. Several may read the same chunks, from several threads,
   while nobody changes them. */
typedef struct pst_chunks_pos {
    const pst_chunks *chunks;
    const pst_chunk *chunk; /* once past the file */
    size_t at;              /* in the chunk */
    size_t offset, end;     /* in the whole */
    int failed;             /* errno of a file that can't be read; then no more comes */
} pst_chunks_pos;
pst_chunks_pos pst_chunks_begin(const pst_chunks *chunks);
/* n bytes from `from` on, as many as there are. */
pst_chunks_pos pst_chunks_range(const pst_chunks *chunks, size_t from, size_t n);
/* Copies up to n bytes from the position on; 0 at the end, or if pos->failed. */
size_t pst_chunks_read(pst_chunks_pos *pos, void *out, size_t n);
/* The next piece: in place if it lies in memory, else up to `size` bytes of the file in
   `scratch`. Its length; 0 at the end, or if pos->failed. */
size_t pst_chunks_next(pst_chunks_pos *pos, char *scratch, size_t size,
                       const char **piece);
/* PST_OK, or what pos->failed says. */
pst_rc pst_chunks_failed(const pst_chunks_pos *pos, pst_err *err) PST_MUST;
/* Frees the blocks before the position: what was read is given back while the rest is
   still to be read. The position stays good, others don't; a file stays. */
void pst_chunks_forget(pst_chunks *chunks, const pst_chunks_pos *pos);

#endif
