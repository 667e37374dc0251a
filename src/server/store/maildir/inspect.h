/*
 * inspect.h - a Maildir as the admin sees it: see kind.h.
 */
#ifndef SERVER_STORE_MAILDIR_INSPECT_H
#define SERVER_STORE_MAILDIR_INSPECT_H

#include "server/store/kind.h"

enum err maildir_survey(const struct store_conf *conf, const char *path,
    struct inspection *x, struct errbuf *eb) NODISCARD;
enum err maildir_inspect(
    struct hold *h, struct inspection *x, struct errbuf *eb) NODISCARD;

#endif
