/*
 * final_sigma.h - which of its two small forms a capital sigma takes: the one for a
 * word's end if a cased letter stands before it in the word, and none behind it.
 */
#ifndef PST_RECORD_FINAL_SIGMA_H
#define PST_RECORD_FINAL_SIGMA_H

#include "base/str.h"

/* What stands before the place in its word; {0} at the text's start. */
typedef struct pst_word {
    int last;   /* kind of the last character; 0 = no word yet */
    bool cased; /* a cased letter is among them */
} pst_word;

/* Takes over the character c that stands right before p. */
void pst_word_add(pst_word *word, uint32_t c, const unsigned char *p,
                  const unsigned char *end);
/* Is a sigma that stands between `word` and p its word's last cased letter, and not the
   only one? */
bool pst_word_ends(const pst_word *word, const unsigned char *p,
                   const unsigned char *end);

#endif
