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

/* Serves until it is told to stop; returns the status to exit with.  elder: the
 * channel to a maloted whose place is taken (handover.h), or -1. */
int parent_run(struct conf *conf, const struct conf_env *env, int elder);

#endif
