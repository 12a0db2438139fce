/*
 * mem_fault.h - an allocator that fails when a test says so, and counts what is not
 * freed.
 *
 * A test program puts `#include "mem_fault.c"` in; it then defines base/mem.h's four
 * functions itself and the linker leaves base/mem.o out. The usual test:
 *
 *     for (long n = 0;; n++) {
 *         pst_fault_set(n);
 *         pst_rc rc = the_happy_path();
 *         pst_fault_set(-1);
 *         assert_int_equal(pst_fault_live(), 0);
 *         if (rc == PST_OK)
 *             break;
 *         assert_int_equal(rc, PST_E_NOMEM);
 *     }
 */
#ifndef PST_TESTS_MEM_FAULT_H
#define PST_TESTS_MEM_FAULT_H

/* The nth allocation from now on fails, 0 being the next, and all after it; -1 = none. */
void pst_fault_set(long n);
/* The same, but those after it succeed again. */
void pst_fault_once(long n);
/* No failures until pst_fault_resume() gets what this answers. */
long pst_fault_pause(void);
void pst_fault_resume(long paused);
/* How many allocations have failed since pst_fault_set(). */
long pst_fault_hits(void);
/* Blocks that are allocated and not freed. */
long pst_fault_live(void);
long pst_fault_live_bytes(void);

#endif
