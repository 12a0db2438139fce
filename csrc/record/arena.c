/*
 * arena.c - see arena.h.
 */
#include "record/arena.h"

#include "base/mem.h"

void pst_arena_init(pst_arena *arena, size_t max)
{
    *arena = (pst_arena){.max = max};
}

static void free_blocks(pst_arena *arena)
{
    while (arena->head) {
        pst_arena_block *next = arena->head->next;
        pst_free(arena->head);
        arena->head = next;
    }
    arena->current = NULL;
    arena->allocated = 0;
    arena->at = 0;
}

void pst_arena_done(pst_arena *arena)
{
    free_blocks(arena);
}

void pst_arena_reset(pst_arena *arena)
{
    if (arena->allocated > PST_ARENA_KEEP)
        free_blocks(arena);
    arena->current = arena->head;
    arena->at = 0;
}

char *pst_arena_more(pst_arena *arena, size_t n)
{
    while (arena->current && arena->current->next) {
        arena->current = arena->current->next;
        arena->at = 0;
        if (arena->current->cap >= n)
            return arena->current->data;
    }
    size_t cap = n > PST_ARENA_BLOCK ? n : PST_ARENA_BLOCK;
    if (cap > arena->max || arena->allocated > arena->max - cap)
        return NULL;
    pst_arena_block *block = pst_malloc(sizeof *block + cap);
    if (!block)
        return NULL;
    block->next = NULL;
    block->cap = cap;
    if (arena->current)
        arena->current->next = block;
    else
        arena->head = block;
    arena->current = block;
    arena->allocated += cap;
    arena->at = 0;
    return block->data;
}
