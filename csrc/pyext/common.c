/*
 * common.c - see common.h.
 */
#include "pyext/common.h"

#include "base/mem.h"

#include <string.h>
#include <unistd.h>

enum { TEXT_MAX = 1024 * 1024, LEVEL_WARNING = 30 /* Python's */ };

/* ---- state ---- */

static PyObject *attribute(const char *module_name, const char *name)
{
    PyObject *module = PyImport_ImportModule(module_name);
    PyObject *value = module ? PyObject_GetAttrString(module, name) : NULL;
    Py_XDECREF(module);
    return value;
}

int pypst_common_init(pypst_common *common)
{
    common->error_of = attribute("penstock._errors", "error_of");
    common->config_error = attribute("penstock._errors", "ConfigError");
    common->emit = attribute("penstock._logging", "emit");
    return common->error_of && common->config_error && common->emit ? 0 : -1;
}

int pypst_common_traverse(pypst_common *common, visitproc visit, void *arg)
{
    Py_VISIT(common->error_of);
    Py_VISIT(common->config_error);
    Py_VISIT(common->emit);
    return 0;
}

void pypst_common_clear(pypst_common *common)
{
    Py_CLEAR(common->error_of);
    Py_CLEAR(common->config_error);
    Py_CLEAR(common->emit);
}

/* ---- may it be used ---- */

void pypst_owner_init(pypst_owner *owner, pypst_common *common)
{
    *owner = (pypst_owner){.common = common, .pid = getpid()};
}

bool pypst_owner_is_here(const pypst_owner *owner)
{
    return owner->pid == getpid();
}

static bool refuse(const pypst_owner *owner, const char *code, const char *what,
                   const char *why)
{
    pst_err err = PST_ERR_INIT;
    (void)pst_fail(&err, PST_E_UNSUPPORTED, "%s %s", what, why);
    (void)pypst_raise_text(owner->common, code, err.text);
    return false;
}

bool pypst_owner_usable(const pypst_owner *owner, const char *what)
{
    if (!owner->common)
        return PyErr_Format(PyExc_TypeError, "%s.__init__() was not called", what), false;
    if (!pypst_owner_is_here(owner))
        return refuse(owner, "fork", what,
                      "was made before a fork and works in the process that made it "
                      "only: make a new one in this process");
    if (owner->closed)
        return refuse(owner, "closed", what, "is closed");
    return true;
}

bool pypst_owner_enter(pypst_owner *owner, const char *what)
{
    if (!pypst_owner_usable(owner, what))
        return false;
    if (owner->busy)
        return refuse(owner, "busy", what,
                      "is in use by another call: one thread at a time");
    owner->busy = true;
    return true;
}

void pypst_owner_leave(pypst_owner *owner)
{
    owner->busy = false;
}

void pypst_owner_warn(pypst_owner *owner, PyObject *self)
{
    if (!owner->common || owner->closed || owner->warned || !pypst_owner_is_here(owner))
        return;
    owner->warned = true;
    PyObject *under_way = pypst_exception_take();
    if (PyErr_ResourceWarning(self, 1, "unclosed %R", self) < 0)
        PyErr_WriteUnraisable(self);
    if (under_way)
        pypst_exception_put(under_way);
}

/* ---- text ---- */

PyObject *pypst_text(const char *s)
{
    return PyUnicode_DecodeUTF8(s, (Py_ssize_t)strlen(s), "replace");
}

PyObject *pypst_text_take(pst_buf *buf, pst_rc rc)
{
    const char *text = rc == PST_OK ? pst_buf_cstr(buf) : NULL;
    PyObject *result = text ? pypst_text(text) : PyErr_NoMemory();
    pst_buf_done(buf);
    return result;
}

int pypst_dict_take(PyObject *dict, const char *key, PyObject *value)
{
    int rc = value ? PyDict_SetItemString(dict, key, value) : -1;
    Py_XDECREF(value);
    return rc;
}

/* ---- errors ---- */

static PyObject *raise_parts(const pypst_common *common, const char *code,
                             const char *text, bool retriable, bool unreachable)
{
    PyObject *what = pypst_text(text);
    PyObject *error = what ? PyObject_CallFunction(common->error_of, "sOOO", code, what,
                                                   retriable ? Py_True : Py_False,
                                                   unreachable ? Py_True : Py_False)
                           : NULL;
    if (error)
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    Py_XDECREF(what);
    Py_XDECREF(error);
    return NULL;
}

PyObject *pypst_raise(const pypst_common *common, const pst_err *err)
{
    if (err->code == PST_E_NOMEM)
        return PyErr_NoMemory();
    return raise_parts(common, pst_rc_name(err->code), err->text, err->retriable, false);
}

