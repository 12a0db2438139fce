/*
 * store.c - penstock._worker.Store: the object store of a sink's settings, for tools that
 * look at chains. Nothing in it overwrites or deletes.
 *
 * Every call runs in the object's runner, so that a signal is honoured while a store does
 * not answer. Errors that may pass are tried a few times: a tool has nobody behind it who
 * does. A create whose answer was lost may have been done, and not only these tries
 * repeat it: libcurl does by itself when a kept connection breaks. So an object that is
 * there with these very bytes is ours: who else wrote the same has done the same.
 */
#include "pyext/runner.h"
#include "pyext/worker_module.h"

#include "base/mem.h"
#include "connectors/s3csv/s3csv.h"

#include <string.h>

enum { BODY_MAX = PST_MANIFEST_MAX, PAGE_MAX = 1000, TRIES = 4, PAUSE_MS = 250 };

typedef struct page {
    char **keys;
    int64_t *sizes;
    size_t n;
    bool nomem;
} page;

typedef enum request { LIST, HEAD, GET, CREATE, PROBE } request;

typedef struct store {
    PyObject_HEAD pypst_owner owner;
    pypst_settings settings;
    pypst_logring *ring;
    pypst_runner *runner;
    pst_cancel *cancel;
    pst_store *store; /* NULL until it is needed */
    /* the call under way */
    request what;
    char *key, *other; /* copies: a call that is stuck outlives its arguments */
    Py_buffer data;
    pst_buf body;
    pst_store_info info;
    pst_store_abilities abilities;
    page page;
    size_t limit;
    pst_rc rc;
    pst_err err;
} store;

static const pst_s3csv_conf *conf_of(const store *self)
{
    return self->settings.conf;
}

/* ---- in the runner's thread ---- */

static bool add_key(void *opaque, const char *key, int64_t size)
{
    page *p = opaque;
    p->keys[p->n] = pst_strdup(key);
    p->nomem = !p->keys[p->n];
    if (p->nomem)
        return false;
    p->sizes[p->n++] = size;
    return p->n < PAGE_MAX;
}

static void page_clear(page *p)
{
    for (size_t i = 0; i < p->n; i++)
        pst_free(p->keys[i]);
    p->n = 0;
    p->nomem = false;
}

static pst_rc list_page(store *self, pst_err *err)
{
    pst_store_list list = {
        .prefix = self->key, .after = self->other, .limit = self->limit};
    page_clear(&self->page);
    pst_rc rc = self->store->driver->list(self->store, &list, add_key, &self->page, err);
    return rc == PST_OK && self->page.nomem ? pst_fail_nomem(err, self->key) : rc;
}

static pst_rc fail_exists(const store *self, pst_err *err)
{
    pst_err_clear(err);
    return pst_fail(err, PST_E_EXISTS, "%s exists", self->key);
}

/* Are the bytes there ours? */
static pst_rc compare(store *self, pst_err *err)
{
    pst_sv ours = {self->data.buf, (size_t)self->data.len};
    pst_buf_clear(&self->body);
    pst_rc rc = self->store->driver->get(self->store, self->key, &self->body, err);
    if (rc == PST_E_LIMIT) /* longer than any of ours */
        return fail_exists(self, err);
    pst_sv theirs = {self->body.data, self->body.len};
    return rc != PST_OK || pst_sv_eq(theirs, ours) ? rc : fail_exists(self, err);
}

static pst_rc create(store *self, pst_err *err)
{
    pst_store_put put = {.key = self->key,
                         .bytes = {self->data.buf, (size_t)self->data.len},
                         .content_type = "application/json",
                         .create_only = true};
    put.crc32c = pst_crc32c(0, put.bytes.p, put.bytes.n);
    pst_rc rc = self->store->driver->put(self->store, &put, err);
    if (rc != PST_E_EXISTS)
        return rc;
    pst_err_clear(err);
    return compare(self, err);
}

