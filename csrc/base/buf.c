/*
 * buf.c - see buf.h.
 */
#include "base/buf.h"

#include "base/mem.h"
#include "base/spool.h"

#include <stdio.h>

void pst_buf_init(pst_buf *buf, size_t max)
{
    *buf = (pst_buf){.max = max};
}

void pst_buf_done(pst_buf *buf)
{
    pst_free(buf->data);
    *buf = (pst_buf){.max = buf->max};
}

void pst_buf_clear(pst_buf *buf)
{
    buf->len = 0;
}

pst_rc pst_buf_reserve(pst_buf *buf, size_t n)
{
    if (buf->cap - buf->len >= n)
        return PST_OK;
    if (n > buf->max || buf->len > buf->max - n)
        return PST_E_LIMIT;
    size_t need = buf->len + n;
    size_t cap = buf->cap < 64 ? 64 : buf->cap;
    while (cap < need)
        cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    if (cap > buf->max)
        cap = buf->max;
    char *data = pst_realloc(buf->data, cap, 1);
    if (!data)
        return PST_E_NOMEM;
    buf->data = data;
    buf->cap = cap;
    return PST_OK;
}

pst_rc pst_buf_add(pst_buf *buf, const void *bytes, size_t n)
{
    pst_rc rc = pst_buf_reserve(buf, n);
    if (rc == PST_OK && n) {
        memcpy(buf->data + buf->len, bytes, n);
        buf->len += n;
    }
    return rc;
}

pst_rc pst_buf_adds(pst_buf *buf, const char *s)
{
    return pst_buf_add(buf, s, strlen(s));
}

pst_rc pst_buf_addf(pst_buf *buf, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    pst_rc rc = n < 0 ? PST_E_INVALID : pst_buf_reserve(buf, (size_t)n + 1);
    if (rc == PST_OK) {
        vsnprintf(buf->data + buf->len, (size_t)n + 1, fmt, again);
        buf->len += (size_t)n;
    }
    va_end(again);
    return rc;
}

const char *pst_buf_cstr(pst_buf *buf)
{
    if (pst_buf_reserve(buf, 1) != PST_OK)
        return NULL;
    buf->data[buf->len] = '\0';
    return buf->data;
}

char *pst_buf_take(pst_buf *buf)
{
    if (!pst_buf_cstr(buf))
        return NULL;
    char *data = buf->data;
    *buf = (pst_buf){.max = buf->max};
    return data;
}

void pst_chunks_init(pst_chunks *chunks)
{
    *chunks = (pst_chunks){0};
}

void pst_chunks_done(pst_chunks *chunks)
{
    pst_chunk *chunk = chunks->head;
    while (chunk) {
        pst_chunk *next = chunk->next;
        pst_free(chunk);
        chunk = next;
    }
    pst_spool_file_free(chunks->file);
    *chunks = (pst_chunks){0};
}

/* Small windows stay small; large ones soon use large blocks. */
static size_t next_capacity(const pst_chunks *chunks)
{
    size_t cap = chunks->tail ? chunks->tail->cap * 2 : PST_CHUNK_MIN;
    return cap > PST_CHUNK_MAX ? PST_CHUNK_MAX : cap;
}

static pst_rc chunks_grow(pst_chunks *chunks)
{
    size_t cap = next_capacity(chunks);
    pst_chunk *chunk = pst_malloc(sizeof *chunk + cap);
    if (!chunk)
        return PST_E_NOMEM;
    chunk->next = NULL;
    chunk->len = 0;
    chunk->cap = cap;
    if (chunks->tail)
        chunks->tail->next = chunk;
    else
        chunks->head = chunk;
    chunks->tail = chunk;
    chunks->reserved += sizeof *chunk + cap;
    return PST_OK;
}

