#include "server/store/maildir/message_id.h"

#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/store/unpack/unpack.h"

/* Of the message; behind many Received: and signatures it may begin late. */
enum { HEAD = 16 * 1024 };

static const char field[] = "Message-ID:";

enum { FIELD = sizeof(field) - 1 };

/* From the first angle bracket to the last, within the lines of the field. */
static struct slice
value(struct slice rest)
{
	const char *open, *end = rest.p, *last = rest.p + rest.n, *close;

	do
		if ((end = memchr(end, '\n', (size_t)(last - end))) == NULL)
			return (struct slice){ NULL, 0 };
	while (++end < last && (*end == ' ' || *end == '\t'));
	open = memchr(rest.p, '<', (size_t)(end - rest.p));
	if (open == NULL ||
	    (close = memchr(open, '>', (size_t)(end - open))) == NULL ||
	    close - open >= MESSAGE_ID_MAX)
		return (struct slice){ NULL, 0 };
	return (struct slice){ open, (size_t)(close - open) + 1 };
}

struct slice
message_id(struct slice head)
{
	const char *lf;

	while (head.n > FIELD && head.p[0] != '\n' && head.p[0] != '\r') {
		if (strncasecmp(head.p, field, FIELD) == 0)
			return value(
			    (struct slice){ head.p + FIELD, head.n - FIELD });
		if ((lf = memchr(head.p, '\n', head.n)) == NULL)
			break;
		head.n -= (size_t)(lf + 1 - head.p);
		head.p = lf + 1;
	}
	return (struct slice){ NULL, 0 };
}

struct head {
	size_t n;
	char octets[HEAD];
};

static enum err
keep_head(void *arg, const void *p, size_t n, struct errbuf *eb)
{
	struct head *h = arg;
	size_t room = sizeof(h->octets) - h->n;

	if (n >= room)
		n = room;
	memcpy(h->octets + h->n, p, n);
	h->n += n;
	return n == room ? err_set(eb, E_FULL, "enough") : E_OK;
}

/* Of the message as it is served, also where its file is compressed. */
static void
read_head(struct head *h, int fd, uint64_t stored)
{
	const struct unpack_format *packed;
	ssize_t n = pread(fd, h->octets, sizeof(h->octets), 0);
	struct errbuf eb;
	enum err e;

	h->n = n > 0 ? (size_t)n : 0;
	if ((packed = unpack_find(h->octets, h->n)) == NULL)
		return;
	h->n = 0;
	e = unpack(packed, fd, stored, keep_head, h, &eb);
	if (e != E_OK && e != E_FULL)
		h->n = 0;
}

void
message_facts(struct message_facts *out, int dir, const char *name)
{
	struct slice id;
	struct stat st;
	struct head h;
	int fd =
	    openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	out->size = out->id_len = 0;
	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		read_head(&h, fd, (uint64_t)st.st_size);
		id = message_id((struct slice){ h.octets, h.n });
		out->size = (uint64_t)st.st_size;
		out->id_len = id.n;
		if (id.n != 0)
			memcpy(out->id, id.p, id.n);
	}
	close(fd);
}