PyObject *pypst_raise_unreachable(const pypst_common *common, const pst_err *err)
{
    if (err->code == PST_E_NOMEM)
        return PyErr_NoMemory();
    return raise_parts(common, pst_rc_name(err->code), err->text, err->retriable, true);
}

PyObject *pypst_raise_text(const pypst_common *common, const char *code, const char *text)
{
    return raise_parts(common, code, text, false, false);
}

/* The report without its warnings, or its warnings alone; borrows the messages. */
static pst_rc print_half(const pst_conf_report *report, bool warnings, pst_buf *out)
{
    pst_conf_report half = {.nomem = report->nomem};
    half.items = pst_calloc(report->n + 1, sizeof *half.items);
    if (!half.items)
        return PST_E_NOMEM;
    for (size_t i = 0; i < report->n; i++)
        if (report->items[i].warning == warnings)
            half.items[half.n++] = report->items[i];
    half.errors = warnings ? 0 : report->errors;
    pst_rc rc = pst_conf_report_print(&half, out);
    pst_free(half.items);
    return rc;
}

PyObject *pypst_report_lines(const pst_conf_report *report, bool warnings)
{
    pst_buf out;
    pst_buf_init(&out, TEXT_MAX);
    PyObject *text = pypst_text_take(&out, print_half(report, warnings, &out));
    PyObject *lines = text ? PyUnicode_Splitlines(text, 0) : NULL;
    Py_XDECREF(text);
    return lines;
}

static int log_warnings(const pypst_common *common, const pst_conf_report *report)
{
    PyObject *lines = pypst_report_lines(report, true);
    int rc = lines ? 0 : -1;
    for (Py_ssize_t i = 0; rc == 0 && i < PyList_GET_SIZE(lines); i++) {
        PyObject *done =
            PyObject_CallFunction(common->emit, "isOO", LEVEL_WARNING, "config", Py_None,
                                  PyList_GET_ITEM(lines, i));
        rc = done ? 0 : -1;
        Py_XDECREF(done);
    }
    Py_XDECREF(lines);
    return rc;
}

int pypst_report(const pypst_common *common, const pst_conf_report *report)
{
    if (report->nomem)
        return PyErr_NoMemory(), -1;
    if (report->n > report->errors && log_warnings(common, report) < 0)
        return -1;
    if (!report->errors)
        return 0;
    PyObject *lines = pypst_report_lines(report, false);
    PyObject *error = lines ? PyObject_CallOneArg(common->config_error, lines) : NULL;
    if (error)
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    Py_XDECREF(lines);
    Py_XDECREF(error);
    return -1;
}

#if PY_VERSION_HEX >= 0x030C0000
PyObject *pypst_exception_take(void)
{
    return PyErr_GetRaisedException();
}

void pypst_exception_put(PyObject *exception)
{
    PyErr_SetRaisedException(exception);
}
#else
PyObject *pypst_exception_take(void)
{
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    if (!type)
        return NULL;
    PyErr_NormalizeException(&type, &value, &trace);
    if (trace)
        PyException_SetTraceback(value, trace);
    Py_DECREF(type);
    Py_XDECREF(trace);
    return value;
}

void pypst_exception_put(PyObject *exception)
{
    PyErr_Restore(Py_NewRef((PyObject *)Py_TYPE(exception)), exception,
                  PyException_GetTraceback(exception));
}
#endif

/* ---- settings ---- */

/* str as it is; True as "true"; numbers as Python writes them. */
static PyObject *setting_text(PyObject *key, PyObject *value)
{
    if (PyUnicode_Check(value))
        return Py_NewRef(value);
    if (PyBool_Check(value))
        return PyUnicode_FromString(value == Py_True ? "true" : "false");
    if (PyLong_Check(value) || PyFloat_Check(value))
        return PyObject_Str(value);
    return PyErr_Format(PyExc_TypeError, "setting %R must be a str, not %.100s", key,
                        Py_TYPE(value)->tp_name);
}

static const char *c_string(PyObject *text)
{
    Py_ssize_t n;
    const char *s = PyUnicode_AsUTF8AndSize(text, &n);
    if (s && strlen(s) != (size_t)n) {
        PyErr_SetString(PyExc_ValueError, "a setting contains a NUL character");
        return NULL;
    }
    return s;
}

static int add_item(pst_props *props, PyObject *item, pst_conf_report *report)
{
    PyObject *key = PyTuple_GET_ITEM(item, 0);
    if (!PyUnicode_Check(key)) {
        PyErr_Format(PyExc_TypeError, "a setting's name must be a str, not %.100s",
                     Py_TYPE(key)->tp_name);
        return -1;
    }
    PyObject *value = setting_text(key, PyTuple_GET_ITEM(item, 1));
    const char *k = value ? c_string(key) : NULL;
    const char *v = k ? c_string(value) : NULL;
    if (v) /* what is wrong is in the report */
        (void)!pst_props_set(props, k, v, NULL, report);
    Py_XDECREF(value);
    return v ? 0 : -1;
}

