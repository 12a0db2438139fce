/*
 * notify.h - tells systemd (Type=notify) how it goes, by sd_notify's protocol: a datagram
 * to $NOTIFY_SOCKET. Without that variable nothing happens. Any thread.
 */
#ifndef PST_DAEMON_NOTIFY_H
#define PST_DAEMON_NOTIFY_H

#include "runtime/worker.h"

#include <stdint.h>

void pst_notify_ready(const char *status);
void pst_notify_reloading(void); /* until the next ready */
void pst_notify_stopping(void);

/* The watchdog: systemd kills what has not sent a sign of life for so long. */
typedef struct pst_watchdog {
    int64_t limit_ms; /* 0 = it is not asked for */
    bool told;
} pst_watchdog;

/* Of $WATCHDOG_USEC, if it is meant for this process. */
pst_watchdog pst_watchdog_open(void);
/* How long to wait before the next pst_watchdog_feed(); at most `ms`. */
int64_t pst_watchdog_wait_ms(const pst_watchdog *dog, int64_t ms);
/* A sign of life, unless a task has been in one call for half of the limit. */
void pst_watchdog_feed(pst_watchdog *dog, pst_worker *worker, pst_log *log);

#endif
