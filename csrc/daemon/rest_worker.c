/*
 * rest_worker.c - what concerns the process: who it is, is it well.
 */
#include "daemon/rest_internal.h"

#include "base/mem.h"
#include "runtime/group.h"

#include <stdio.h>
#include <string.h>

enum { CLUSTER_MS = 3000 };

/* A task has mostly learnt it already; else Kafka is asked, once it answers never again.
 */
static void ask_cluster(struct pst_rest *rest, char *out, size_t size)
{
    pst_group_query query = {.worker = rest->options.props,
                             .client_id = "penstockd-rest",
                             .group = "penstockd-rest",
                             .timeout_ms = CLUSTER_MS};
    pst_group_facts facts;
    pst_err why = PST_ERR_INIT;
    bool unreachable = false;
    if (pst_group_ask(&query, &facts, &unreachable, &why) == PST_OK && facts.cluster)
        snprintf(out, size, "%s", facts.cluster);
    pst_group_facts_done(&facts);
}

void rest_root(struct pst_rest *rest, const rest_request *request, rest_answer *answer)
{
    (void)request;
    char cluster[sizeof rest->cluster];
    pst_worker_cluster(rest->options.worker, cluster, sizeof cluster);
    if (!*cluster) {
        pthread_mutex_lock(&rest->lock);
        memcpy(cluster, rest->cluster, sizeof cluster);
        pthread_mutex_unlock(&rest->lock);
    }
    if (!*cluster) {
        ask_cluster(rest, cluster, sizeof cluster);
        pthread_mutex_lock(&rest->lock);
        memcpy(rest->cluster, cluster, sizeof cluster);
        pthread_mutex_unlock(&rest->lock);
    }
    rest_json(answer, 200,
              json_pack("{s:s, s:s, s:s?}", "version", PST_VERSION, "commit",
                        "penstock-" PST_VERSION, "kafka_cluster_id",
                        *cluster ? cluster : NULL));
}

/* KIP-1017: the listeners open when the connectors are being started. */
void rest_health(struct pst_rest *rest, const rest_request *request, rest_answer *answer)
{
    (void)rest;
    (void)request;
    rest_json(answer, 200,
              json_pack("{s:s, s:s}", "status", "healthy", "message",
                        "Worker has completed startup and is ready to handle "
                        "requests."));
}

/* Why this connector does not do its work; false: it does, or is not meant to. */
static bool is_waiting(const pst_connector_view *view, bool named, char *why, size_t size)
{
    for (size_t i = 0; view->target == PST_TARGET_RUNNING && i < view->n_tasks; i++) {
        const pst_task_view *task = &view->tasks[i];
        bool fails = task->state == PST_TASK_FAILED;
        if (task->ending || fails || task->state == PST_TASK_STARTING) {
            const char *what =
                fails ? "has failed" : "is starting: it waits for Kafka or its store";
            if (named)
                snprintf(why, size, "task %s-%d %s", view->name, task->id, what);
            else
                snprintf(why, size, "a task %s", what);
            return true;
        }
    }
    return false;
}

/* Does every connector do what it is meant to? For load balancers and deployments; it
   answers without a password, and names nothing where others need one. */
void rest_ready(struct pst_rest *rest, const rest_request *request, rest_answer *answer)
{
    (void)request;
    char **names = NULL, why[400] = "";
    size_t n = 0;
    bool waits = false;
    if (pst_worker_names(rest->options.worker, &names, &n) != PST_OK) {
        rest_error(answer, 500, "out of memory");
        return;
    }
    for (size_t i = 0; !waits && i < n; i++) {
        pst_connector_view view;
        if (pst_worker_look(rest->options.worker, names[i], &view) != PST_OK)
            continue;
        waits = is_waiting(&view, !rest->auth, why, sizeof why);
        pst_connector_view_done(&view);
    }
    pst_worker_names_free(names, n);
    rest_json(answer, waits ? 503 : 200,
              json_pack("{s:s, s:s}", "status", waits ? "not ready" : "ready", "message",
                        waits ? why : "All tasks run."));
}
