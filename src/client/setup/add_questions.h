/*
 * add_questions.h - the three questions that only the person can answer.
 */
#ifndef CLIENT_SETUP_ADD_QUESTIONS_H
#define CLIENT_SETUP_ADD_QUESTIONS_H

#include "client/setup/adding.h"

/* Do the answers on the command line make sense?  Better known before anything
 * else is asked. */
bool adding_answers(struct adding *a);

/* What becomes of messages on the server. */
bool adding_keep(struct adding *a);
/* Where they go here; it is tried. */
bool adding_deliver(struct adding *a);
/* Where the password is kept, if it was typed; it is put there. */
bool adding_place(struct adding *a);

#endif