pst_rc pst_chunks_add(pst_chunks *chunks, const void *bytes, size_t n)
{
    const char *from = bytes;
    while (n) {
        pst_chunk *tail = chunks->tail;
        if (!tail || tail->len == tail->cap) {
            pst_rc rc = chunks_grow(chunks);
            if (rc != PST_OK)
                return rc;
            tail = chunks->tail;
        }
        size_t room = tail->cap - tail->len;
        size_t part = n < room ? n : room;
        memcpy(tail->data + tail->len, from, part);
        tail->len += part;
        chunks->len += part;
        from += part;
        n -= part;
    }
    return PST_OK;
}

void pst_chunks_move(pst_chunks *to, pst_chunks *from)
{
    *to = *from;
    *from = (pst_chunks){0};
}

pst_chunks_pos pst_chunks_range(const pst_chunks *chunks, size_t from, size_t n)
{
    from = from < chunks->len ? from : chunks->len;
    size_t left = chunks->len - from;
    pst_chunks_pos pos = {.chunks = chunks,
                          .chunk = chunks->head,
                          .offset = from,
                          .end = from + (n < left ? n : left)};
    if (from <= chunks->spooled)
        return pos;
    pos.at = from - chunks->spooled;
    while (pos.chunk && pos.at >= pos.chunk->len) {
        pos.at -= pos.chunk->len;
        pos.chunk = pos.chunk->next;
    }
    return pos;
}

pst_chunks_pos pst_chunks_begin(const pst_chunks *chunks)
{
    return pst_chunks_range(chunks, 0, chunks->len);
}

static size_t next_spooled(pst_chunks_pos *pos, char *scratch, size_t size)
{
    size_t left = pos->chunks->spooled - pos->offset;
    size_t n = size < left ? size : left;
    if (pos->end - pos->offset < n)
        n = pos->end - pos->offset;
    pos->failed = pst_spool_file_read(pos->chunks->file, pos->offset, scratch, n);
    if (pos->failed)
        return 0;
    pos->offset += n;
    return n;
}

/* At most `size` bytes, in place. */
static size_t next_in_memory(pst_chunks_pos *pos, size_t size, const char **piece)
{
    size_t n = pos->chunk->len - pos->at;
    n = n < size ? n : size;
    if (pos->end - pos->offset < n)
        n = pos->end - pos->offset;
    *piece = pos->chunk->data + pos->at;
    pos->at += n;
    pos->offset += n;
    if (pos->at == pos->chunk->len) {
        pos->chunk = pos->chunk->next;
        pos->at = 0;
    }
    return n;
}

size_t pst_chunks_next(pst_chunks_pos *pos, char *scratch, size_t size,
                       const char **piece)
{
    *piece = scratch;
    if (pos->failed || pos->offset == pos->end)
        return 0;
    if (pos->offset < pos->chunks->spooled)
        return next_spooled(pos, scratch, size);
    return next_in_memory(pos, SIZE_MAX, piece);
}

size_t pst_chunks_read(pst_chunks_pos *pos, void *out, size_t n)
{
    char *to = out;
    size_t done = 0;
    while (done < n && pos->offset < pos->end && !pos->failed) {
        if (pos->offset < pos->chunks->spooled) {
            done += next_spooled(pos, to + done, n - done);
            continue;
        }
        const char *piece;
        size_t part = next_in_memory(pos, n - done, &piece);
        memcpy(to + done, piece, part);
        done += part;
    }
    return pos->failed ? 0 : done;
}

pst_rc pst_chunks_failed(const pst_chunks_pos *pos, pst_err *err)
{
    if (!pos->failed)
        return PST_OK;
    return pst_fail(err, PST_E_IO,
                    "a spooled window cannot be read back (%s): nothing is lost, its "
                    "records are in the topic; check spool.dir's disk",
                    strerrordesc_np(pos->failed));
}

void pst_chunks_forget(pst_chunks *chunks, const pst_chunks_pos *pos)
{
    while (chunks->head && chunks->head != pos->chunk) {
        pst_chunk *chunk = chunks->head;
        chunks->head = chunk->next;
        chunks->len -= chunk->len;
        chunks->reserved -= sizeof *chunk + chunk->cap;
        pst_free(chunk);
    }
    if (!chunks->head)
        chunks->tail = NULL;
}
