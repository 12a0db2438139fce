/*
 * notify.c - see notify.h.
 */
#include "daemon/notify.h"

#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    SIGNS = 3, /* of life within the limit: one may come late */
    SEND_S = 2,
};

/* A path, or with @ an abstract name. */
static socklen_t address(struct sockaddr_un *out)
{
    const char *name = getenv("NOTIFY_SOCKET");
    size_t n = name ? strlen(name) : 0;
    if (n < 2 || n >= sizeof out->sun_path || (name[0] != '/' && name[0] != '@'))
        return 0;
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(out->sun_path, name, n);
    if (name[0] == '@')
        out->sun_path[0] = '\0';
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (name[0] == '/'));
}

/* Nobody is there to be told that it failed. */
static void notify(const char *text)
{
    struct sockaddr_un to;
    socklen_t n = address(&to);
    int fd = n ? socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;
    struct timeval limit = {SEND_S, 0};
    if (fd < 0)
        return;
    (void)!setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    (void)!sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&to, n);
    close(fd);
}

void pst_notify_ready(const char *status)
{
    char text[512];
    snprintf(text, sizeof text, "READY=1\nSTATUS=%s", status);
    notify(text);
}

void pst_notify_reloading(void)
{
    char text[64];
    snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
             pst_mono_ms(pst_clock_system()) * 1000);
    notify(text);
}

void pst_notify_stopping(void)
{
    notify("STOPPING=1\nSTATUS=stopping: landing what is buffered");
}

/* ---- the watchdog ---- */

static bool number_of(const char *variable, int64_t *out)
{
    const char *text = getenv(variable);
    return text && pst_sv_to_i64(pst_sv_of(text), out);
}

pst_watchdog pst_watchdog_open(void)
{
    int64_t usec = 0, pid = getpid();
    pst_watchdog dog = {0};
    (void)number_of("WATCHDOG_PID", &pid);
    if (number_of("WATCHDOG_USEC", &usec) && usec >= 1000 && pid == getpid())
        dog.limit_ms = usec / 1000;
    return dog;
}

int64_t pst_watchdog_wait_ms(const pst_watchdog *dog, int64_t ms)
{
    int64_t slice = dog->limit_ms / SIGNS;
    if (!dog->limit_ms || slice > ms)
        return ms;
    return slice > 0 ? slice : 1;
}

void pst_watchdog_feed(pst_watchdog *dog, pst_worker *worker, pst_log *log)
{
    char task[256] = "";
    if (!dog->limit_ms)
        return;
    int64_t silent = pst_worker_silent(worker, task, sizeof task);
    if (silent <
        dog->limit_ms / 2) { /* systemd waits as long as the limit from here on */
        notify("WATCHDOG=1");
        dog->told = false;
    } else if (!dog->told) {
        dog->told = true;
        pst_logf(log, PST_LOG_ERROR, NULL, "daemon",
                 "task %s has been in one call for %" PRId64
                 " s: no sign of life for the watchdog until it is back",
                 task, silent / 1000);
    }
}
