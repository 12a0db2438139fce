/*
 * sink.c - S3CsvSink as an object with put, flush and close.
 *
 * It calls the plugin's operations with a NULL host: Kafka is not asked, the chain in the
 * store alone says where each partition goes on, and who puts the records commits their
 * offsets when flush() has told that they are durable. The plugin's callbacks come from
 * the object's runner.
 *
 * Records must be put in order. When put() fails or is interrupted the sink takes no
 * more: going on with later records would lose one. A new sink goes on where the store
 * says; what is put again below that is skipped and counted.
 */
#include "pyext/connectors_module.h"
#include "pyext/memory.h"
#include "pyext/runner.h"

#include "base/mem.h"

#include <string.h>

static const char CLASS_NAME[] = "S3CsvSink";
enum {
    BATCH = 500,
    FULL_WAIT_MS = 10, /* memory is full: look again */
    STEP_MS = 50,
    POSITIONS_MAX = 1024,
    PARTS_MAX = 10000,
    STARTUP_MS = 60000,
    SESSION_MS = 10000,
};

typedef struct part {
    char *topic;
    int32_t partition;
    int64_t next; /* what lies below is taken already */
} part;

/* Python's objects behind the items of a batch. */
typedef struct held {
    PyObject *topic;
    Py_buffer key, value; /* obj == NULL: none */
} held;

typedef struct batch {
    pst_item items[BATCH];
    held held[BATCH];
    size_t n, at;
} batch;

typedef struct sink {
    PyObject_HEAD pypst_owner owner;
    pypst_settings settings;
    pypst_logring *ring;
    pypst_runner *runner;
    pst_sink *plugin;
    char *cluster, *group;
    pst_props worker; /* empty */
    pypst_memory memory;
    pst_task_env env;
    part *parts;
    size_t n_parts, cap_parts;
    int64_t skipped;
    batch *batch;
    pst_err failed; /* of a put: nothing more is taken */
    /* One job's arguments and results. */
    pst_tp *tps; /* POSITIONS_MAX */
    size_t n_tps;
    bool idle;
    pst_rc rc;
    pst_err err;
} sink;

static const pst_sink_ops *ops(const sink *self)
{
    return self->settings.connector->sink;
}

/* ---- jobs: in the runner's thread, without the GIL ---- */

static void start_job(void *arg)
{
    sink *self = arg;
    self->rc = ops(self)->start(&self->plugin, self->settings.conf, &self->env, NULL,
                                &self->err);
}

static void open_job(void *arg)
{
    sink *self = arg;
    self->rc = ops(self)->open(self->plugin, self->tps, self->n_tps, &self->err);
}

static void put_job(void *arg)
{
    sink *self = arg;
    batch *b = self->batch;
    size_t taken = 0;
    int64_t next_ms;
    self->rc =
        ops(self)->put(self->plugin, b->items + b->at, b->n - b->at, &taken, &self->err);
    b->at += taken;
    if (self->rc == PST_OK)
        self->rc = ops(self)->tick(self->plugin, &next_ms, &self->err);
    if (self->rc == PST_OK && taken == 0)
        (void)pst_cancel_wait(self->env.cancel, FULL_WAIT_MS);
}

static void flush_job(void *arg)
{
    sink *self = arg;
    const pst_clock *clock = self->env.clock;
    int64_t until = pst_mono_ms(clock) + STEP_MS, next_ms;
    ops(self)->flush(self->plugin, NULL, 0);
    do {
        self->rc = ops(self)->tick(self->plugin, &next_ms, &self->err);
        self->idle = ops(self)->idle(self->plugin, NULL, 0);
        if (self->rc != PST_OK || self->idle)
            return;
        (void)pst_cancel_wait(self->env.cancel, 2);
    } while (pst_mono_ms(clock) < until);
}

/* There is no Kafka to commit to: told is committed. */
static void positions_job(void *arg)
{
    sink *self = arg;
    self->n_tps = ops(self)->precommit(self->plugin, self->tps, POSITIONS_MAX);
    ops(self)->committed(self->plugin, self->tps, self->n_tps, 0);
}

