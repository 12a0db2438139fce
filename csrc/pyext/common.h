/*
 * common.h - what both extension modules share: how errors become exceptions, how a
 * Python mapping becomes settings, and how an object knows that it may be used.
 *
 * Everything hangs off the module's state; there are no globals, so two interpreters do
 * not share anything. The functions need the GIL. Exceptions and the function that logs
 * are Python's (penstock._errors, penstock._logging): one set for both modules.
 */
#ifndef PST_PYEXT_COMMON_H
#define PST_PYEXT_COMMON_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "runtime/plugin.h"

#include <sys/types.h>

/* Keyword names for PyArg_ParseTupleAndKeywords, whose type lacks a const. */
#define PYPST_NAMES(names) ((char **)(uintptr_t)(names))

/* A part of each module's state, set up by the module's exec slot. */
typedef struct pypst_common {
    PyObject *error_of;     /* (code, text, retriable, unreachable) -> PenstockError */
    PyObject *config_error; /* (list of lines) -> ConfigError */
    PyObject *emit;         /* (level, module, task, text) -> None */
} pypst_common;

int pypst_common_init(pypst_common *common);
int pypst_common_traverse(pypst_common *common, visitproc visit, void *arg);
void pypst_common_clear(pypst_common *common);

/* What every object of ours begins with. */
typedef struct pypst_owner {
    pypst_common *common; /* lives as long as the type, which the object holds */
    pid_t pid;            /* of the process that made the object */
    bool busy;            /* a call is under way, with the GIL released */
    bool closed;
    bool warned;
} pypst_owner;

void pypst_owner_init(pypst_owner *owner, pypst_common *common);
/* Raises and returns false when the object is closed, in use by another thread, or
   belongs to another process (after a fork). */
bool pypst_owner_enter(pypst_owner *owner, const char *what);
void pypst_owner_leave(pypst_owner *owner);
/* For calls that may go on while another one is under way. */
bool pypst_owner_usable(const pypst_owner *owner, const char *what);
/* True in the process that made the object. */
bool pypst_owner_is_here(const pypst_owner *owner);
/* For tp_finalize: a ResourceWarning when the object was not closed. */
void pypst_owner_warn(pypst_owner *owner, PyObject *self);

/* Sets the exception that *err asks for; always returns NULL. */
PyObject *pypst_raise(const pypst_common *common, const pst_err *err);
/* As pypst_raise(): Kafka or the store could not be reached. */
PyObject *pypst_raise_unreachable(const pypst_common *common, const pst_err *err);
PyObject *pypst_raise_text(const pypst_common *common, const char *code,
                           const char *text);
/* Sets ConfigError with the report's errors and logs its warnings; 0 if there is no
   error, -1 with an exception. */
int pypst_report(const pypst_common *common, const pst_conf_report *report);
/* A list of the report's lines: errors, or warnings. */
PyObject *pypst_report_lines(const pst_conf_report *report, bool warnings);

/* The exception that is set, put aside (NULL if none), and put back (taken). */
PyObject *pypst_exception_take(void);
void pypst_exception_put(PyObject *exception);

/* Adds a mapping's items, a .properties file (str or path), or each of a list or tuple of
   these, later ones over earlier ones. Wrong settings go to the report; -1 with an
   exception when it is no such object. */
int pypst_props_add(pst_props *props, PyObject *config, pst_conf_report *report);

/* One connector's settings, parsed into its struct. */
typedef struct pypst_settings {
    const pst_connector *connector;
    pst_props props;
    void *conf;
} pypst_settings;

/* `name` is taken when the config has none (NULL = it is required). */
int pypst_settings_load(pypst_settings *settings, const pypst_common *common,
                        const char *class_name, const char *name, PyObject *config);
void pypst_settings_done(pypst_settings *settings);
/* A dict of the settings as given, secrets masked. */
PyObject *pypst_settings_shown(const pypst_settings *settings);

/* bytes → text that can't fail; the text of a buffer that is done with. */
PyObject *pypst_text(const char *s);
PyObject *pypst_text_take(pst_buf *buf, pst_rc rc);
/* dict[key] = value, which is taken and may be NULL (with an exception set). */
int pypst_dict_take(PyObject *dict, const char *key, PyObject *value);

#endif