static int add_mapping(pst_props *props, PyObject *config, pst_conf_report *report)
{
    PyObject *items = PyMapping_Items(config);
    if (!items)
        return -1;
    int rc = 0;
    for (Py_ssize_t i = 0; rc == 0 && i < PyList_GET_SIZE(items); i++) {
        PyObject *item = PyList_GET_ITEM(items, i);
        if (PyTuple_Check(item) && PyTuple_GET_SIZE(item) == 2)
            rc = add_item(props, item, report);
        else
            rc = (PyErr_SetString(PyExc_TypeError, "items() must give pairs"), -1);
    }
    Py_DECREF(items);
    return rc;
}

static int add_file(pst_props *props, PyObject *config, pst_conf_report *report)
{
    PyObject *path = NULL;
    if (!PyUnicode_FSConverter(config, &path))
        return -1;
    (void)!pst_props_load(props, PyBytes_AS_STRING(path), report);
    Py_DECREF(path);
    return 0;
}

static int add_layers(pst_props *props, PyObject *config, pst_conf_report *report)
{
    PyObject *layers = PySequence_Fast(config, "a list of settings");
    if (!layers)
        return -1;
    int rc = 0;
    for (Py_ssize_t i = 0; rc == 0 && i < PySequence_Fast_GET_SIZE(layers); i++) {
        PyObject *layer = PySequence_Fast_GET_ITEM(layers, i);
        if (PyList_Check(layer) || PyTuple_Check(layer))
            rc = (PyErr_SetString(PyExc_TypeError, "settings: a list in a list"), -1);
        else
            rc = pypst_props_add(props, layer, report);
    }
    Py_DECREF(layers);
    return rc;
}

int pypst_props_add(pst_props *props, PyObject *config, pst_conf_report *report)
{
    if (PyList_Check(config) || PyTuple_Check(config))
        return add_layers(props, config, report);
    if (PyUnicode_Check(config) || PyObject_HasAttrString(config, "__fspath__"))
        return add_file(props, config, report);
    if (PyMapping_Check(config) && PyObject_HasAttrString(config, "items"))
        return add_mapping(props, config, report);
    PyErr_Format(PyExc_TypeError,
                 "settings must be a mapping or the path of a .properties file, not "
                 "%.100s",
                 Py_TYPE(config)->tp_name);
    return -1;
}

static void add_default(pst_props *props, const char *key, const char *value,
                        pst_conf_report *report)
{
    if (value && !pst_props_find(props, key))
        (void)!pst_props_set(props, key, value, NULL, report);
}

static void check_class(const pypst_settings *settings, pst_conf_report *report)
{
    const pst_prop *given = pst_props_find(&settings->props, "connector.class");
    if (given && pst_connector_find(given->value) != settings->connector)
        pst_conf_error(report, given, "connector.class",
                       "\"%s\" is not %s, the class that these settings are given to",
                       given->value, settings->connector->class_name);
}

int pypst_settings_load(pypst_settings *settings, const pypst_common *common,
                        const char *class_name, const char *name, PyObject *config)
{
    pst_conf_report report;
    pst_conf_report_init(&report);
    settings->connector = pst_connector_find(class_name);
    const pst_conf_spec *spec = settings->connector->spec;
    settings->conf = pst_calloc(1, spec->size);
    int rc = settings->conf ? pypst_props_add(&settings->props, config, &report)
                            : (PyErr_NoMemory(), -1);
    if (rc == 0) {
        add_default(&settings->props, "connector.class", class_name, &report);
        add_default(&settings->props, "name", name, &report);
        check_class(settings, &report);
        (void)!pst_conf_apply(spec, &settings->props, settings->conf, &report);
        rc = pypst_report(common, &report);
    }
    pst_conf_report_done(&report);
    return rc;
}

void pypst_settings_done(pypst_settings *settings)
{
    if (settings->conf)
        pst_conf_done(settings->connector->spec, settings->conf);
    pst_free(settings->conf);
    pst_props_done(&settings->props);
    settings->conf = NULL;
}

PyObject *pypst_settings_shown(const pypst_settings *settings)
{
    if (!settings->connector)
        return PyDict_New();
    PyObject *shown = PyDict_New();
    for (size_t i = 0; shown && i < settings->props.n; i++) {
        const pst_prop *prop = &settings->props.items[i];
        bool secret = pst_conf_is_secret(settings->connector->spec, prop);
        PyObject *value = pypst_text(secret ? "****" : prop->value);
        if (pypst_dict_take(shown, prop->key, value) < 0)
            Py_CLEAR(shown);
    }
    return shown;
}
