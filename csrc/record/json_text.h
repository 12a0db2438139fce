/*
 * json_text.h - strings and names of the tokenizer; private to json*.c.
 */
#ifndef PST_RECORD_JSON_TEXT_H
#define PST_RECORD_JSON_TEXT_H

#include "record/json.h"

bool pst_json_fail(pst_json *json, const char *what);
/* Both start behind the opening quote. */
bool pst_json_read_string(pst_json *json, char quote); /* into json->text */
bool pst_json_skip_string(pst_json *json);
/* c is the name's first character, consumed: a quote, or a letter if that is allowed. */
bool pst_json_read_name(pst_json *json, int c);
/* Java's isJavaIdentifierPart, for the characters of the basic plane. */
bool pst_json_is_word_char(uint32_t c);
/* isJavaIdentifierStart, likewise. */
bool pst_json_begins_word(uint32_t c);

#endif