static pst_rc once(store *self, pst_err *err)
{
    pst_store *s = self->store;
    switch (self->what) {
    case LIST:
        return list_page(self, err);
    case HEAD:
        return s->driver->head(s, self->key, self->other, &self->info, err);
    case GET:
        pst_buf_clear(&self->body);
        return s->driver->get(s, self->key, &self->body, err);
    case CREATE:
        return create(self, err);
    case PROBE:
    default:
        return pst_store_probe(s, conf_of(self)->objects.topics_dir, &self->abilities,
                               err);
    }
}

static void job(void *arg)
{
    store *self = arg;
    pst_err_clear(&self->err);
    self->rc = self->store ? PST_OK
                           : pst_store_open(&self->store, &conf_of(self)->store,
                                            pst_clock_system(), self->cancel,
                                            pypst_logring_log(self->ring), &self->err);
    for (int i = 0; self->rc == PST_OK && i < TRIES; i++) {
        self->rc = once(self, &self->err);
        if (self->rc == PST_OK || !self->err.retriable || i + 1 == TRIES ||
            pst_cancel_wait(self->cancel, PAUSE_MS << i))
            return;
        pst_err_clear(&self->err);
        self->rc = PST_OK;
    }
}

static void interrupt(void *arg)
{
    pst_cancel_set(((store *)arg)->cancel);
}

/* ---- with the GIL ---- */

/* False with an exception. */
static bool set_keys(store *self, const char *key, const char *other)
{
    pst_free(self->key);
    pst_free(self->other);
    self->key = key ? pst_strdup(key) : NULL;
    self->other = other ? pst_strdup(other) : NULL;
    if ((!key || self->key) && (!other || self->other))
        return true;
    PyErr_NoMemory();
    return false;
}

/* PST_OK, or what `allowed` names; else -1 with an exception. */
static int run(store *self, request what, const char *key, const char *other,
               pst_rc allowed)
{
    if (!pypst_runner_stuck(self->runner)) {
        if (!set_keys(self, key, other))
            return -1;
        self->what = what;
    }
    pypst_call call = {
        job, interrupt, self, self->ring, self->owner.common, (PyObject *)self, 0};
    int rc = pypst_runner_call(self->runner, &call);
    if (rc < 0 || self->rc == PST_OK || self->rc == allowed)
        return rc;
    (void)(self->err.retriable ? pypst_raise_unreachable
                               : pypst_raise)(self->owner.common, &self->err);
    return -1;
}

static PyObject *page_list(const page *p)
{
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list && i < p->n; i++) {
        PyObject *item =
            Py_BuildValue("(NL)", pypst_text(p->keys[i]), (long long)p->sizes[i]);
        if (!item || PyList_Append(list, item) < 0)
            Py_CLEAR(list);
        Py_XDECREF(item);
    }
    return list;
}

static PyObject *store_list(store *self, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"prefix", "after", "limit", NULL};
    Py_ssize_t limit = PAGE_MAX;
    PyObject *result = NULL;
    const char *prefix, *after = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "s|zn:list", PYPST_NAMES(names),
                                     &prefix, &after, &limit))
        return NULL;
    if (limit < 1 || limit > PAGE_MAX)
        return PyErr_Format(PyExc_ValueError, "limit must be 1 to %d", PAGE_MAX);
    if (!pypst_owner_enter(&self->owner, "Store"))
        return NULL;
    self->limit = (size_t)limit;
    if (run(self, LIST, prefix, after, PST_OK) == 0)
        result = page_list(&self->page);
    pypst_owner_leave(&self->owner);
    return result;
}

static PyObject *info_tuple(const pst_store_info *info)
{
    PyObject *meta = PyDict_New();
    for (size_t i = 0; meta && i < info->meta.n; i++) {
        const pst_store_pair *pair = &info->meta.pairs[i];
        if (pypst_dict_take(meta, pair->name, pypst_text(pair->value)) < 0)
            Py_CLEAR(meta);
    }
    return meta ? Py_BuildValue("(LN)", (long long)info->size, meta) : NULL;
}

