/*
 * rest_answer.c - bodies: JSON by jansson, errors as Kafka Connect's
 * {"error_code": 404, "message": "…"}.
 */
#include "daemon/rest_internal.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int collect(const char *text, size_t n, void *self)
{
    return pst_buf_add(self, text, n) == PST_OK ? 0 : -1;
}

void rest_answer_done(rest_answer *answer)
{
    pst_free(answer->body);
    pst_free(answer->location);
    *answer = (rest_answer){.status = 0};
}

void rest_empty(rest_answer *answer, int status)
{
    pst_free(answer->body);
    answer->status = status;
    answer->body = NULL;
    answer->body_n = 0;
}

void rest_text(rest_answer *answer, int status, pst_buf *take)
{
    rest_empty(answer, status);
    answer->body_n = take->len;
    answer->body = pst_buf_take(take);
    if (!answer->body) {
        answer->body_n = 0;
        answer->status = 500;
    }
}

void rest_json(rest_answer *answer, int status, json_t *take)
{
    pst_buf out;
    pst_buf_init(&out, REST_ANSWER_MAX);
    size_t flags = JSON_COMPACT | JSON_ENCODE_ANY;
    if (take && json_dump_callback(take, collect, &out, flags) == 0)
        rest_text(answer, status, &out);
    else
        rest_empty(answer, 500);
    json_decref(take);
    pst_buf_done(&out);
}

void rest_error(rest_answer *answer, int status, const char *fmt, ...)
{
    char text[4096];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    size_t length = n < (int)sizeof text ? (size_t)n : sizeof text - 1;
    while (length && !pst_utf8_valid((pst_sv){text, length}))
        length--; /* cut within a character */
    text[length] = '\0';
    rest_json(answer, status,
              json_pack("{s:i, s:s}", "error_code", status, "message", text));
}

/* A Connect worker answers 500 with Jackson's text. */
json_t *rest_body(const rest_request *request, rest_answer *answer)
{
    json_error_t why;
    json_t *body = json_loadb(request->body ? request->body : "", request->body_n,
                              JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    if (!body)
        rest_error(answer, 500, "the body is not JSON: %s; line: %d, column: %d",
                   why.text, why.line, why.column);
    else if (!json_is_object(body)) {
        rest_error(answer, 500, "the body must be a JSON object");
        json_decref(body);
        body = NULL;
    }
    return body;
}

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '-' || c == '_';
}

char *rest_escape(const char *text)
{
    size_t n = 0, size = 3 * strlen(text) + 1;
    char *out = pst_malloc(size);
    for (const char *c = text; out && *c; c++)
        if (is_plain(*c))
            out[n++] = *c;
        else
            n += (size_t)snprintf(out + n, size - n, "%%%02X", (unsigned char)*c);
    if (out)
        out[n] = '\0';
    return out;
}
