/*
 * progress.h - how far a sink's task is, partition by partition, and what it landed last:
 * for those who look (the status page, metrics).
 *
 * The task's thread fills one in about once a second out of what it knows anyway and
 * hands it over; nothing here is touched for a single record.
 */
#ifndef PST_RUNTIME_PROGRESS_H
#define PST_RUNTIME_PROGRESS_H

#include <stddef.h>
#include <stdint.h>

enum { PST_PARTS_TOLD = 512, PST_OBJECTS_TOLD = 10 };

typedef struct pst_part_progress {
    char topic[250];
    int32_t partition;
    int64_t records;  /* taken since it was assigned */
    int64_t position; /* of the next record to be read */
    int64_t landed;   /* records below are durable */
    int64_t end;      /* of the log, as the last fetch has told it; -1 = not known yet */
    int64_t oldest_unflushed_ms; /* age; 0 = nothing buffered */
    int64_t failing_ms;          /* the store has refused its object that long; 0 = no */
} pst_part_progress;

typedef struct pst_object_progress {
    char url[1200]; /* of the window's first object */
    int64_t at_ms;  /* wall clock */
    int64_t rows, bytes;
    size_t more; /* further objects of the same window */
} pst_object_progress;

typedef struct pst_progress {
    int64_t told_ms;            /* monotonic: when; 0 = never */
    size_t n_parts, n_assigned; /* told, and all there are */
    size_t n_objects;
    char trouble[900]; /* why objects do not land, or it cannot start; "" = fine */
    pst_object_progress objects[PST_OBJECTS_TOLD]; /* the newest first */
    pst_part_progress parts[PST_PARTS_TOLD];
} pst_progress;

void pst_progress_clear(pst_progress *progress);
/* Copies what is filled in, not the room behind it. */
void pst_progress_copy(pst_progress *out, const pst_progress *from);

#endif
