/* The octets of a message, as a request carries them. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "client/deliver/api_conn.h"

enum { HEAD, MESSAGE, TAIL, OUT };

uint64_t
api_upload_octets(const struct api_upload *u)
{
	return u->head.n + u->length + u->tail.n;
}

void
api_upload_rewind(struct api_upload *u)
{
	u->part = HEAD;
	u->left = u->length;
	u->given = 0;
	u->at = u->n = 0;
}

bool
api_upload_is_out(const struct api_upload *u)
{
	return u->part == OUT;
}

/* Makes the next piece of the message; false: its file is not what it was. */
static bool
fill(struct api_upload *u)
{
	char in[sizeof(u->out) / 2];
	ssize_t n;

	u->at = u->n = 0;
	if (u->left == 0 && u->fd < 0)
		return true;
	do
		n = read(u->fd, in, sizeof(in));
	while (n < 0 && errno == EINTR);
	u->n = n > 0 ? remote_crlf(u->out, in, (size_t)n) : 0;
	if (n < 0 || u->n > u->left || (n == 0 && u->left != 0))
		return false;
	u->left -= u->n;
	return true;
}

/* Of one part; 0: it is at its end. */
static size_t
take(struct api_upload *u, struct slice s, char *to, size_t n)
{
	size_t rest = s.n - u->at;

	if (n > rest)
		n = rest;
	if (n != 0)
		memcpy(to, s.p + u->at, n);
	u->at += n;
	return n;
}

static void
next_part(struct api_upload *u)
{
	u->part++;
	u->at = u->n = 0;
}

static size_t
take_message(struct api_upload *u, char *to, size_t n)
{
	if (u->at == u->n && !fill(u))
		return SIZE_MAX;
	return take(u, (struct slice){ u->out, u->n }, to, n);
}

size_t
api_upload_read(void *arg, char *to, size_t n)
{
	struct api_upload *u = arg;
	size_t got = 0;

	if (u->part == HEAD && u->at == 0 && u->fd >= 0 &&
	    lseek(u->fd, 0, SEEK_SET) != 0)
		return SIZE_MAX;
	while (u->part != OUT && got == 0) {
		if (u->part == MESSAGE)
			got = take_message(u, to, n);
		else
			got =
			    take(u, u->part == HEAD ? u->head : u->tail, to, n);
		if (got == 0)
			next_part(u);
	}
	/* Who asks for so many octets does not ask again behind the last. */
	if (got == SIZE_MAX)
		return got;
	u->given += got;
	if (u->given == api_upload_octets(u))
		u->part = OUT;
	return got;
}