static void stop_job(void *arg)
{
    sink *self = arg;
    ops(self)->stop(self->plugin);
    self->plugin = NULL;
}

static void interrupt(void *arg)
{
    sink *self = arg;
    pst_cancel_set(self->env.cancel);
    pst_cancel_set(self->env.abort);
}

static int call_within(sink *self, void (*job)(void *), void (*when_interrupted)(void *),
                       int64_t limit_ms)
{
    pypst_call how = {job,        when_interrupted,   self,
                      self->ring, self->owner.common, (PyObject *)self,
                      limit_ms};
    if (!pypst_runner_stuck(self->runner)) {
        self->rc = PST_OK;
        pst_err_clear(&self->err);
    }
    if (pypst_runner_call(self->runner, &how) < 0)
        return -1;
    if (pypst_runner_stuck(self->runner) || self->rc == PST_OK)
        return 0;
    return pypst_raise(self->owner.common, &self->err), -1;
}

/* Runs a job; 0, or -1 with its error, or a signal's, as the exception. */
static int call(sink *self, void (*job)(void *), void (*when_interrupted)(void *))
{
    return call_within(self, job, when_interrupted, 0);
}

/* Ends the plugin, whose own threads may hang in a call to the store: then it is left to
   end by itself, and everything is kept. */
static int stop_plugin(sink *self)
{
    if (!self->plugin || pypst_runner_stuck(self->runner))
        return 0;
    pst_cancel_set(self->env.abort);
    int rc = call_within(self, stop_job, interrupt, PYPST_GRACE_MS);
    if (pypst_runner_stuck(self->runner))
        pst_logf(self->env.log, PST_LOG_WARN, self->env.id, "task",
                 "a call to the store does not end: it is left behind");
    return rc;
}

/* ---- life ---- */

static void init_env(sink *self)
{
    const pst_connector_conf *conf = self->settings.conf;
    self->env =
        (pst_task_env){.connector = conf->name,
                       .id = conf->name,
                       .clock = pst_clock_system(),
                       .cancel = pst_cancel_new(),
                       .abort = pst_cancel_new(),
                       .cluster = self->cluster,
                       .group = self->group,
                       .session_timeout_ms = SESSION_MS,
                       .until_end = true, /* errors.retry.timeout bounds retries */
                       .startup_timeout_ms = STARTUP_MS,
                       .log = pypst_logring_log(self->ring),
                       .worker = &self->worker,
                       .connector_props = &self->settings.props,
                       .budget = &self->memory.budget,
                       .spool = self->memory.spool};
}

static bool allocate(sink *self, const char *cluster)
{
    const pst_connector_conf *conf = self->settings.conf;
    self->ring = pypst_logring_new();
    self->batch = pst_calloc(1, sizeof *self->batch);
    self->tps = pst_calloc(POSITIONS_MAX, sizeof *self->tps);
    self->cluster = pst_strdup(cluster);
    self->group = pst_asprintf("connect-%s", conf->name);
    if (!self->ring || !self->batch || !self->tps || !self->cluster || !self->group)
        return false;
    init_env(self);
    return self->env.cancel && self->env.abort;
}

static int check_arguments(sink *self, const char *cluster)
{
    if (self->owner.common)
        PyErr_SetString(PyExc_TypeError, "S3CsvSink can be initialised once only");
    else if (!*cluster)
        PyErr_SetString(PyExc_ValueError, "cluster must not be empty");
    else
        return 0;
    return -1;
}

