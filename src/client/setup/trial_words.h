/*
 * trial_words.h - what a trial says of a step that has passed.
 */
#ifndef CLIENT_SETUP_TRIAL_WORDS_H
#define CLIENT_SETUP_TRIAL_WORDS_H

#include "client/setup/trial.h"

enum { TRIAL_WORDS = 640 };

/* Fills in `words` and, unless the step is in order (TRIAL_PASSED), `advice`. */
enum trial_verdict trial_words(char words[TRIAL_WORDS],
    char advice[TRIAL_WORDS], enum trial_step step, const struct account *a,
    const struct facts *f);

/* There is less space than mail. */
void trial_words_space(char words[TRIAL_WORDS], const struct facts *f);

#endif
