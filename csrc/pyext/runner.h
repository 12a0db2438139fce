/*
 * runner.h - calls into the core that may wait, made so that Python stays in charge.
 *
 * The call runs in a thread of the object's own (a plugin's callbacks come from one
 * thread). Python's thread waits for it without the GIL, in slices: between two of them
 * it logs what the core said and lets signal handlers run. When one raises, the call is
 * told to end, waited for, and the exception goes on.
 */
#ifndef PST_PYEXT_RUNNER_H
#define PST_PYEXT_RUNNER_H

#include "pyext/logring.h"

enum { PYPST_SLICE_MS = 100, PYPST_GRACE_MS = 4000 };

typedef struct pypst_runner pypst_runner;

/* NULL with *err set. The thread is started here. */
pypst_runner *pypst_runner_new(pst_err *err);
/* Ends the thread; no job may be under way. NULL is fine. */
void pypst_runner_free(pypst_runner *runner);

typedef struct pypst_call {
    void (*job)(void *arg);       /* in the thread, without the GIL */
    void (*interrupt)(void *arg); /* with the GIL: make the job end soon */
    void *arg;
    pypst_logring *ring;
    const pypst_common *common;
    PyObject *object; /* what `arg` is a part of; NULL when it is on its own */
    int64_t
        limit_ms; /* 0 = none; what takes longer is interrupted and left: it is stuck */
} pypst_call;

/* 0 when the job has ended. -1 with an exception when a signal handler raised; the job
   has ended then too, unless pypst_runner_stuck(): then call->object is never freed, and
   every later call fails at once. */
int pypst_runner_call(pypst_runner *runner, const pypst_call *call);
/* The job did not end within PYPST_GRACE_MS of its interrupt: nothing that it uses may be
   freed. */
bool pypst_runner_stuck(const pypst_runner *runner);
/* Waits `ms` in slices. -1 with an exception when a signal handler raised. */
int pypst_sleep(int64_t ms, pypst_logring *ring, const pypst_common *common);

#endif
