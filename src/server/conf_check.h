/*
 * conf_check.h - does what the configuration says make sense on this machine?
 */
#ifndef SERVER_CONF_CHECK_H
#define SERVER_CONF_CHECK_H

#include "server/conf.h"

/* The line that a setting stands in; 0: it is not in the file. */
struct conf_lines {
	struct conf_text text;
	unsigned (*line)(const struct conf_lines *l, const char *setting);
};

/* Complains about `setting` at its line. */
#define COMPLAIN(l, setting, ...) \
	conf_error(&(l)->text, (l)->line(l, setting), __VA_ARGS__)
#define WARN(l, setting, ...) \
	conf_warn(&(l)->text, (l)->line(l, setting), __VA_ARGS__)

/* Each fills in what follows from the settings and complains. */
void conf_check(
    struct conf *c, const struct conf_env *env, const struct conf_lines *l);
/* Users and groups: conf_ids.c. */
void conf_check_ids(
    struct conf *c, const struct conf_env *env, const struct conf_lines *l);
/* Listeners: conf_listen.c. */
void conf_check_listeners(struct conf *c, const struct conf_lines *l);

#endif
