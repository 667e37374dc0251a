/*
 * exposition.h - what is counted, as monitors read it: OpenMetrics 1.0, or the text
 * format of Prometheus before that.
 */
#ifndef SERVER_METRICS_EXPOSITION_H
#define SERVER_METRICS_EXPOSITION_H

#include <stdbool.h>

#include "base/buf.h"
#include "server/ipc/tally.h"

struct exposition {
	const struct tally_page *sum;
	const char *version;
	uint32_t since; /* seconds since 1970 */
	bool open;      /* OpenMetrics, else the older one */
};

/* E_NOMEM; 128 KiB are enough. */
enum err exposition_write(
    struct buf *out, const struct exposition *x) NODISCARD;

/* What Content-Type says of it. */
const char *exposition_type(bool open);

#endif
