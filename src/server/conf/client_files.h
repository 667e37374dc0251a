/*
 * client_files.h - the files that say which certificates of clients are
 * believed.
 */
#ifndef SERVER_CONF_CLIENT_FILES_H
#define SERVER_CONF_CLIENT_FILES_H

#include "net/client_ca.h"
#include "server/conf/conf.h"

/* Opens them for the processes that read them; *crl_r is -1 if none is
 * configured.  The words are about the file that *about_crl says. */
enum err client_files_open(const struct conf *c, int *ca_r, int *crl_r,
    bool *about_crl, struct errbuf *eb) NODISCARD;

/* What those processes will say of them. */
enum err client_files_read(const struct conf *c, struct client_ca **ca_r,
    bool *about_crl, struct errbuf *eb) NODISCARD;

#endif
