/*
 * rest_file.c - files that others may have written: only regular ones, and not too large,
 * so that none can make the reader wait or fill the memory.
 */
#include "daemon/rest_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

FILE *rest_file_open(const char *path, size_t max)
{
    struct stat found;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return NULL;
    int why = 0;
    if (fstat(fd, &found) != 0)
        why = errno;
    else if (S_ISDIR(found.st_mode))
        why = EISDIR;
    else if (!S_ISREG(found.st_mode))
        why = EINVAL;
    else if ((uint64_t)found.st_size > max)
        why = EFBIG;
    FILE *file = why ? NULL : fdopen(fd, "r");
    if (!file) {
        close(fd);
        errno = why ? why : ENOMEM;
    }
    return file;
}
