/*
 * registry.c - the connectors of this build: one line each.
 */
#include "runtime/plugin.h"

#include "connectors/randomuser/randomuser.h"
#include "connectors/s3csv/s3csv.h"

#include <string.h>

const pst_connector *const pst_connectors[] = {
    &pst_randomuser,
    &pst_s3csv,
};

const size_t pst_connectors_n = sizeof pst_connectors / sizeof *pst_connectors;

/* Connect's users write class names with a package: only the last part counts. */
const pst_connector *pst_connector_find(const char *class_name)
{
    const char *dot = strrchr(class_name, '.');
    const char *name = dot ? dot + 1 : class_name;
    for (size_t i = 0; i < pst_connectors_n; i++)
        if (strcmp(pst_connectors[i]->class_name, name) == 0)
            return pst_connectors[i];
    return NULL;
}
