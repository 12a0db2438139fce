/*
 * dirlink.c - the link file of a chain object: the commit of the directory store.
 *
 *     penstock-link 1
 *     key topics/users/partition=0/users+0+00000000000000000000.csv
 *     temp .tmp-d0123456789abcdef-00000000000000000000
 *     size 12345
 *     crc32c 0badcafe
 *     meta penstock-next 24
 *     end
 *
 * Control characters and % in values are written as %XX. The file is whole before link(2)
 * gives it its name, so a reader never sees half of one; `end` guards against other
 * hands.
 */
#include "store/dir.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

static const char magic[] = "penstock-link 1";

/* ---- writing ---- */

static pst_rc add_value(pst_buf *out, const char *value)
{
    pst_rc rc = PST_OK;
    for (; *value && rc == PST_OK; value++) {
        unsigned char c = (unsigned char)*value;
        if (c < 0x20 || c == 0x7f || c == '%')
            rc = pst_buf_addf(out, "%%%02X", c);
        else
            rc = pst_buf_addc(out, *value);
    }
    return rc;
}

static pst_rc add_line(pst_buf *out, const char *word, const char *value)
{
    pst_rc rc = pst_buf_adds(out, word);
    if (rc == PST_OK)
        rc = pst_buf_addc(out, ' ');
    if (rc == PST_OK)
        rc = add_value(out, value);
    return rc == PST_OK ? pst_buf_addc(out, '\n') : rc;
}

static pst_rc add_meta(pst_buf *out, const pst_store_meta *meta)
{
    pst_rc rc = PST_OK;
    for (size_t i = 0; meta && i < meta->n && rc == PST_OK; i++) {
        char word[sizeof meta->pairs[0].name + 8];
        snprintf(word, sizeof word, "meta %s", meta->pairs[i].name);
        rc = add_line(out, word, meta->pairs[i].value);
    }
    return rc;
}

pst_rc pst_dir_link_text(const pst_store_put *put, const char *temp, pst_buf *out,
                         pst_err *err)
{
    size_t size = put->chunks ? put->chunks->len : put->bytes.n;
    pst_rc rc = pst_buf_addf(out, "%s\n", magic);
    if (rc == PST_OK)
        rc = add_line(out, "key", put->key);
    if (rc == PST_OK)
        rc = add_line(out, "temp", temp);
    if (rc == PST_OK)
        rc = pst_buf_addf(out, "size %zu\ncrc32c %08" PRIx32 "\n", size, put->crc32c);
    if (rc == PST_OK)
        rc = add_meta(out, put->meta);
    if (rc == PST_OK)
        rc = pst_buf_adds(out, "end\n");
    return rc == PST_OK ? PST_OK : pst_fail(err, rc, "the link file of %s", put->key);
}

/* ---- reading ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool get_value(pst_sv text, char *out, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '%') {
            int high = i + 2 < text.n ? hex_digit(text.p[i + 1]) : -1;
            int low = high < 0 ? -1 : hex_digit(text.p[i + 2]);
            if (low < 0 || high * 16 + low == 0)
                return false;
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (n + 1 >= size)
            return false;
        out[n++] = c;
    }
    out[n] = '\0';
    return true;
}

static bool read_meta(pst_sv text, pst_store_meta *meta)
{
    pst_sv value;
    pst_sv name = pst_sv_cut(text, ' ', &value);
    if (!value.p || meta->n == PST_STORE_META_MAX)
        return false;
    pst_store_pair *pair = &meta->pairs[meta->n++];
    return get_value(name, pair->name, sizeof pair->name) &&
           get_value(value, pair->value, sizeof pair->value);
}

static bool read_line(pst_sv line, pst_dir_link *out)
{
    pst_sv value;
    pst_sv word = pst_sv_cut(line, ' ', &value);
    if (pst_sv_is(word, "key"))
        return get_value(value, out->key, sizeof out->key);
    if (pst_sv_is(word, "temp"))
        return get_value(value, out->temp, sizeof out->temp);
    if (pst_sv_is(word, "size"))
        return pst_sv_to_i64(value, &out->size) && out->size >= 0;
    if (pst_sv_is(word, "meta"))
        return read_meta(value, &out->meta);
    return true; /* a later version may say more */
}

static bool parse_link(pst_sv text, pst_dir_link *out)
{
    if (!pst_sv_is(pst_sv_cut(text, '\n', &text), magic))
        return false;
    while (text.p) {
        pst_sv line = pst_sv_cut(text, '\n', &text);
        if (pst_sv_is(line, "end"))
            return out->key[0] && pst_dir_tmp_is(out->temp) && !strchr(out->temp, '/');
        if (!read_line(line, out))
            return false;
    }
    return false;
}

pst_rc pst_dir_link_read(const pst_dir_at *at, const char *link, pst_dir_link *out,
                         pst_err *err)
{
    pst_buf text;
    struct stat st;
    pst_buf_init(&text, PST_DIR_LINK_MAX);
    *out = (pst_dir_link){0};
    pst_rc rc = pst_dir_read(at, link, &text, err);
    if (rc != PST_OK)
        goto out;
    pst_err ignored = PST_ERR_INIT;
    if (!parse_link((pst_sv){text.data, text.len}, out) ||
        pst_dir_check_key(at->dir, out->key, &ignored) != PST_OK) {
        rc = pst_fail(err, PST_E_INVALID, "file://%s/%s is not a link file of Penstock",
                      at->dir->root, link);
        goto out;
    }
    if (fstatat(at->fd, link, &st, 0) == 0)
        out->modified_ms =
            (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
out:
    pst_buf_done(&text);
    return rc;
}

pst_rc pst_dir_link_finish(const pst_dir_at *at, const char *link,
                           const pst_dir_link *record, pst_err *err)
{
    char temp[PST_STORE_KEY_MAX + 300];
    struct stat st;
    int folder = (int)(pst_dir_basename(link) - link);
    snprintf(temp, sizeof temp, "%.*s%s", folder, link, record->temp);
    if (fstatat(at->fd, temp, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? PST_OK
                               : pst_dir_fail(at->dir, errno, "look at", temp, err);
    pst_rc rc = pst_dir_make_parents(at, record->key, err);
    if (rc != PST_OK)
        return rc;
    if (renameat(at->fd, temp, at->fd, record->key) != 0 && errno != ENOENT)
        return pst_dir_fail(at->dir, errno, "rename the data to", record->key, err);
    return pst_dir_sync_parent(at, record->key, err);
}