static PyObject *store_head(store *self, PyObject *args)
{
    const char *key, *link = NULL;
    PyObject *result = NULL;
    if (!PyArg_ParseTuple(args, "s|z:head", &key, &link) ||
        !pypst_owner_enter(&self->owner, "Store"))
        return NULL;
    if (run(self, HEAD, key, link, PST_E_NOT_FOUND) == 0)
        result = self->rc == PST_OK ? info_tuple(&self->info) : Py_NewRef(Py_None);
    pypst_owner_leave(&self->owner);
    return result;
}

static PyObject *store_get(store *self, PyObject *args)
{
    const char *key;
    PyObject *result = NULL;
    if (!PyArg_ParseTuple(args, "s:get", &key) ||
        !pypst_owner_enter(&self->owner, "Store"))
        return NULL;
    if (run(self, GET, key, NULL, PST_E_NOT_FOUND) == 0)
        result = self->rc == PST_OK
                     ? PyBytes_FromStringAndSize(self->body.data ? self->body.data : "",
                                                 (Py_ssize_t)self->body.len)
                     : Py_NewRef(Py_None);
    pypst_owner_leave(&self->owner);
    return result;
}

static PyObject *store_create(store *self, PyObject *args)
{
    const char *key;
    PyObject *result = NULL;
    Py_buffer data;
    bool used = !pypst_runner_stuck(self->runner);
    if (!PyArg_ParseTuple(args, "sy*:create", &key, &data))
        return NULL;
    if (pypst_owner_enter(&self->owner, "Store")) {
        if (used)
            self->data = data;
        if (run(self, CREATE, key, NULL, PST_E_EXISTS) == 0)
            result = PyBool_FromLong(self->rc == PST_OK);
        pypst_owner_leave(&self->owner);
    }
    if (!used || !pypst_runner_stuck(self->runner))
        PyBuffer_Release(&data);
    return result;
}

static PyObject *store_probe(store *self, PyObject *unused)
{
    PyObject *result = NULL;
    (void)unused;
    if (!pypst_owner_enter(&self->owner, "Store"))
        return NULL;
    if (run(self, PROBE, NULL, NULL, PST_OK) == 0)
        result = PyBool_FromLong(self->abilities.conditional_create);
    pypst_owner_leave(&self->owner);
    return result;
}

static void shut(store *self)
{
    if (self->owner.closed)
        return;
    self->owner.closed = true;
    if (self->runner && pypst_runner_stuck(self->runner))
        return; /* its thread still uses all of it */
    pypst_runner_free(self->runner);
    pst_free(self->key);
    pst_free(self->other);
    pst_store_close(self->store);
    page_clear(&self->page);
    pst_free(self->page.keys);
    pst_free(self->page.sizes);
    pst_buf_done(&self->body);
    pst_cancel_free(self->cancel);
    pypst_settings_done(&self->settings);
    pypst_logring_free(self->ring);
}

static PyObject *store_close(store *self, PyObject *unused)
{
    (void)unused;
    if (!self->owner.closed && !pypst_owner_enter(&self->owner, "Store"))
        return NULL;
    if (!self->owner.closed)
        pypst_owner_leave(&self->owner);
    shut(self);
    Py_RETURN_NONE;
}

static PyObject *store_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"config", NULL};
    PyObject *config;
    pst_err err = PST_ERR_INIT;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:Store", PYPST_NAMES(names),
                                     &config))
        return NULL;
    pypst_worker_state *state = pypst_worker_state_of(type);
    store *self = state ? (store *)type->tp_alloc(type, 0) : NULL;
    if (!self)
        return NULL;
    pypst_owner_init(&self->owner, &state->common);
    pst_buf_init(&self->body, BODY_MAX);
    self->ring = pypst_logring_new();
    self->cancel = pst_cancel_new();
    self->page.keys = pst_calloc(PAGE_MAX, sizeof *self->page.keys);
    self->page.sizes = pst_calloc(PAGE_MAX, sizeof *self->page.sizes);
    if (!self->ring || !self->cancel || !self->page.keys || !self->page.sizes)
        PyErr_NoMemory();
    else if (pypst_settings_load(&self->settings, &state->common, "S3CsvSink", NULL,
                                 config) == 0 &&
             !(self->runner = pypst_runner_new(&err)))
        (void)pypst_raise(&state->common, &err);
    if (PyErr_Occurred())
        Py_CLEAR(self);
    return (PyObject *)self;
}

