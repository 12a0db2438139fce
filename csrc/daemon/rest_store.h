/*
 * rest_store.h - config.storage.dir: connectors that were made at run time, a file each.
 */
#ifndef PST_DAEMON_REST_STORE_H
#define PST_DAEMON_REST_STORE_H

#include "runtime/control.h"

/* Called for each stored connector; props is the callee's to empty. */
typedef pst_rc (*rest_stored)(void *self, const char *path, pst_props *props,
                              pst_target target, pst_conf_report *report, pst_err *err);

/* All of the folder, by name. What is wrong with a file goes to the report. One
   that is missing is empty. */
pst_rc rest_store_load(const char *dir, rest_stored each, void *self,
                       pst_conf_report *report, pst_err *err) PST_MUST;
/* Makes the folder if it is missing; with `check` only says whether that could be done,
   and files written. */
pst_rc rest_store_make(const char *dir, bool check, pst_err *err) PST_MUST;
/* Whole or not at all, on the disk when this returns, readable by us alone. */
pst_rc rest_store_write(const char *dir, const char *name, const pst_props *props,
                        pst_target target, pst_err *err) PST_MUST;
pst_rc rest_store_remove(const char *dir, const char *name, pst_err *err) PST_MUST;

#endif
