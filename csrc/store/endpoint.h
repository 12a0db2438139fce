/*
 * endpoint.h - hosts of S3 and STS endpoints: reading them from a URL, and AWS's own by
 * region. Internal to store/.
 */
#ifndef PST_STORE_ENDPOINT_H
#define PST_STORE_ENDPOINT_H

#include "io/http.h"
#include "store/store.h"

enum { PST_ENDPOINT_HOST_MAX = 600 };

typedef struct pst_endpoint {
    bool tls;
    char host[PST_ENDPOINT_HOST_MAX]; /* as in the Host header: lower case, the scheme's
                                         own port left out */
} pst_endpoint;

/* "http://host:port", "https://host/": false for anything else, a path or credentials
   among it. */
bool pst_endpoint_parse(const char *url, pst_endpoint *out);
/* 127.x, ::1, localhost and names below it. */
bool pst_endpoint_is_loopback(pst_sv host);
bool pst_endpoint_is_address(pst_sv host);
/* One of AWS's own names, in any of its partitions. */
bool pst_endpoint_is_aws(pst_sv host);
/* How the settings say that an endpoint is reached: certificates, proxy. Borrows. */
void pst_endpoint_http(const pst_store_conf *conf, pst_http_options *out);
/* AWS's endpoint of a service ("s3", "sts") in a region, China, GovCloud and the isolated
   partitions too; always https. */
void pst_endpoint_aws(const char *service, const char *region, pst_endpoint *out);

#endif
