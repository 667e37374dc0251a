/*
 * worker.h - the worker: accept, TLS, POP3.
 *
 * It may not open, create, connect or execute anything: seccomp says so.
 */
#ifndef SERVER_WORKER_WORKER_H
#define SERVER_WORKER_WORKER_H

#include "server/conf/worker_conf.h"

int worker_main(int ctl);

#endif
