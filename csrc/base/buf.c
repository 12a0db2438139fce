/*
 * buf.c - see buf.h.
 */
#include "base/buf.h"

#include "base/mem.h"

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

pst_chunks_pos pst_chunks_begin(const pst_chunks *chunks)
{
    return (pst_chunks_pos){.chunk = chunks->head, .at = 0};
}

size_t pst_chunks_read(pst_chunks_pos *pos, void *out, size_t n)
{
    char *to = out;
    size_t done = 0;
    while (done < n && pos->chunk) {
        size_t left = pos->chunk->len - pos->at;
        size_t part = left < n - done ? left : n - done;
        memcpy(to + done, pos->chunk->data + pos->at, part);
        done += part;
        pos->at += part;
        if (pos->at == pos->chunk->len)
            *pos = (pst_chunks_pos){.chunk = pos->chunk->next, .at = 0};
    }
    return done;
}
