/*
 * parent.h - the parent: owns ports, keys and the log; starts, watches and
 * restarts the other processes.  It parses nothing that comes from the network.
 *
 * It may be root.  What it runs is this folder, conf, ipc and the shared ground,
 * and nothing of the other processes' folders.
 */
#ifndef SERVER_PARENT_PARENT_H
#define SERVER_PARENT_PARENT_H

#include "server/conf/conf.h"

/* Complains of files that settings name and that only a confined process may look
 * into. */
typedef void parent_try(const struct conf *c, struct conf_report *report);

/* Serves until it is told to stop; returns the status to exit with.  elder: the
 * channel to a maloted whose place is taken (handover.h), or -1.  try: what comes
 * before settings that are read again hold. */
int parent_run(
    struct conf *conf, const struct conf_env *env, int elder, parent_try *try);

#endif
