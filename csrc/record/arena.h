/*
 * arena.h - memory that lives for one record: strings that had to be decoded or computed.
 *
 * Blocks are kept and used again, so that a steady state allocates nothing; large ones
 * are given back at the next reset. A pointer stays valid until then. The ceiling is the
 * owner's: pst_arena_get() answers NULL beyond it.
 */
#ifndef PST_RECORD_ARENA_H
#define PST_RECORD_ARENA_H

#include "base/err.h"

typedef struct pst_arena_block {
    struct pst_arena_block *next;
    size_t cap;
    char data[];
} pst_arena_block;

typedef struct pst_arena {
    pst_arena_block *head, *current;
    size_t at;        /* in the current block */
    size_t allocated; /* bytes of all blocks */
    size_t max;
} pst_arena;

enum { PST_ARENA_BLOCK = 16 * 1024, PST_ARENA_KEEP = 256 * 1024 };

void pst_arena_init(pst_arena *arena, size_t max);
void pst_arena_done(pst_arena *arena);
void pst_arena_reset(pst_arena *arena);
char *pst_arena_more(pst_arena *arena, size_t n); /* the slow way of pst_arena_get() */

/* Room for n bytes. pst_arena_keep() says how many of them were used. */
static inline char *pst_arena_get(pst_arena *arena, size_t n)
{
    pst_arena_block *block = arena->current;
    if (__builtin_expect(!block || block->cap - arena->at < n, 0))
        return pst_arena_more(arena, n);
    return block->data + arena->at;
}

static inline void pst_arena_keep(pst_arena *arena, size_t n)
{
    arena->at += n;
}

#endif
