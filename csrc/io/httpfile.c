/*
 * httpfile.c - see httpfile.h.
 */
#include "io/httpfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_STEP = 64 * 1024 };

static const char scheme[] = "file://";

bool pst_httpfile_is(const char *url)
{
    return strncmp(url, scheme, sizeof scheme - 1) == 0;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The path of file:///path or file://localhost/path, decoded; its query is left out. */
static pst_rc path_of(const char *url, char out[PATH_MAX], pst_err *err)
{
    const char *from = url + sizeof scheme - 1;
    if (strncmp(from, "localhost/", 10) == 0)
        from += 9;
    if (*from != '/')
        return pst_fail(err, PST_E_CONFIG, "a file URL is written file:///folder/file");
    size_t n = 0;
    for (; *from && *from != '?' && *from != '#'; from++) {
        char c = *from;
        if (c == '%') {
            int high = hex_digit(from[1]);
            int low = high < 0 ? -1 : hex_digit(from[2]);
            if (low < 0 || high * 16 + low == 0)
                return pst_fail(err, PST_E_CONFIG, "a bad %% escape in a file URL");
            c = (char)(high * 16 + low);
            from += 2;
        }
        if (n + 1 >= PATH_MAX)
            return pst_fail(err, PST_E_LIMIT, "the path of a file URL is too long");
        out[n++] = c;
    }
    out[n] = '\0';
    return PST_OK;
}

static pst_rc fail_errno(const char *path, int why, pst_err *err)
{
    pst_rc rc = why == EACCES || why == EPERM ? PST_E_AUTH : PST_E_IO;
    return pst_fail(err, rc, "cannot read %s: %s", path, strerrordesc_np(why));
}

static pst_rc read_all(int fd, const char *path, pst_buf *body, pst_err *err)
{
    for (;;) {
        size_t want = body->max - body->len;
        if (want > READ_STEP)
            want = READ_STEP;
        char probe;
        if (want && pst_buf_reserve(body, want) != PST_OK)
            return pst_fail_nomem(err, path);
        ssize_t got = want ? read(fd, body->data + body->len, want) : read(fd, &probe, 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail_errno(path, errno, err);
        if (got == 0)
            return PST_OK;
        if (!want)
            return pst_fail(err, PST_E_LIMIT, "%s is larger than %zu bytes", path,
                            body->max);
        body->len += (size_t)got;
    }
}

pst_rc pst_httpfile_get(const pst_http_request *req, pst_http_response *res, pst_err *err)
{
    char path[PATH_MAX];
    if (strcmp(req->method, "GET") != 0)
        return pst_fail(err, PST_E_UNSUPPORTED, "%s of a file URL", req->method);
    pst_rc rc = path_of(req->url, path, err);
    if (rc != PST_OK)
        return rc;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        res->status = 404;
        return PST_OK;
    }
    if (fd < 0)
        return fail_errno(path, errno, err);
    struct stat st;
    if (fstat(fd, &st) != 0)
        rc = fail_errno(path, errno, err);
    else if (!S_ISREG(st.st_mode))
        rc = pst_fail(err, PST_E_INVALID, "%s is not a file", path);
    else
        rc = read_all(fd, path, &res->body, err);
    close(fd);
    if (rc == PST_OK)
        res->status = 200;
    return rc;
}
