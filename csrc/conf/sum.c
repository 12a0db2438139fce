/*
 * sum.c - a fingerprint of settings, for telling whether two runs had the same. By the
 * table, so that a new row cannot be forgotten.
 */
#include "conf/conf.h"

static uint32_t sum_text(uint32_t crc, const char *text)
{
    const char *value = text ? text : "\xff"; /* unset is not empty */
    return pst_crc32c(crc, value, strlen(value) + 1);
}

static uint32_t sum_list(uint32_t crc, const pst_conf_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        crc = sum_text(crc, list->items[i]);
    return pst_crc32c(crc, "\xfe", 1);
}

static uint32_t sum_value(uint32_t crc, pst_conf_type type, const char *at)
{
    switch (type) {
    case PST_CONF_STRING:
    case PST_CONF_REGEX:
        return sum_text(crc, *(char *const *)(const void *)at);
    case PST_CONF_LIST:
        return sum_list(crc, (const pst_conf_list *)(const void *)at);
    case PST_CONF_BOOL:
        return pst_crc32c(crc, at, sizeof(bool));
    case PST_CONF_INT:
    case PST_CONF_ENUM:
        return pst_crc32c(crc, at, sizeof(int));
    case PST_CONF_DOUBLE:
        return pst_crc32c(crc, at, sizeof(double));
    case PST_CONF_LONG:
    case PST_CONF_SIZE:
    case PST_CONF_MS:
        return pst_crc32c(crc, at, sizeof(int64_t));
    }
    return crc;
}

uint32_t pst_conf_sum(uint32_t crc, const pst_conf_section *section, const void *conf)
{
    for (size_t i = 0; i < section->n_rows; i++) {
        const pst_setting *row = &section->rows[i];
        if (!(row->flags & PST_CONF_LATER))
            crc = sum_value(crc, row->type, (const char *)conf + row->offset);
    }
    return crc;
}
