/*
 * stuck.c - for LD_PRELOAD: fsync() waits as long as the file $STUCK_WHILE is there, as
 * it does on a file server that is away. No signal and no cancel ends that.
 */
#include <stdlib.h>
#include <unistd.h>

int fsync(int fd)
{
    const char *path = getenv("STUCK_WHILE");
    (void)fd;
    while (path && access(path, F_OK) == 0)
        usleep(10000);
    return 0;
}
