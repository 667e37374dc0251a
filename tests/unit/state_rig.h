/*
 * state_rig.h - the record of a test (client/state/state.h), in a folder of its own.
 */
#ifndef TESTS_STATE_RIG_H
#define TESTS_STATE_RIG_H

#include "client/state/state.h"

/* Where it is, from state_set_up() to state_tear_down(). */
extern char state_home[64], state_dir[96], state_file[128];
int state_set_up(void **state);
int state_tear_down(void **state);

/* expect_aside: what was there is put aside. */
struct state *state_open_it(bool expect_aside);
/* By another program, so to speak. */
void state_sql(const char *words);
/* Those that the folder has whose name has `part` in it, and `end` last. */
unsigned state_count_files(const char *part, const char *end);

/* Accounts of a configuration; ends with a name that is NULL. */
struct configured {
	const char *name, *maildrop;
};
struct state_account state_account_in(
    struct state *s, const struct configured *all, const char *name);
/* Each has a maildrop of its own. */
struct state_account state_account_of(struct state *s, const char *name);

struct digest digest_n(unsigned n);

#endif
