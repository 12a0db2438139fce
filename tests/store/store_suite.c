/*
 * store_suite.c - the conformance suite of object stores: what the chain demands of a
 * driver, run against a real store. The cases are in suite_*.c.
 *
 *     store_suite --url URL [--bucket B] [--region R] [--virtual-host] [--ca-file F]
 *                 [--client curl|libs3] [--peer curl|libs3] [--spaces]
 *                 [--filter GLOB] [--keep]
 *
 * S3 credentials come from the environment. Everything is put below one new prefix and
 * removed at the end (unless --keep is given). --peer names the client that reads, as an
 * independent second reader, what the one under test has written. Exit status 0 if all
 * cases passed. tests/store/test_store_suite.py runs it against each driver.
 */
#include "tests/store/store_suite.h"

#include <getopt.h>
#include <unistd.h>

static void log_line(void *opaque, pst_log_level level, const char *line)
{
    (void)opaque;
    (void)level;
    fprintf(stderr, "# %s\n", line);
}

/* ---- running it ---- */

static bool open_one(suite *s, int client, pst_store **out)
{
    pst_store_conf conf = s->conf; /* drivers copy what they need */
    conf.client = client;
    pst_rc rc = pst_store_open(out, &conf, pst_clock_system(), NULL, s->log, &s->err);
    if (rc != PST_OK)
        print_error("%s\n", s->err.text);
    return rc == PST_OK;
}

static bool open_store(suite *s)
{
    s->log = pst_log_new(log_line, NULL);
    if (!open_one(s, s->conf.client, &s->store) ||
        (s->peer_client >= 0 && !open_one(s, s->peer_client, &s->peer)))
        return false;
    s->driver = s->store->driver;
    return true;
}

/* Removes what the cases have put. */
static bool close_store(suite *s)
{
    key_list all = {0};
    pst_store_list list = {.prefix = s->base};
    pst_err err = PST_ERR_INIT;
    pst_rc rc = s->keep ? PST_OK : s->driver->list(s->store, &list, collect, &all, &err);
    for (size_t i = 0; i < all.n && rc == PST_OK; i++)
        rc = s->driver->remove(s->store, all.keys[i], &err);
    key_list_done(&all);
    if (rc != PST_OK)
        print_error("%s\n", err.text);
    pst_store_close(s->store);
    pst_store_close(s->peer);
    pst_log_free(s->log);
    return rc == PST_OK;
}

static int client_of(const char *name)
{
    return strcmp(name, "libs3") == 0 ? PST_STORE_LIBS3 : PST_STORE_CURL;
}

static bool parse_options(int argc, char **argv, suite *s)
{
    pst_store_conf *conf = &s->conf;
    static const struct option options[] = {
        {"url", required_argument, NULL, 'u'},
        {"bucket", required_argument, NULL, 'b'},
        {"region", required_argument, NULL, 'r'},
        {"virtual-host", no_argument, NULL, 'v'},
        {"keep", no_argument, NULL, 'k'},
        {"ca-file", required_argument, NULL, 'c'},
        {"filter", required_argument, NULL, 'f'},
        {"client", required_argument, NULL, 'l'},
        {"peer", required_argument, NULL, 'p'},
        {"spaces", no_argument, NULL, 's'},
        {NULL, 0, NULL, 0},
    };
    int c;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case 'u':
            conf->url = optarg;
            break;
        case 'b':
            conf->bucket = optarg;
            break;
        case 'r':
            conf->region = optarg;
            break;
        case 'v':
            conf->path_style = false;
            break;
        case 'k':
            s->keep = true;
            break;
        case 'c':
            conf->ca_file = optarg;
            break;
        case 'f':
            cmocka_set_test_filter(optarg);
            break;
        case 'l':
            conf->client = client_of(optarg);
            break;
        case 'p':
            s->peer_client = client_of(optarg);
            break;
        case 's':
            s->spaces = true;
            break;
        default:
            return false;
        }
    }
    return conf->url && optind == argc;
}

static void add_cases(struct CMUnitTest *all, size_t *n, const struct CMUnitTest *cases,
                      size_t cases_n, suite *s)
{
    for (size_t i = 0; i < cases_n; i++) {
        all[*n] = cases[i];
        all[(*n)++].initial_state = s;
    }
}

int main(int argc, char **argv)
{
    static suite s;
    struct CMUnitTest all[64];
    size_t n = 0;
    s.conf.path_style = true;
    s.conf.part_size = (int64_t)5 * 1024 * 1024;
    s.peer_client = -1;
    if (!parse_options(argc, argv, &s)) {
        fprintf(stderr, "usage: store_suite --url URL [--bucket B] [--region R] "
                        "[--virtual-host] [--ca-file F] [--client curl|libs3] "
                        "[--peer curl|libs3] [--spaces] [--filter GLOB] [--keep]\n");
        return 2;
    }
    snprintf(s.base, sizeof s.base, "suite-%lld-%d",
             (long long)pst_wall_ms(pst_clock_system()), (int)getpid());
    add_cases(all, &n, suite_objects, suite_objects_n, &s);
    add_cases(all, &n, suite_keys, suite_keys_n, &s);
    add_cases(all, &n, suite_odd, suite_odd_n, &s);
    add_cases(all, &n, suite_services, suite_services_n, &s);
    add_cases(all, &n, suite_peer, suite_peer_n, &s);
    if (!open_store(&s))
        return 1;
    int failed = _cmocka_run_group_tests("store", all, n, NULL, NULL);
    return close_store(&s) && failed == 0 ? 0 : 1;
}
