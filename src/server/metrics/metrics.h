/*
 * metrics.h - the process that tells monitors what is counted, by HTTP.
 *
 * It parses what anybody on this machine sends, by libmicrohttpd, so it has nothing
 * that is worth breaking in: numbers to read, and a socket to answer at.
 */
#ifndef SERVER_METRICS_METRICS_H
#define SERVER_METRICS_METRICS_H

int metrics_main(int ctl);

#endif
