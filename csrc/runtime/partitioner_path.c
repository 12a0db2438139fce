/*
 * partitioner_path.c - a value becomes a folder's name.
 *
 * Hive's escaping: %XX for control characters and for what means something in a path or
 * in Hive (FileUtils.escapePathName), null and "" as __HIVE_DEFAULT_PARTITION__. So no
 * value makes a folder of its own, leaves its folder, or is taken for another one; any
 * reader of Hive layouts, Spark too, reads the values back. Beyond Hive: NUL, bytes that
 * are no UTF-8, and U+FFFE and U+FFFF, which no LIST answer can hold, are escaped, too,
 * and the first letter of a value that is the text __HIVE_DEFAULT_PARTITION__.
 *
 * A name has at most PST_PARTITION_COMPONENT_MAX bytes (file systems end at 255, keys at
 * 1024). A longer value is cut behind a whole character and ends in %~ and the FNV-1a
 * hash of the whole value: equal values share a folder, others do not, and no other value
 * looks so, because its % is escaped. Only there the value can't be read back.
 */
#include "runtime/partitioner.h"

#include <stdio.h>

#define NO_VALUE "__HIVE_DEFAULT_PARTITION__"

static bool escaped(unsigned char c)
{
    return c < 0x20 || c == 0x7f || strchr("\"#%'*/:=?\\{[]^", c) != NULL;
}

/* Bytes of the character at p; 0: it is none, or none for a key. */
static size_t character(const char *p, size_t n)
{
    unsigned char c = (unsigned char)*p;
    size_t size = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (size == 1)
        return !escaped(c);
    if (size > n || !pst_utf8_valid((pst_sv){p, size}))
        return 0;
    bool no_character = size == 3 && !memcmp(p, "\xef\xbf", 2) && (p[2] & 0x3e) == 0x3e;
    return no_character ? 0 : size;
}

/* The next character or escape of *text; answers its length. */
static size_t next_unit(pst_sv *text, char out[4])
{
    static const char hex[] = "0123456789ABCDEF";
    unsigned char c = (unsigned char)*text->p;
    size_t plain = character(text->p, text->n), taken = plain ? plain : 1;
    if (plain) {
        memcpy(out, text->p, plain);
    } else {
        out[0] = '%';
        out[1] = hex[c >> 4];
        out[2] = hex[c & 15];
    }
    text->p += taken;
    text->n -= taken;
    return plain ? plain : 3;
}

static uint64_t fnv1a(pst_sv text)
{
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < text.n; i++)
        h = (h ^ (unsigned char)text.p[i]) * 1099511628211u;
    return h;
}

size_t pst_partition_component(pst_sv name, pst_sv value, size_t max,
                               char out[PST_PARTITION_COMPONENT_MAX])
{
    pst_sv rest = value.p && value.n ? value : PST_SV(NO_VALUE);
    size_t n = name.n + 1, keep = n;
    memcpy(out, name.p, name.n);
    out[name.n] = '=';
    if (pst_sv_is(value, NO_VALUE)) { /* the text, which is not null */
        memcpy(out + n, "%5F", 3);
        n += 3;
        rest = (pst_sv){&NO_VALUE[1], sizeof NO_VALUE - 2};
    }
    while (rest.n) {
        char unit[4];
        size_t size = next_unit(&rest, unit);
        if (n + size > max)
            break;
        memcpy(out + n, unit, size);
        n += size;
        if (n + PST_PARTITION_CUT <= max)
            keep = n;
        if (!rest.n)
            return n;
    }
    char hash[PST_PARTITION_CUT + 1];
    snprintf(hash, sizeof hash, "%%~%016llx", (unsigned long long)fnv1a(value));
    memcpy(out + keep, hash, PST_PARTITION_CUT);
    return keep + PST_PARTITION_CUT;
}

pst_rc pst_partition_escape(pst_sv text, pst_buf *out)
{
    pst_rc rc = PST_OK;
    while (text.n && rc == PST_OK) {
        char unit[4];
        size_t size = next_unit(&text, unit);
        rc = pst_buf_add(out, unit, size);
    }
    return rc;
}

/* <dir>/<topic>/<path>/<topic>+<P>+<start>-<next><extension> */
int pst_partition_room(const char *topics_dir, const char *topic)
{
    enum { NUMBERS = 1 + 10 + 1 + 20 + 1 + 20, EXTENSION = 15 };
    size_t dir = strlen(topics_dir), name = strlen(topic);
    size_t taken = dir + (dir > 0) + name + 1 + 1 + name + NUMBERS + EXTENSION;
    int room = PST_STORE_KEY_MAX - (int)taken;
    return room < PST_PARTITION_PATH_MAX ? room : PST_PARTITION_PATH_MAX;
}