static int sink_init(PyObject *obj, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"config",    "cluster",         "buffer_memory",
                                        "spool_dir", "spool_max_bytes", NULL};
    sink *self = (sink *)obj;
    PyObject *config;
    const char *cluster = "python";
    pypst_memory_arguments memory = PYPST_MEMORY_DEFAULTS;
    if (!PyArg_ParseTupleAndKeywords(
            args, kwargs, "O|$sLOL:S3CsvSink", PYPST_NAMES(names), &config, &cluster,
            &memory.buffer_memory, &memory.spool_dir, &memory.spool_max_bytes) ||
        check_arguments(self, cluster) < 0)
        return -1;
    pypst_connectors_state *state = pypst_connectors_state_of(Py_TYPE(obj));
    if (!state)
        return -1;
    if (pypst_settings_load(&self->settings, &state->common, CLASS_NAME, NULL, config) <
            0 ||
        pypst_memory_init(&self->memory, &state->common, &memory) < 0) {
        pypst_settings_done(&self->settings);
        return -1;
    }
    pypst_owner_init(&self->owner, &state->common);
    self->owner.closed = !allocate(self, cluster);
    return self->owner.closed ? (PyErr_NoMemory(), -1) : 0;
}

static void free_memory(sink *self)
{
    pypst_memory_done(&self->memory);
    pypst_logring_free(self->ring);
    pst_cancel_free(self->env.cancel);
    pst_cancel_free(self->env.abort);
    for (size_t i = 0; i < self->n_parts; i++)
        pst_free(self->parts[i].topic);
    pst_free(self->parts);
    pst_free(self->batch);
    pst_free(self->tps);
    pst_free(self->cluster);
    pst_free(self->group);
    self->ring = NULL;
    self->env.cancel = self->env.abort = NULL;
    self->parts = NULL;
    self->n_parts = 0;
    self->batch = NULL;
    self->tps = NULL;
    self->cluster = self->group = NULL;
}

/* In the process that made it, with no call under way, and the plugin stopped. */
static void release(sink *self)
{
    if (pypst_runner_stuck(self->runner))
        return; /* a thread still uses it all: better leaked than freed */
    Py_BEGIN_ALLOW_THREADS pypst_runner_free(self->runner);
    Py_END_ALLOW_THREADS self->runner = NULL;
    free_memory(self);
}

static void sink_finalize(PyObject *obj)
{
    sink *self = (sink *)obj;
    if (!self->runner || self->owner.closed || !pypst_owner_is_here(&self->owner))
        return;
    pypst_owner_warn(&self->owner, obj);
    PyObject *under_way = pypst_exception_take();
    if (stop_plugin(self) < 0)
        PyErr_WriteUnraisable(obj);
    self->owner.closed = true;
    if (under_way)
        pypst_exception_put(under_way);
}

static void sink_dealloc(PyObject *obj)
{
    sink *self = (sink *)obj;
    PyTypeObject *type = Py_TYPE(obj);
    if (PyObject_CallFinalizerFromDealloc(obj) < 0)
        return;
    if (self->owner.common && pypst_owner_is_here(&self->owner)) {
        release(self);
        if (!pypst_runner_stuck(self->runner))
            pypst_settings_done(&self->settings);
    }
    freefunc release_memory = PyType_GetSlot(type, Py_tp_free);
    release_memory(obj);
    Py_DECREF(type);
}

/* The first use opens the store. */
static int start(sink *self)
{
    if (self->plugin)
        return 0;
    pst_err err = PST_ERR_INIT;
    if (!self->runner)
        self->runner = pypst_runner_new(&err);
    if (!self->runner)
        return pypst_raise(self->owner.common, &err), -1;
    return call(self, start_job, interrupt);
}

/* ---- records out of Python ---- */

static void clear_batch(batch *b)
{
    for (size_t i = 0; i < b->n; i++) {
        Py_CLEAR(b->held[i].topic);
        PyBuffer_Release(&b->held[i].key);
        PyBuffer_Release(&b->held[i].value);
    }
    b->n = b->at = 0;
}

static const char *const field_names[] = {"topic", "partition", "offset",
                                          "key",   "value",     "timestamp"};
enum { TOPIC, PARTITION, OFFSET, KEY, VALUE, TIMESTAMP, FIELDS };

