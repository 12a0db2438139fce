/*
 * settings_access.h - what settings.c and settings_access.c share. Internal to store/.
 */
#ifndef PST_STORE_SETTINGS_ACCESS_H
#define PST_STORE_SETTINGS_ACCESS_H

#include "store/store.h"

/* Goes into a header as it is. */
pst_rc pst_store_check_header_text(const char *value, pst_err *err) PST_MUST;
void pst_store_access_check(const pst_store_conf *conf, const pst_props *props,
                            pst_conf_report *report);

#endif
