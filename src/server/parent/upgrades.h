/*
 * upgrades.h - hashes that auth has made anew are written to the users file,
 * by a process that lives as long as that takes.
 *
 * Rows are collected while one runs, and for a moment after it: each change of
 * the file makes auth read all of it.
 */
#ifndef SERVER_PARENT_UPGRADES_H
#define SERVER_PARENT_UPGRADES_H

#include "server/conf/upgrade_conf.h"
#include "server/parent/parent_state.h"

void upgrades_init(struct parent *p);

/* When there is no room for it, it is forgotten. */
void upgrades_add(struct parent *p, const struct upgrade_row *row);

#endif
