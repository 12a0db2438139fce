/*
 * lex.h - words of Spark SQL, for the schema (DDL) and the select list.
 *
 * A pull lexer over a string that the caller keeps. Identifiers are Spark's: letters,
 * digits and `_`, or anything between back-quotes (`` stands for one). Comments (`--` and
 * nested bracketed ones) are blanks. Nothing is allocated except the text of quoted
 * words.
 */
#ifndef PST_RECORD_LEX_H
#define PST_RECORD_LEX_H

#include "base/str.h"

typedef enum pst_lex_kind {
    PST_LEX_END,
    PST_LEX_WORD,   /* an identifier or keyword without quotes */
    PST_LEX_QUOTED, /* a back-quoted identifier */
    PST_LEX_STRING, /* '…' or "…" */
    PST_LEX_NUMBER, /* 1, 1.5, 1e3, with an optional suffix letter of Spark */
    PST_LEX_SYMBOL, /* one character, or <> <= >= == != || */
    PST_LEX_BAD,    /* err is set */
} pst_lex_kind;

enum { PST_LEX_WORD_MAX = 4096, PST_LEX_TEXT_MAX = 1024 * 1024 };

typedef struct pst_lex {
    const char *text;
    size_t n, at;
    pst_err *err;
    /* the current token */
    pst_lex_kind kind;
    size_t pos;  /* 0-based */
    pst_sv raw;  /* as written */
    char *value; /* QUOTED and STRING without quotes and escapes; owned */
    size_t value_n;
} pst_lex;

/* Reads the first token. */
void pst_lex_init(pst_lex *lex, const char *text, pst_err *err);
void pst_lex_done(pst_lex *lex);
void pst_lex_next(pst_lex *lex);
bool pst_lex_is(const pst_lex *lex, char symbol);
bool pst_lex_is_word(const pst_lex *lex, const char *keyword); /* any case, not quoted */
bool pst_lex_is_name(const pst_lex *lex);                      /* WORD or QUOTED */
/* The current name as a string of the caller's; NULL when out of memory. */
char *pst_lex_take_name(pst_lex *lex);
/* Fails with the position in front ("at character 12: …", 1-based). */
pst_rc pst_lex_fail(pst_lex *lex, const char *fmt, ...) PST_PRINTF(2, 3);
pst_rc pst_lex_fail_at(pst_err *err, size_t pos, const char *fmt, ...) PST_PRINTF(3, 4);
/* "end of text" or the token in quotes, for messages. */
const char *pst_lex_seen(const pst_lex *lex, char out[48]);

#endif
