/*
 * languages.h - the languages of the server's replies: the parent reads their
 * catalogues before it starts anybody, and gives all workers the same memory,
 * sealed, with what pop3/server_language.h says in it.
 */
#ifndef SERVER_CONF_LANGUAGES_H
#define SERVER_CONF_LANGUAGES_H

#include "server/conf/worker_conf.h"

/* Reads each TAG.mo of a folder into the memory that w->languages_fd is.  A
 * folder that is not there has none; what cannot be taken, and that there is no
 * w->language, is said to warn(). */
enum err languages_load(const char *folder, struct worker_conf *w,
    void (*warn)(void *arg, const char *text), void *arg,
    struct errbuf *eb) NODISCARD;

#endif