static void store_dealloc(PyObject *object)
{
    store *self = (store *)object;
    PyTypeObject *type = Py_TYPE(object);
    if (pypst_owner_is_here(&self->owner))
        shut(self);
    type->tp_free(object);
    Py_DECREF(type);
}

/* ---- what the settings say ---- */

static PyObject *get_settings(store *self, void *unused)
{
    (void)unused;
    if (!pypst_owner_usable(&self->owner, "Store"))
        return NULL;
    const pst_s3csv_conf *conf = conf_of(self);
    const char *layout = pst_layout_name((pst_layout)conf->objects.layout);
    char extension[PST_EXTENSION_MAX + 1];
    pst_s3csv_extension(conf, extension);
    PyObject *topics = PyList_New(0), *dict = topics ? PyDict_New() : NULL;
    int rc = dict ? 0 : -1;
    for (size_t i = 0; rc == 0 && i < conf->topics.n; i++) {
        PyObject *topic = pypst_text(conf->topics.items[i]);
        rc = topic ? PyList_Append(topics, topic) : -1;
        Py_XDECREF(topic);
    }
    if (rc == 0)
        rc = pypst_dict_take(dict, "name", pypst_text(conf->connector.name));
    if (rc == 0)
        rc = pypst_dict_take(dict, "topics_dir", pypst_text(conf->objects.topics_dir));
    if (rc == 0)
        rc = pypst_dict_take(dict, "layout", pypst_text(layout));
    if (rc == 0)
        rc = pypst_dict_take(dict, "extension", pypst_text(extension));
    if (rc == 0)
        rc = pypst_dict_take(dict, "topics", Py_NewRef(topics));
    Py_XDECREF(topics);
    if (rc < 0)
        Py_CLEAR(dict);
    return dict;
}

static PyObject *get_links(store *self, void *unused)
{
    (void)unused;
    if (!pypst_owner_usable(&self->owner, "Store"))
        return NULL;
    const char *url = conf_of(self)->store.url;
    return PyBool_FromLong(url && strncmp(url, "file:", 5) == 0);
}

static PyMethodDef methods[] = {
    {"list", (PyCFunction)(void (*)(void))store_list, METH_VARARGS | METH_KEYWORDS,
     "list($self, prefix, after=None, limit=1000)\n--\n\nThe next keys in byte order, "
     "with "
     "their sizes: [(key, size)]."},
    {"head", (PyCFunction)(void (*)(void))store_head, METH_VARARGS,
     "head($self, key, link=None, /)\n--\n\n(size, metadata) of an object, or None."},
    {"get", (PyCFunction)(void (*)(void))store_get, METH_VARARGS,
     "get($self, key, /)\n--\n\nThe bytes of a small object, or None."},
    {"create", (PyCFunction)(void (*)(void))store_create, METH_VARARGS,
     "create($self, key, data, /)\n--\n\nCreate an object; False if there is another "
     "already."},
    {"probe", (PyCFunction)(void (*)(void))store_probe, METH_NOARGS,
     "probe($self, /)\n--\n\nDoes the store create conditionally? Found out by trying."},
    {"close", (PyCFunction)(void (*)(void))store_close, METH_NOARGS,
     "close($self, /)\n--\n\nFree it; nothing can be asked any more."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getset[] = {
    {"settings", (getter)(void (*)(void))get_settings, NULL,
     "What the settings say of chains: name, topics, topics_dir, layout, extension.",
     NULL},
    {"links", (getter)(void (*)(void))get_links, NULL,
     "Are objects committed, and listed, by link files?", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, (void *)store_new},
    {Py_tp_dealloc, (void *)store_dealloc},
    {Py_tp_methods, methods},
    {Py_tp_getset, getset},
    {Py_tp_doc, (void *)(uintptr_t) "Store(config)\n--\n\nThe object store that an "
                                    "S3CsvSink's settings name."},
    {0, NULL},
};

PyType_Spec pypst_store_type = {
    .name = "penstock._worker.Store",
    .basicsize = sizeof(store),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = slots,
};
