/*
 * chain_place.c - layouts by name: topics.dir, partitioner and extension, which rule 10
 * pins. "topics/DefaultPartitioner.csv" in seals, roots, messages and settings; the same
 * as one word, with blanks as %20, in a commit's metadata.
 */
#include "runtime/chain_internal.h"

#include <stdio.h>
#include <string.h>

enum { ENCODED_MAX = 700 };

static const char *const names[] = {
    [PST_LAYOUT_DEFAULT] = "DefaultPartitioner",
    [PST_LAYOUT_FLAT] = "FlatPartitioner",
    [PST_LAYOUT_FIELD] = "FieldPartitioner",
    [PST_LAYOUT_TIME] = "TimeBasedPartitioner",
    [PST_LAYOUT_HOURLY] = "HourlyPartitioner",
    [PST_LAYOUT_DAILY] = "DailyPartitioner",
};

const char *pst_layout_name(pst_layout layout)
{
    return names[layout];
}

void pst_place_of_conf(const pst_chain_conf *conf, pst_place *out)
{
    *out = (pst_place){.layout = conf->layout, .first = true};
    snprintf(out->dir, sizeof out->dir, "%s", conf->topics_dir);
    snprintf(out->extension, sizeof out->extension, "%s", conf->extension);
}

void pst_place_name(const pst_place *place, char *out, size_t size)
{
    snprintf(out, size, "%s%s", names[place->layout], place->extension);
}

void pst_place_text(const pst_place *place, char out[PST_PLACE_TEXT_MAX])
{
    snprintf(out, PST_PLACE_TEXT_MAX, "%s/%s%s", place->dir, names[place->layout],
             place->extension);
}

static bool parse_name(const char *name, pst_place *out)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t n = strlen(names[i]), rest_n;
        if (strncmp(name, names[i], n) != 0)
            continue;
        rest_n = strlen(name + n);
        if (name[n] != '.' || rest_n > PST_EXTENSION_MAX ||
            strspn(name + n, ".abcdefghijklmnopqrstuvwxyz0123456789") != rest_n)
            return false;
        out->layout = (pst_layout)i;
        memcpy(out->extension, name + n, rest_n + 1);
        return true;
    }
    return false;
}

bool pst_place_parse(const char *text, pst_place *out)
{
    const char *slash = strrchr(text, '/');
    size_t n = slash ? (size_t)(slash - text) : 0;
    pst_place place = {.first = true};
    if (!slash || n > PST_TOPICS_DIR_MAX || !parse_name(slash + 1, &place))
        return false;
    memcpy(place.dir, text, n);
    *out = place;
    return true;
}

bool pst_place_same(const pst_place *a, const pst_place *b)
{
    return a->layout == b->layout && strcmp(a->dir, b->dir) == 0 &&
           strcmp(a->extension, b->extension) == 0;
}

bool pst_chain_is_elsewhere(const pst_chain *chain)
{
    pst_place wanted;
    pst_place_of_conf(chain->conf, &wanted);
    return !pst_place_same(&chain->at, &wanted);
}

/* ---- in a commit's metadata ---- */

bool pst_place_encode(const pst_place *place, char *out, size_t size)
{
    char text[PST_PLACE_TEXT_MAX];
    size_t n = 0;
    pst_place_text(place, text);
    if (size > ENCODED_MAX)
        size = ENCODED_MAX;
    for (const char *p = text; *p; p++) {
        unsigned char c = (unsigned char)*p;
        bool escape = c <= ' ' || c == '%' || c == 0x7f;
        if (n + (escape ? 3 : 1) >= size)
            return false;
        if (escape)
            snprintf(out + n, 4, "%%%02X", c);
        else
            out[n] = (char)c;
        n += escape ? 3 : 1;
    }
    out[n] = '\0';
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool decode(pst_sv word, const char *default_dir, pst_place *out)
{
    char text[PST_PLACE_TEXT_MAX], whole[PST_PLACE_TEXT_MAX];
    size_t n = 0;
    for (size_t i = 0; i < word.n; i++) {
        char c = word.p[i];
        if (c == '%') {
            int high = i + 2 < word.n ? hex_digit(word.p[i + 1]) : -1;
            int low = high < 0 ? -1 : hex_digit(word.p[i + 2]);
            if (low < 0 || high * 16 + low == 0)
                return false;
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (n + 1 >= sizeof text)
            return false;
        text[n++] = c;
    }
    text[n] = '\0';
    if (strchr(text, '/'))
        return pst_place_parse(text, out);
    /* A commit of a version that did not name topics.dir. */
    n = (size_t)snprintf(whole, sizeof whole, "%s/%s", default_dir, text);
    return n < sizeof whole && pst_place_parse(whole, out);
}

bool pst_chain_metadata_place(const char *text, const char *default_dir, pst_place *out,
                              bool *empty)
{
    pst_sv rest = pst_sv_of(text);
    bool found = false;
    *empty = false;
    while (rest.p && rest.n) {
        pst_sv value, word = pst_sv_cut(rest, ' ', &rest);
        pst_sv name = pst_sv_cut(word, '=', &value);
        if (pst_sv_is(name, "layout") && value.p)
            found = decode(value, default_dir, out);
        if (pst_sv_is(name, "empty"))
            *empty = true;
    }
    return found;
}

bool pst_chain_layout_unknown(const char *text, const char *default_dir)
{
    pst_place place;
    bool empty;
    return strstr(text, " layout=") &&
           !pst_chain_metadata_place(text, default_dir, &place, &empty);
}
