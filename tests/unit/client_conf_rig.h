/*
 * client_conf_rig.h - a configuration of the client in a file of its own, and
 * what is said about it.
 */
#ifndef TESTS_CLIENT_CONF_RIG_H
#define TESTS_CLIENT_CONF_RIG_H

#include <sys/stat.h>

#include "client/conf/client_conf.h"
#include "client/conf/dest_login.h"
#include "client/conf/oauth_client.h"
#include "client/conf/place.h"
#include "client/conf/rule.h"

extern char dir[];        /* made for the tests, and removed */
extern char file[64];     /* in it */
extern char warned[2048]; /* of the file that was read last */
extern char said[4096];   /* all that is wrong */
extern char first[1024];  /* of that the first */
extern struct client_conf conf;

/* For cmocka_run_group_tests(). */
int make_folder(void **state);
int remove_folder(void **state);

void write_file(const char *text, mode_t mode);

enum err read_file(const char *path);

/* Both of them. */
enum err load(const char *text, mode_t mode);

/* The account of a text that is right. */
const struct account *account(const char *text);

/* An account with what it must have in line 1, and these lines from 2 on. */
const char *with(const char *lines);

/* The first fault is this, without the file's name. */
void expect_refused(const char *text, const char *fault);

/* Lines of an account, and what is said of them; ends with { NULL, NULL }. */
void expect_each_refused(const char *const (*rows)[2]);

#endif
