/*
 * celltext.c - see celltext.h: patterns and time zone, made once a writer.
 */
#include "format/celltext.h"

static pst_rc set_pattern(pst_pattern **out, const char *prefix, const char *setting,
                          const char *text, pst_pattern_use use, pst_err *err)
{
    pst_err local = PST_ERR_INIT;
    pst_rc rc = text ? pst_pattern_new(out, text, use, &local) : PST_OK;
    return rc ? pst_fail(err, rc, "%s.%s: %s", prefix, setting, local.text) : PST_OK;
}

pst_rc pst_cell_style_init(pst_cell_style *style, const pst_cell_patterns *patterns,
                           const pst_reader_conf *shared, pst_err *err)
{
    bool legacy = shared->time_parser_policy == PST_TIME_LEGACY;
    pst_pattern_use use = legacy ? PST_PATTERN_LEGACY : PST_PATTERN_FORMAT;
    const char *prefix = patterns->prefix;
    const char *date = patterns->date, *stamp = patterns->timestamp;
    if (legacy && !date)
        date = "yyyy-MM-dd";
    if (legacy && !stamp)
        stamp = "yyyy-MM-dd'T'HH:mm:ss.SSSXXX";
    const char *zone = shared->session_time_zone ? shared->session_time_zone : "UTC";
    pst_err local = PST_ERR_INIT;
    *style = (pst_cell_style){.number_format = shared->number_format};
    pst_rc rc = pst_zone_new(&style->zone, pst_sv_of(zone), &local);
    if (rc != PST_OK)
        return pst_fail(err, rc, "spark.sql.session.timeZone: %s", local.text);
    style->fixed_zone = pst_zone_is_fixed(style->zone, &style->fixed_offset);
    rc = set_pattern(&style->date, prefix, "dateFormat", date, use, err);
    if (rc == PST_OK)
        rc = set_pattern(&style->timestamp, prefix, "timestampFormat", stamp, use, err);
    if (rc == PST_OK)
        rc = set_pattern(&style->ntz, prefix, "timestampNTZFormat", patterns->ntz,
                         PST_PATTERN_FORMAT, err);
    return rc;
}

void pst_cell_style_done(pst_cell_style *style)
{
    pst_pattern_free(style->date);
    pst_pattern_free(style->timestamp);
    pst_pattern_free(style->ntz);
    pst_zone_free(style->zone);
}
