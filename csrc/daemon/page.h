/*
 * page.h - the status page, made of page/ by scripts/page.py.
 */
#ifndef PST_DAEMON_PAGE_H
#define PST_DAEMON_PAGE_H

#include <stddef.h>

extern const unsigned char pst_page[];
extern const size_t pst_page_size;
extern const char pst_page_policy[]; /* its Content-Security-Policy */

#endif
