/*
 * pattern.c - see pattern.h.
 */
#include "record/pattern.h"

#include "base/mem.h"

struct pst_pattern {
    int unused;
};

pst_rc pst_pattern_new(pst_pattern **out, const char *text, pst_pattern_use use,
                       pst_err *err)
{
    (void)out;
    (void)use;
    return pst_fail(err, PST_E_UNSUPPORTED, "pattern '%s': not supported yet", text);
}

void pst_pattern_free(pst_pattern *pattern)
{
    pst_free(pattern);
}

bool pst_pattern_format(const pst_pattern *pattern, pst_pattern_level level,
                        int64_t micros, const pst_zone *zone, char *out, size_t size,
                        size_t *n)
{
    (void)pattern, (void)level, (void)micros, (void)zone, (void)out, (void)size, (void)n;
    return false;
}

bool pst_pattern_parse_date(const pst_pattern *pattern, pst_sv text, int64_t *days)
{
    (void)pattern, (void)text, (void)days;
    return false;
}

bool pst_pattern_parse_timestamp(const pst_pattern *pattern, pst_sv text,
                                 const pst_zone *zone, int64_t *micros)
{
    (void)pattern, (void)text, (void)zone, (void)micros;
    return false;
}

bool pst_pattern_parse_ntz(const pst_pattern *pattern, pst_sv text, int64_t *micros)
{
    (void)pattern, (void)text, (void)micros;
    return false;
}
