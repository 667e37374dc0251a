#include "server/store/maildir/message_id.h"

#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/store/unpack/unpack.h"

/* To the end of the field, which may go on in lines that begin with a blank. */
static struct slice
to_its_end(struct slice rest)
{
	const char *end = rest.p, *last = rest.p + rest.n;

	do
		if ((end = memchr(end, '\n', (size_t)(last - end))) == NULL)
			return (struct slice){ NULL, 0 };
	while (++end < last && (*end == ' ' || *end == '\t'));
	return (struct slice){ rest.p, (size_t)(end - rest.p) };
}

static struct slice
without_blanks(struct slice s)
{
	static const char blanks[] = " \t\r\n";

	while (s.n > 0 && memchr(blanks, s.p[0], sizeof(blanks) - 1) != NULL) {
		s.p++;
		s.n--;
	}
	while (
	    s.n > 0 && memchr(blanks, s.p[s.n - 1], sizeof(blanks) - 1) != NULL)
		s.n--;
	return s;
}

struct slice
message_field(struct slice head, const char *name)
{
	size_t n = strlen(name);
	const char *lf;

	while (head.n > n && head.p[0] != '\n' && head.p[0] != '\r') {
		if (strncasecmp(head.p, name, n) == 0 && head.p[n] == ':')
			return without_blanks(to_its_end(
			    (struct slice){ head.p + n + 1, head.n - n - 1 }));
		if ((lf = memchr(head.p, '\n', head.n)) == NULL)
			break;
		head.n -= (size_t)(lf + 1 - head.p);
		head.p = lf + 1;
	}
	return (struct slice){ NULL, 0 };
}

/* From the first angle bracket to the last, within the lines of the field. */
struct slice
message_id(struct slice head)
{
	struct slice v = message_field(head, "Message-ID");
	const char *open, *close;

	if (v.n == 0 || (open = memchr(v.p, '<', v.n)) == NULL ||
	    (close = memchr(open, '>', (size_t)(v.p + v.n - open))) == NULL ||
	    close - open >= MESSAGE_ID_MAX)
		return (struct slice){ NULL, 0 };
	return (struct slice){ open, (size_t)(close - open) + 1 };
}

struct head {
	size_t n;
	char octets[MESSAGE_HEAD];
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

/* -1: it is not there, or no file. */
static int
open_file(int dir, const char *name, struct stat *st)
{
	int fd =
	    openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0 && fstat(fd, st) == 0 && S_ISREG(st->st_mode))
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

size_t
message_head(char out[MESSAGE_HEAD], int dir, const char *name)
{
	struct stat st;
	struct head h;
	int fd = open_file(dir, name, &st);

	if (fd < 0)
		return 0;
	read_head(&h, fd, (uint64_t)st.st_size);
	close(fd);
	memcpy(out, h.octets, h.n);
	return h.n;
}

void
message_facts(struct message_facts *out, int dir, const char *name)
{
	struct slice id;
	struct stat st;
	struct head h;
	int fd = open_file(dir, name, &st);

	out->size = out->id_len = 0;
	if (fd < 0)
		return;
	read_head(&h, fd, (uint64_t)st.st_size);
	close(fd);
	id = message_id((struct slice){ h.octets, h.n });
	out->size = (uint64_t)st.st_size;
	out->id_len = id.n;
	if (id.n != 0)
		memcpy(out->id, id.p, id.n);
}
