/*
 * mail_marker.h - the name of the file by which a mail root is known: see
 * parent/mail_root.h.
 */
#ifndef SERVER_CONF_MAIL_MARKER_H
#define SERVER_CONF_MAIL_MARKER_H

#define MAIL_ROOT_MARKER ".malote-root"

#endif
