/*
 * randomuser.h - RandomUserSource: people of the randomuser.me API as Kafka records.
 *
 * What other parts may use: the plugin, its settings table, and the schemas (Spark DDL)
 * of the two outputs, so that the sink's configuration, the demo and the tests share one
 * text.
 */
#ifndef PST_RANDOMUSER_H
#define PST_RANDOMUSER_H

#include "runtime/plugin.h"

/* output=flat: one level, one column a field; see README.md for where each comes from. */
#define PST_RANDOMUSER_FLAT_DDL                                                          \
    "id STRING, full_name STRING, gender STRING, street STRING, city STRING, "           \
    "state STRING, country STRING, postcode STRING, latitude DOUBLE, longitude DOUBLE, " \
    "email STRING, dob TIMESTAMP, registered TIMESTAMP, phone STRING, nat STRING"

/* output=raw: the API's own user object. */
#define PST_RANDOMUSER_RAW_DDL                                                           \
    "gender STRING, name STRUCT<title: STRING, first: STRING, last: STRING>, "           \
    "location STRUCT<street: STRUCT<number: BIGINT, name: STRING>, city: STRING, "       \
    "state: STRING, country: STRING, postcode: STRING, "                                 \
    "coordinates: STRUCT<latitude: STRING, longitude: STRING>, "                         \
    "timezone: STRUCT<offset: STRING, description: STRING>>, email STRING, "             \
    "login STRUCT<uuid: STRING, username: STRING, password: STRING, salt: STRING, "      \
    "md5: STRING, sha1: STRING, sha256: STRING>, "                                       \
    "dob STRUCT<date: TIMESTAMP, age: INT>, "                                            \
    "registered STRUCT<date: TIMESTAMP, age: INT>, "                                     \
    "phone STRING, cell STRING, id STRUCT<name: STRING, value: STRING>, "                \
    "picture STRUCT<large: STRING, medium: STRING, thumbnail: STRING>, nat STRING"

/* A select list for it: a CSV column cannot hold a struct. */
#define PST_RANDOMUSER_RAW_SELECT                                                        \
    "login.uuid AS id, name.title AS title, name.first AS first_name, "                  \
    "name.last AS last_name, gender, location.street.number AS street_number, "          \
    "location.street.name AS street_name, location.city AS city, "                       \
    "location.state AS state, location.country AS country, "                             \
    "location.postcode AS postcode, location.coordinates.latitude AS latitude, "         \
    "location.coordinates.longitude AS longitude, email, dob.date AS dob, "              \
    "registered.date AS registered, phone, cell, nat"

extern const pst_connector pst_randomuser;

#endif