/* A 6-tuple's item, or an attribute; a new reference. */
static PyObject *field(PyObject *record, bool tuple, int i)
{
    return tuple ? Py_NewRef(PyTuple_GET_ITEM(record, i))
                 : PyObject_GetAttrString(record, field_names[i]);
}

static int read_integer(PyObject *record, bool tuple, int i, long long min, long long max,
                        long long none, long long *out)
{
    PyObject *value = field(record, tuple, i);
    if (!value)
        return -1;
    int rc = 0;
    if (value == Py_None && none != min)
        *out = none;
    else
        *out = PyLong_AsLongLong(value);
    if (PyErr_Occurred())
        rc = -1;
    else if (*out != none && (*out < min || *out > max))
        rc = (PyErr_Format(PyExc_ValueError, "a record's %s is out of range: %lld",
                           field_names[i], *out),
              -1);
    Py_DECREF(value);
    return rc;
}

static int read_bytes(PyObject *record, bool tuple, int i, Py_buffer *buffer, pst_sv *out)
{
    PyObject *value = field(record, tuple, i);
    if (!value)
        return -1;
    int rc = 0;
    *out = (pst_sv){NULL, 0};
    if (value != Py_None) {
        rc = PyObject_GetBuffer(value, buffer, PyBUF_SIMPLE);
        if (rc == 0)
            *out = (pst_sv){buffer->buf ? buffer->buf : "", (size_t)buffer->len};
    }
    Py_DECREF(value);
    return rc;
}

static int read_topic(PyObject *record, bool tuple, held *h, const char **out)
{
    Py_ssize_t n;
    h->topic = field(record, tuple, TOPIC);
    if (!h->topic)
        return -1;
    *out = PyUnicode_AsUTF8AndSize(h->topic, &n);
    if (*out && (n == 0 || n > 249 || strlen(*out) != (size_t)n)) {
        PyErr_Format(PyExc_ValueError, "not a topic's name: %R", h->topic);
        *out = NULL;
    }
    return *out ? 0 : -1;
}

/* On failure what is held is released with the batch. */
static int read_record(PyObject *record, pst_item *item, held *h)
{
    bool tuple = PyTuple_CheckExact(record);
    if (tuple && PyTuple_GET_SIZE(record) != FIELDS) {
        PyErr_SetString(PyExc_TypeError, "a record as a tuple is (topic, partition, "
                                         "offset, key, value, timestamp)");
        return -1;
    }
    long long partition, offset, timestamp;
    *h = (held){.topic = NULL};
    *item = (pst_item){.kind = PST_ITEM_RECORD};
    if (read_topic(record, tuple, h, &item->msg.topic) < 0 ||
        read_integer(record, tuple, PARTITION, 0, INT32_MAX, 0, &partition) < 0 ||
        read_integer(record, tuple, OFFSET, 0, INT64_MAX - 1, 0, &offset) < 0 ||
        read_bytes(record, tuple, KEY, &h->key, &item->msg.key) < 0 ||
        read_bytes(record, tuple, VALUE, &h->value, &item->msg.value) < 0 ||
        read_integer(record, tuple, TIMESTAMP, 0, INT64_MAX, -1, &timestamp) < 0)
        return -1;
    item->msg.partition = (int32_t)partition;
    item->msg.offset = offset;
    item->msg.timestamp_ms = timestamp;
    return 0;
}

/* Up to BATCH records; *more is false at the iterator's end. */
static int fill_batch(batch *b, PyObject *iterator, bool *more)
{
    while (b->n < BATCH) {
        PyObject *record = PyIter_Next(iterator);
        if (!record) {
            *more = false;
            return PyErr_Occurred() ? -1 : 0;
        }
        size_t i = b->n++;
        int rc = read_record(record, &b->items[i], &b->held[i]);
        Py_DECREF(record);
        if (rc < 0)
            return -1;
    }
    return 0;
}

/* ---- put ---- */

