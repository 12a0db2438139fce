/*
 * partitioner.h - the folders of a record by its values or its time: FieldPartitioner,
 * TimeBasedPartitioner, HourlyPartitioner, DailyPartitioner, as Kafka Connect's storage
 * sinks have them. DefaultPartitioner and FlatPartitioner need no more than the record's
 * partition, and nothing of this.
 *
 * A path has no slash at its ends, and every component is safe as a folder's name: what a
 * record says is escaped as Hive escapes it, and bounded. One partitioner belongs to one
 * thread; a record allocates nothing.
 */
#ifndef PST_RUNTIME_PARTITIONER_H
#define PST_RUNTIME_PARTITIONER_H

#include "runtime/chain.h"

enum pst_extractor { PST_EXTRACT_WALLCLOCK, PST_EXTRACT_RECORD, PST_EXTRACT_FIELD };

enum {
    PST_PARTITION_FIELDS_MAX = 16,
    PST_PARTITION_COMPONENT_MAX = 200, /* bytes of one folder's name */
    PST_PARTITION_PATH_MAX = 900,
    PST_PARTITION_CUT = 18, /* how a value that was cut ends: %~ and 16 hex digits */
};

/* No time: the record has none, or the layout does not ask for it. */
#define PST_TIME_NONE INT64_MIN

/* Rows in runtime/partitioner_settings.c. */
typedef struct pst_partitioner_conf {
    pst_conf_list fields; /* partition.field.name */
    char *path_format;
    int64_t duration_ms; /* -1 = not set */
    int extractor;       /* enum pst_extractor */
    char *timestamp_field;
    char *timezone, *locale;
} pst_partitioner_conf;

extern const pst_conf_section pst_partitioner_section;

/* What no single row can see: settings that the class needs, or that it does nothing
   with. */
void pst_partitioner_check(const pst_partitioner_conf *conf, pst_layout layout,
                           const pst_props *props, pst_conf_report *report);

/* The fields of the value that the partitioner wants to see, and the setting that names
   them; they are the settings' own. */
typedef struct pst_partitioner_paths {
    const char *setting;
    char *const *paths;
    size_t n;
} pst_partitioner_paths;
pst_partitioner_paths pst_partitioner_wants(const pst_partitioner_conf *conf,
                                            pst_layout layout);
/* Can a column of this type be what the setting names? */
pst_rc pst_partitioner_check_column(pst_layout layout, const char *path,
                                    const pst_column *column, pst_err *err) PST_MUST;

typedef struct pst_partitioner pst_partitioner;

typedef struct pst_partitioner_options {
    const pst_partitioner_conf *conf; /* borrowed for the partitioner's life */
    pst_layout layout;
    const pst_clock *clock;    /* for Wallclock */
    const char *topics_dir;    /* keys have a bounded length; borrowed */
    const pst_column *columns; /* those of pst_partitioner_wants(), in its order */
} pst_partitioner_options;

pst_rc pst_partitioner_new(pst_partitioner **out, const pst_partitioner_options *options,
                           pst_err *err) PST_MUST;
void pst_partitioner_free(pst_partitioner *partitioner);

/* `cells` are those of the wanted columns. Replaces what is in *path; *time_ms is the
   record's time, PST_TIME_NONE if the layout knows none. PST_E_INVALID: the record has no
   time, or none that a calendar knows. PST_E_CONFIG: the topic's keys would be too long.
 */
pst_rc pst_partitioner_fill(pst_partitioner *partitioner, const pst_msg *msg,
                            const pst_cell *cells, pst_buf *path, int64_t *time_ms,
                            pst_err *err) PST_MUST;

/* ---- partitioner_path.c ---- */

/* name=value with Hive's escapes, at most `max` bytes; name is escaped already. value.p
   NULL or an empty value is __HIVE_DEFAULT_PARTITION__. Answers the number of bytes. */
size_t pst_partition_component(pst_sv name, pst_sv value, size_t max,
                               char out[PST_PARTITION_COMPONENT_MAX]);
/* Escapes the whole text; PST_E_LIMIT: it does not fit the buffer. */
pst_rc pst_partition_escape(pst_sv text, pst_buf *out) PST_MUST;
/* Bytes that a key leaves to the path of a topic's record; less than 0: none. */
int pst_partition_room(const char *topics_dir, const char *topic);

#endif
