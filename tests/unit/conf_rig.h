/*
 * conf_rig.h - a configuration of the server in a folder with the files that
 * it may name, and what is said about it.
 */
#ifndef TESTS_CONF_RIG_H
#define TESTS_CONF_RIG_H

#include <sys/stat.h>

#include "server/conf/conf.h"

extern char dir[]; /* made for the tests, and removed */
extern char said[4096];
extern struct conf conf;

/* Who starts it. */
extern const struct conf_env user, root;

/* For cmocka_run_group_tests(). */
int make_files(void **state);
int remove_files(void **state);

/* In the folder. */
void write_file(const char *name, const char *text, mode_t mode);

/* Puts the test's folder where text says $D. */
const char *with_dir(char *out, size_t size, const char *text);

/* Puts a line into `said`. */
void say(void *arg, const char *line);

/* Reads text, and behind it what every file needs, unless text has it.  What
 * is said about it is in `said`. */
enum err read_text(const char *text, struct conf_env env);

/* `right` begins each line with the line's number, or with - for none. */
void expect_said(const char *text, const char *right);

#endif