static part *find_part(sink *self, const char *topic, int32_t partition)
{
    for (size_t i = 0; i < self->n_parts; i++)
        if (self->parts[i].partition == partition &&
            strcmp(self->parts[i].topic, topic) == 0)
            return &self->parts[i];
    return NULL;
}

static int add_part(sink *self, const char *topic, int32_t partition)
{
    if (self->n_parts == PARTS_MAX) {
        PyErr_Format(PyExc_ValueError, "more than %d partitions", (int)PARTS_MAX);
        return -1;
    }
    if (self->n_parts == self->cap_parts) {
        size_t cap = self->cap_parts ? self->cap_parts * 2 : 16;
        part *parts = pst_realloc(self->parts, cap, sizeof *parts);
        if (!parts)
            return PyErr_NoMemory(), -1;
        self->parts = parts;
        self->cap_parts = cap;
    }
    part p = {.topic = pst_strdup(topic), .partition = partition, .next = -1};
    if (!p.topic)
        return PyErr_NoMemory(), -1;
    self->parts[self->n_parts++] = p;
    return 0;
}

/* Opens, together, the partitions that a batch brings for the first time. */
static int open_new_parts(sink *self)
{
    size_t before = self->n_parts;
    for (size_t i = 0; i < self->batch->n; i++) {
        const pst_msg *msg = &self->batch->items[i].msg;
        if (!find_part(self, msg->topic, msg->partition) &&
            add_part(self, msg->topic, msg->partition) < 0)
            return -1;
    }
    self->n_tps = self->n_parts - before;
    for (size_t i = 0; i < self->n_tps; i++)
        self->tps[i] = (pst_tp){.topic = self->parts[before + i].topic,
                                .partition = self->parts[before + i].partition,
                                .offset = PST_OFFSET_NONE};
    if (self->n_tps && call(self, open_job, interrupt) < 0)
        return -1;
    for (size_t i = 0; i < self->n_tps; i++)
        self->parts[before + i].next = self->tps[i].from;
    return 0;
}

/* The plugin drops what it has taken before; here it is only counted. */
static void count(sink *self, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        const pst_msg *msg = &self->batch->items[i].msg;
        part *p = find_part(self, msg->topic, msg->partition);
        if (msg->offset < p->next)
            self->skipped++;
        else
            p->next = msg->offset + 1;
    }
}

static int deliver(sink *self)
{
    batch *b = self->batch;
    if (open_new_parts(self) < 0)
        return -1;
    while (b->at < b->n) {
        size_t from = b->at;
        int rc = call(self, put_job, NULL);
        if (pypst_runner_stuck(self->runner))
            return -1;
        count(self, from, b->at);
        if (rc < 0)
            return -1;
    }
    return 0;
}

/* Keeps why a put failed: later ones fail too. */
static void remember_failure(sink *self)
{
    if (self->rc != PST_OK)
        self->failed = self->err;
    else
        (void)pst_fail(&self->failed, PST_E_STOPPED,
                       "an earlier put() was interrupted: make a new sink and put its "
                       "records again");
}

static int put_all(sink *self, PyObject *iterator)
{
    bool more = true;
    int rc = 0;
    while (rc == 0 && more) {
        rc = fill_batch(self->batch, iterator, &more);
        if (rc == 0 && self->batch->n) {
            rc = start(self);
            if (rc == 0)
                rc = deliver(self);
            if (rc < 0)
                remember_failure(self);
        }
        if (!pypst_runner_stuck(self->runner))
            clear_batch(self->batch);
    }
    return rc;
}

static int check_failed(sink *self)
{
    if (self->failed.code == PST_OK)
        return 0;
    return pypst_raise(self->owner.common, &self->failed), -1;
}

static PyObject *sink_put(PyObject *obj, PyObject *records)
{
    sink *self = (sink *)obj;
    if (!pypst_owner_enter(&self->owner, CLASS_NAME))
        return NULL;
    int rc = check_failed(self);
    PyObject *iterator = rc == 0 ? PyObject_GetIter(records) : NULL;
    rc = iterator ? put_all(self, iterator) : -1;
    Py_XDECREF(iterator);
    pypst_owner_leave(&self->owner);
    return rc == 0 ? Py_NewRef(Py_None) : NULL;
}

