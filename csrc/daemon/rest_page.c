/*
 * rest_page.c - the status page at / for browsers, and what it asks every two seconds:
 * GET /penstock/status, counters and states of all tasks, of one moment each.
 *
 * The page is three files in page/ that scripts/page.py makes one of, with a policy that
 * lets a browser run just that style and that script and ask nobody but this listener.
 * The answer has a ceiling: what is beyond it is counted and left out.
 */
#include "daemon/rest_internal.h"

#include "base/mem.h"
#include "daemon/page.h"

#include <string.h>

enum { PARTS_MAX = 1000, TASKS_MAX = 1000 };

void rest_page(struct pst_rest *rest, const rest_request *request, rest_answer *answer)
{
    (void)rest;
    (void)request;
    pst_buf page;
    pst_buf_init(&page, pst_page_size + 1); /* and a NUL */
    if (pst_buf_add(&page, pst_page, pst_page_size) == PST_OK) {
        rest_text(answer, 200, &page);
        answer->type = "text/html; charset=utf-8";
        answer->policy = pst_page_policy;
    } else {
        rest_error(answer, 500, "out of memory");
    }
    pst_buf_done(&page);
}

/* ---- /penstock/status ---- */

typedef struct status_room {
    pst_progress *progress; /* of the task at hand */
    size_t parts, tasks;    /* that may still be told */
} status_room;

/* Texts of others may be cut within a character. */
static json_t *text_json(const char *text)
{
    size_t n = strlen(text);
    while (n && !pst_utf8_valid((pst_sv){text, n}))
        n--;
    return json_stringn(text, n);
}

static json_t *part_json(const pst_part_progress *p)
{
    return json_pack("{s:o, s:i, s:I, s:I, s:I, s:I, s:I, s:I}", "topic",
                     text_json(p->topic), "partition", (int)p->partition, "records",
                     (json_int_t)p->records, "position", (json_int_t)p->position,
                     "landed", (json_int_t)p->landed, "end", (json_int_t)p->end,
                     "oldest_ms", (json_int_t)p->oldest_unflushed_ms, "failing_ms",
                     (json_int_t)p->failing_ms);
}

static json_t *object_json(const pst_object_progress *o)
{
    return json_pack("{s:o, s:I, s:I, s:I, s:I}", "url", text_json(o->url), "at_ms",
                     (json_int_t)o->at_ms, "rows", (json_int_t)o->rows, "bytes",
                     (json_int_t)o->bytes, "more", (json_int_t)o->more);
}

static json_t *counts_json(const pst_task_status *s)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b}", "records",
                     (json_int_t)s->records, "rows", (json_int_t)s->rows, "objects",
                     (json_int_t)s->objects, "bytes", (json_int_t)s->bytes, "skipped",
                     (json_int_t)s->skipped, "errors", (json_int_t)s->errors,
                     "dead_letters", (json_int_t)s->dead_letters, "buffered_bytes",
                     (json_int_t)s->buffered_bytes, "oldest_ms",
                     (json_int_t)s->oldest_unflushed_ms, "stalled", s->stalled);
}

static void add_progress(json_t *out, const pst_progress *progress, status_room *room)
{
    json_t *parts = json_array(), *objects = json_array();
    for (size_t i = 0; i < progress->n_parts && room->parts; i++, room->parts--)
        json_array_append_new(parts, part_json(&progress->parts[i]));
    for (size_t i = 0; i < progress->n_objects; i++)
        json_array_append_new(objects, object_json(&progress->objects[i]));
    json_object_set_new(out, "told_ms", json_integer(progress->told_ms));
    json_object_set_new(out, "assigned", json_integer((json_int_t)progress->n_assigned));
    json_object_set_new(out, "partitions", parts);
    json_object_set_new(out, "objects_landed", objects);
    if (progress->trouble[0])
        json_object_set_new(out, "trouble", text_json(progress->trouble));
}

static json_t *task_json(struct pst_rest *rest, const pst_connector_view *view,
                         const pst_task_view *task, status_room *room, json_t *connector)
{
    pst_task_status status;
    if (pst_worker_progress(rest->options.worker, view->name, task->id, &status,
                            room->progress) != PST_OK)
        return NULL; /* it has gone meanwhile */
    json_t *out = counts_json(&status);
    json_object_set_new(out, "id", json_integer(task->id));
    json_object_set_new(out, "state", json_string(rest_task_state(task)));
    if (task->state == PST_TASK_FAILED && !task->ending)
        json_object_set_new(out, "trace", text_json(task->trace));
    add_progress(out, room->progress, room);
    if (status.guarantee)
        json_object_set_new(connector, "guarantee", json_string(status.guarantee));
    return out;
}

static json_t *connector_json(struct pst_rest *rest, const pst_connector_view *view,
                              status_room *room)
{
    const char *store = pst_props_get(&view->props, "store.url");
    const char *region = pst_props_get(&view->props, "s3.region");
    json_t *tasks = json_array();
    json_t *out =
        json_pack("{s:o, s:s, s:s, s:s, s:o, s:o}", "name", text_json(view->name),
                  "class", view->plugin->class_name, "type", view->plugin->type, "state",
                  rest_target_name(view->target), "store", text_json(store ? store : ""),
                  "region", text_json(region ? region : "us-east-1"));
    for (size_t i = 0; i < view->n_tasks && room->tasks; i++, room->tasks--) {
        json_t *task = task_json(rest, view, &view->tasks[i], room, out);
        if (task)
            json_array_append_new(tasks, task);
    }
    json_object_set_new(out, "tasks_max", json_integer((json_int_t)view->n_tasks));
    json_object_set_new(out, "tasks", tasks);
    return out;
}

static json_t *all_json(struct pst_rest *rest, char **names, size_t n, status_room *room)
{
    json_t *out = json_array();
    for (size_t i = 0; i < n; i++) {
        pst_connector_view view;
        if (pst_worker_look(rest->options.worker, names[i], &view) != PST_OK)
            continue;
        json_array_append_new(out, connector_json(rest, &view, room));
        pst_connector_view_done(&view);
    }
    return out;
}

void rest_page_status(struct pst_rest *rest, const rest_request *request,
                      rest_answer *answer)
{
    (void)request;
    char **names = NULL, cluster[sizeof rest->cluster];
    size_t n = 0;
    status_room room = {.progress = pst_calloc(1, sizeof *room.progress),
                        .parts = PARTS_MAX,
                        .tasks = TASKS_MAX};
    if (!room.progress || pst_worker_names(rest->options.worker, &names, &n) != PST_OK) {
        pst_free(room.progress);
        rest_error(answer, 500, "out of memory");
        return;
    }
    pst_worker_cluster(rest->options.worker, cluster, sizeof cluster);
    rest_json(answer, 200,
              json_pack("{s:s, s:s, s:s, s:I, s:o}", "version", PST_VERSION, "worker_id",
                        rest->worker_id, "cluster", cluster, "now_ms",
                        (json_int_t)pst_wall_ms(pst_clock_system()), "connectors",
                        all_json(rest, names, n, &room)));
    pst_worker_names_free(names, n);
    pst_free(room.progress);
}
