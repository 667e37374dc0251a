/*
 * ask.h - a password from a person or a script.
 */
#ifndef SERVER_CTL_ASK_H
#define SERVER_CTL_ASK_H

#include "base/err.h"
#include "server/ipc/proto.h"

/* At a terminal: twice, without echo.  Else: one line of standard input.
 * E_FORMAT: it is empty, too long, not UTF-8, or not twice the same.  The
 * caller wipes it. */
enum err ask_password(char out[PASSWORD_MAX + 1], struct errbuf *eb) NODISCARD;

#endif