/* ---- flush ---- */

static int land(sink *self)
{
    self->idle = false;
    while (!self->idle)
        if (call(self, flush_job, NULL) < 0)
            return -1;
    return 0;
}

static int add_positions(sink *self, PyObject *list)
{
    for (size_t i = 0; i < self->n_tps; i++) {
        const pst_tp *tp = &self->tps[i];
        PyObject *position =
            Py_BuildValue("siL", tp->topic, tp->partition, (long long)tp->offset);
        int rc = position ? PyList_Append(list, position) : -1;
        Py_XDECREF(position);
        if (rc < 0)
            return -1;
    }
    return 0;
}

static PyObject *positions(sink *self)
{
    PyObject *list = PyList_New(0);
    int rc = list ? 0 : -1;
    do {
        if (rc == 0)
            rc = call(self, positions_job, NULL);
        if (rc == 0)
            rc = add_positions(self, list);
    } while (rc == 0 && self->n_tps == POSITIONS_MAX);
    if (rc < 0)
        Py_CLEAR(list);
    return list;
}

/* After a record that can't become a row, what came before it may land. */
static int may_land(sink *self)
{
    return self->failed.code == PST_E_INVALID ? 0 : check_failed(self);
}

static PyObject *sink_flush(PyObject *obj, PyObject *unused)
{
    (void)unused;
    sink *self = (sink *)obj;
    PyObject *list = NULL;
    if (!pypst_owner_enter(&self->owner, CLASS_NAME))
        return NULL;
    if (may_land(self) == 0) {
        if (!self->plugin)
            list = PyList_New(0);
        else if (land(self) == 0)
            list = positions(self);
    }
    pypst_owner_leave(&self->owner);
    return list;
}

/* ---- close ---- */

static int close_here(sink *self, bool flush)
{
    int rc = 0;
    bool landable = self->failed.code == PST_OK || self->failed.code == PST_E_INVALID;
    if (flush && self->plugin && landable)
        rc = land(self);
    if (self->runner && !pypst_runner_stuck(self->runner)) {
        PyObject *first = pypst_exception_take(); /* of the flush */
        if (stop_plugin(self) < 0 && first)
            PyErr_Clear();
        if (first)
            pypst_exception_put(first);
    }
    if (!PyErr_Occurred())
        (void)pypst_logring_drain(self->ring, self->owner.common);
    self->owner.closed = true;
    release(self);
    return rc == 0 && !PyErr_Occurred() ? 0 : -1;
}

static PyObject *close_sink(sink *self, bool flush)
{
    if (!self->owner.common || self->owner.closed)
        Py_RETURN_NONE;
    if (!pypst_owner_is_here(&self->owner)) {
        self->owner.closed = true;
        Py_RETURN_NONE;
    }
    if (!pypst_owner_enter(&self->owner, CLASS_NAME))
        return NULL;
    int rc = close_here(self, flush);
    pypst_owner_leave(&self->owner);
    return rc == 0 ? Py_NewRef(Py_None) : NULL;
}

static PyObject *sink_close(PyObject *obj, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"flush", NULL};
    int flush = 1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$p:close", PYPST_NAMES(names),
                                     &flush))
        return NULL;
    return close_sink((sink *)obj, flush != 0);
}

/* ---- the type ---- */

static PyObject *sink_enter(PyObject *obj, PyObject *unused)
{
    (void)unused;
    return pypst_owner_usable(&((sink *)obj)->owner, CLASS_NAME) ? Py_NewRef(obj) : NULL;
}

/* With an exception nothing is flushed. */
static PyObject *sink_exit(PyObject *obj, PyObject *args)
{
    bool fine = PyTuple_GET_SIZE(args) == 0 || PyTuple_GET_ITEM(args, 0) == Py_None;
    return close_sink((sink *)obj, fine);
}

