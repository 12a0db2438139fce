/*
 * httphead.c - response headers of pst_http: looking them up and reading the dates in
 * them. What it reads comes from outside: everything is bounded and nothing is trusted.
 */
#include "io/http.h"

enum { MAX_HEADERS = 256 * 1024, RETRY_AFTER_MAX_S = 3600 };

void pst_http_response_init(pst_http_response *res)
{
    *res = (pst_http_response){0};
    pst_buf_init(&res->raw_headers, MAX_HEADERS);
}

void pst_http_response_done(pst_http_response *res)
{
    pst_buf_done(&res->body);
    pst_buf_done(&res->raw_headers);
}

bool pst_http_next_header(pst_sv *rest, pst_sv *name, pst_sv *value)
{
    while (rest->p && rest->n) {
        pst_sv line = pst_sv_cut(*rest, '\n', rest);
        pst_sv after;
        pst_sv before = pst_sv_cut(line, ':', &after);
        if (!after.p || !before.n) /* a status line or the empty line */
            continue;
        *name = before;
        *value = pst_sv_trim(after);
        return true;
    }
    return false;
}

pst_sv pst_http_header(const pst_http_response *res, const char *name)
{
    pst_sv rest = {res->raw_headers.data, res->raw_headers.len};
    pst_sv want = pst_sv_of(name);
    pst_sv found;
    pst_sv value;
    while (pst_http_next_header(&rest, &found, &value))
        if (pst_sv_eq_nocase(found, want))
            return value;
    return (pst_sv){NULL, 0};
}

static int month_of(pst_sv name)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int m = 0; m < 12; m++)
        if (pst_sv_eq(name, (pst_sv){names + (size_t)m * 3, 3}))
            return m + 1;
    return 0;
}

/* Two or four digits at `at`; -1 if they are not digits. */
static int digits(pst_sv text, size_t at, size_t n)
{
    int value = 0;
    for (size_t i = at; i < at + n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return -1;
        value = value * 10 + (text.p[i] - '0');
    }
    return value;
}

/* IMF-fixdate, the only form that servers may send: "Sun, 06 Nov 1994 08:49:37 GMT". */
bool pst_http_date(pst_sv text, int64_t *wall_ms)
{
    static const char shape[] = "___, __ ___ ____ __:__:__ GMT";
    if (text.n != sizeof shape - 1)
        return false;
    for (size_t i = 0; i < text.n; i++)
        if (shape[i] != '_' && shape[i] != text.p[i])
            return false;
    int day = digits(text, 5, 2);
    int month = month_of((pst_sv){text.p + 8, 3});
    int year = digits(text, 12, 4);
    int hour = digits(text, 17, 2);
    int minute = digits(text, 20, 2);
    int second = digits(text, 23, 2);
    if (day < 1 || day > 31 || month == 0 || year < 0 || hour < 0 || hour > 23 ||
        minute < 0 || minute > 59 || second < 0 || second > 60)
        return false;
    int64_t days = pst_days_of(year, month, day);
    *wall_ms = (((days * 24 + hour) * 60 + minute) * 60 + second) * 1000;
    return true;
}

int pst_http_retry_after_ms(const pst_http_response *res, int64_t now_ms)
{
    pst_sv value = pst_http_header(res, "Retry-After");
    int64_t seconds = 0;
    int64_t until = 0;
    if (!value.p)
        return 0;
    if (!pst_sv_to_i64(value, &seconds)) {
        if (!pst_http_date(value, &until))
            return 0;
        int64_t server_now = now_ms;
        (void)pst_http_date(pst_http_header(res, "Date"), &server_now);
        seconds = (until - server_now + 999) / 1000;
    }
    if (seconds <= 0)
        return 0;
    return (int)(seconds > RETRY_AFTER_MAX_S ? RETRY_AFTER_MAX_S : seconds) * 1000;
}
