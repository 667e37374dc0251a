/*
 * notify.h - tells systemd how far we are (sd_notify(3)'s protocol).
 */
#ifndef SERVER_PARENT_NOTIFY_H
#define SERVER_PARENT_NOTIFY_H

#include <sys/types.h>

/* Does nothing when NOTIFY_SOCKET is not set. */
void notify_ready(void);
void notify_reloading(void); /* notify_ready() when it is done */
void notify_stopping(void);
void notify_main(pid_t pid); /* another process is the main one from now on */

#endif