static PyObject *sink_repr(PyObject *obj)
{
    sink *self = (sink *)obj;
    PyObject *shown = pypst_settings_shown(&self->settings);
    PyObject *text =
        shown ? PyUnicode_FromFormat("<%s%s %R>", CLASS_NAME,
                                     self->owner.closed ? " (closed)" : "", shown)
              : NULL;
    Py_XDECREF(shown);
    return text;
}

static PyObject *sink_config(PyObject *obj, void *unused)
{
    (void)unused;
    return pypst_settings_shown(&((sink *)obj)->settings);
}

static PyObject *sink_closed(PyObject *obj, void *unused)
{
    (void)unused;
    return PyBool_FromLong(((sink *)obj)->owner.closed);
}

static PyObject *sink_stats(PyObject *obj, void *unused)
{
    (void)unused;
    sink *self = (sink *)obj;
    pst_sink_stats stats = {.records = 0};
    if (!pypst_owner_usable(&self->owner, CLASS_NAME))
        return NULL;
    if (self->plugin)
        ops(self)->stats(self->plugin, &stats);
    return Py_BuildValue(
        "{sL sL sL sL sL sL sL sL ss}", "records", (long long)stats.records, "rows",
        (long long)stats.rows, "objects", (long long)stats.objects, "bytes",
        (long long)stats.bytes, "skipped", (long long)stats.skipped + self->skipped,
        "errors", (long long)stats.errors, "adopted", (long long)stats.adopted,
        "buffered_bytes", (long long)stats.buffered_bytes, "last_object",
        stats.last_object);
}

static PyMethodDef methods[] = {
    {"put", sink_put, METH_O,
     "put($self, records, /)\n--\n\nTake records, each an object with the attributes "
     "topic, partition, offset,\nkey, value and timestamp, or a tuple of these."},
    {"flush", sink_flush, METH_NOARGS,
     "flush($self, /)\n--\n\nLand all that was put. Returns [(topic, partition, next "
     "offset)] of what has\nbecome durable since the last flush."},
    {"close", (PyCFunction)(void (*)(void))sink_close, METH_VARARGS | METH_KEYWORDS,
     "close($self, /, *, flush=True)\n--\n\nLand all that was put (unless flush=False) "
     "and stop. Closing it again does nothing."},
    {"__enter__", sink_enter, METH_NOARGS, NULL},
    {"__exit__", sink_exit, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getters[] = {
    {"closed", sink_closed, NULL, "True after close().", NULL},
    {"config", sink_config, NULL, "The settings as given; secrets are masked.", NULL},
    {"stats", sink_stats, NULL, "Counters of this sink, as a dict.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(doc,
             "S3CsvSink(config, *, cluster='python', buffer_memory=67108864,\n"
             "          spool_dir=None, spool_max_bytes=10737418240)\n--\n\n"
             "Lands records as CSV objects: put them in order, flush, commit what flush\n"
             "returns. config maps setting names to values, or is the path of a\n"
             ".properties file. Settings are checked here (ConfigError); the store is\n"
             "opened by the first put. cluster names where offsets come from: the chain\n"
             "in the store is bound to it. buffer_memory is in bytes.\n"
             "What outgrows it goes on in files in the folder spool_dir, at most\n"
             "spool_max_bytes of them; without one, objects are landed early.");

static PyType_Slot type_slots[] = {
    {Py_tp_doc, (void *)(uintptr_t)doc},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_init, sink_init},
    {Py_tp_dealloc, sink_dealloc},
    {Py_tp_finalize, sink_finalize},
    {Py_tp_repr, sink_repr},
    {Py_tp_methods, methods},
    {Py_tp_getset, getters},
    {0, NULL},
};

PyType_Spec pypst_sink_type = {
    .name = "penstock._connectors.S3CsvSink",
    .basicsize = sizeof(sink),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = type_slots,
};
