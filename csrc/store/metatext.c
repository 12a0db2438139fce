/*
 * metatext.c - see metatext.h.
 */
#include "store/metatext.h"

static bool plain(const char *value, size_t i, size_t n)
{
    unsigned char c = (unsigned char)value[i];
    if (c == ' ')
        return i > 0 && i + 1 < n && value[i - 1] != ' ';
    return c > 0x20 && c < 0x7f && c != '%';
}

pst_rc pst_metatext_encode(pst_buf *out, const char *value)
{
    pst_rc rc = PST_OK;
    size_t n = strlen(value);
    for (size_t i = 0; i < n && rc == PST_OK; i++) {
        if (plain(value, i, n))
            rc = pst_buf_addc(out, value[i]);
        else
            rc = pst_buf_addf(out, "%%%02X", (unsigned)(unsigned char)value[i]);
    }
    return rc;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool pst_metatext_decode(pst_sv text, char *out, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '%' && i + 2 < text.n) {
            int high = hex_digit(text.p[i + 1]);
            int low = hex_digit(text.p[i + 2]);
            if (high >= 0 && low >= 0 && high + low > 0) {
                c = (char)(high * 16 + low);
                i += 2;
            }
        }
        if (n + 1 >= size)
            return false;
        out[n++] = c;
    }
    out[n] = '\0';
    return true;
}
