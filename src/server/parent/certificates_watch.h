/*
 * certificates_watch.h - certificates whose files have changed are taken over by
 * themselves, when they fit each other: whoever renews one writes two files, one
 * after the other.  What cannot be used never replaces what is in use, and is told
 * once.  One that expires soon, and an answer of OCSP that is out of date, are told
 * once a day.
 */
#ifndef SERVER_PARENT_CERTIFICATES_WATCH_H
#define SERVER_PARENT_CERTIFICATES_WATCH_H

#include "server/parent/parent_state.h"

/* From now on, for the settings as they are; those have read them a moment ago. */
void certificates_watch_start(struct parent *p);

#endif
