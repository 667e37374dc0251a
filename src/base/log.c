#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/format.h"

enum { LINE_MAX_OCTETS = 2048, QUEUE_MAX = 256 * 1024 };

static struct {
	pthread_mutex_t lock;
	struct buf queue;
	unsigned long dropped;
	const char *role;
	int fd;
	bool open;
} lg = { .lock = PTHREAD_MUTEX_INITIALIZER,
	.queue = { .max = QUEUE_MAX },
	.fd = STDERR_FILENO };

static const char level_mark[] = { 'D', 'I', 'W', 'E' };

void
log_open(int fd, const char *role)
{
	lg.fd = fd;
	lg.role = role;
	lg.open = true;
}

const char *
log_role(void)
{
	return lg.role != NULL ? lg.role : "";
}

static void
flush_locked(void)
{
	while (lg.queue.len != 0) {
		ssize_t n = write(lg.fd, buf_data(&lg.queue), lg.queue.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		buf_consume(&lg.queue, (size_t)n);
	}
	if (lg.dropped != 0) {
		char text[64];
		int n = snprintf(text, sizeof(text),
		    "W ev=log-dropped lines=%lu\n", lg.dropped);

		lg.dropped = 0;
		if (buf_put(&lg.queue, text, (size_t)n) == E_OK)
			flush_locked();
	}
}

static void PRINTF(2, 0)
    log_vline(enum log_level level, const char *fmt, va_list ap)
{
	char line[LINE_MAX_OCTETS];
	int head, n;

	head = format(line, sizeof(line), "%c %s%s", level_mark[level],
	    lg.role != NULL ? lg.role : "", lg.role != NULL ? " " : "");
	n = format_quoted_v(
	    line + head, sizeof(line) - (size_t)head - 1, fmt, ap);
	if (n < 0)
		return;
	n += head;
	if ((size_t)n > sizeof(line) - 2)
		n = (int)sizeof(line) - 2;
	line[n++] = '\n';
	pthread_mutex_lock(&lg.lock);
	if (buf_put(&lg.queue, line, (size_t)n) != E_OK)
		lg.dropped++;
	if (!lg.open)
		flush_locked();
	pthread_mutex_unlock(&lg.lock);
}

void
log_line(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vline(level, fmt, ap);
	va_end(ap);
}

void
log_flush(void)
{
	pthread_mutex_lock(&lg.lock);
	flush_locked();
	pthread_mutex_unlock(&lg.lock);
}

void
fatal(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vline(LOG_FAULT, fmt, ap);
	va_end(ap);
	log_flush();
	_exit(70);
}
