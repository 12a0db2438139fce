/*
 * httpfile.h - file:// for pst_http, by our own code: an HTTP source can be fed with
 * recorded answers. Reads regular files only, with the request's ceiling. Internal to
 * io/.
 */
#ifndef PST_IO_HTTPFILE_H
#define PST_IO_HTTPFILE_H

#include "io/http.h"

bool pst_httpfile_is(const char *url);
pst_rc pst_httpfile_get(const pst_http_request *req, pst_http_response *res,
                        pst_err *err) PST_MUST;

#endif
