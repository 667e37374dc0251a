/*
 * ask.h - a password from a person or a script.
 */
#ifndef SERVER_CTL_ASK_H
#define SERVER_CTL_ASK_H

#include "base/err.h"
#include "server/ipc/proto.h"

enum { ASK_ROOM = PASSWORD_MAX + 2 }; /* a CR that is dropped, and a NUL */

/* At a terminal: twice, without echo.  Else: one line of standard input, which
 * may end with CRLF.  E_FORMAT: it is not what text_password() takes, or not
 * twice the same.  The caller wipes it. */
enum err ask_password(char out[ASK_ROOM], struct errbuf *eb) NODISCARD;
/* The same, but asked for once: one that there is already. */
enum err ask_password_once(char out[ASK_ROOM], struct errbuf *eb) NODISCARD;

#endif
