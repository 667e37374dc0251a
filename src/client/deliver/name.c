#include "client/deliver/name.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { DIGEST_LEN = DIGEST_TEXT - 1 };

void
name_host(char out[NAME_HOST_SIZE])
{
	char host[NAME_HOST_SIZE] = "";
	size_t o = 0;

	/* A name that was cut ends without a NUL, and is as good. */
	if (gethostname(host, sizeof(host) - 1) != 0 || host[0] == '\0')
		strcpy(host, "localhost");
	for (const char *p = host; *p != '\0' && o + 5 < NAME_HOST_SIZE; p++) {
		if (strchr("/:,", *p) != NULL)
			o += (size_t)sprintf(out + o, "\\%03o", (unsigned)*p);
		else
			out[o++] = *p > ' ' && *p < 0x7f ? *p : '_';
	}
	out[o] = '\0';
}

void
name_tmp(char out[NAME_SIZE], struct digest account, const char *host)
{
	static atomic_ullong deliveries;
	char text[DIGEST_TEXT];
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(out, NAME_SIZE, "%lld.M%06ldP%ldQ%llum%s.%s",
	    (long long)now.tv_sec, now.tv_nsec / 1000, (long)getpid(),
	    atomic_fetch_add(&deliveries, 1) + 1, digest_text(text, account),
	    host);
}

void
name_final(char out[NAME_SIZE], const struct parcel *p, uint64_t wire)
{
	char uid[DIGEST_TEXT] = "0", header[DIGEST_TEXT];
	size_t head = strcspn(p->tmp, "m") + 1 + DIGEST_LEN;

	if (p->has_uid)
		digest_text(uid, p->uid);
	snprintf(out, NAME_SIZE, "%.*s-%s-%s%c%s,S=%llu,W=%llu", (int)head,
	    p->tmp, uid, digest_text(header, p->identity.header),
	    p->identity.strong ? 's' : 'w', p->tmp + head,
	    (unsigned long long)p->octets, (unsigned long long)wire);
}

/* ---- reading them ---- */

static bool
read_char(const char **p, char c)
{
	if (**p != c)
		return false;
	(*p)++;
	return true;
}

static bool
read_number(const char **p, uint64_t *v_r)
{
	size_t n = strspn(*p, "0123456789");

	if (!str_to_u64((struct slice){ *p, n }, v_r))
		return false;
	*p += n;
	return true;
}

static bool
read_digest(const char **p, struct digest *d_r)
{
	if (strnlen(*p, DIGEST_LEN) < DIGEST_LEN ||
	    !digest_parse((struct slice){ *p, DIGEST_LEN }, d_r))
		return false;
	*p += DIGEST_LEN;
	return true;
}

static bool
read_identity(const char **p, struct name *n)
{
	if (!read_char(p, '0')) {
		if (!read_digest(p, &n->uid))
			return false;
		n->has_uid = true;
	}
	if (!read_char(p, '-') || !read_digest(p, &n->identity.header))
		return false;
	n->has_identity = true;
	n->identity.strong = **p == 's';
	return read_char(p, 's') || read_char(p, 'w');
}

/* What is behind ",S=" or ",W=". */
static uint64_t
size_field(const char *rest, const char *field)
{
	size_t n = strcspn(rest, ":");
	const char *p = memmem(rest, n, field, strlen(field));
	uint64_t v;

	if (p == NULL)
		return 0;
	p += strlen(field);
	return read_number(&p, &v) ? v : 0;
}

bool
name_parse(const char *file, struct name *n_r)
{
	struct name n = { .has_identity = false };
	const char *p = file;
	uint64_t time, skip;

	if (!read_number(&p, &time) || time > INT64_MAX ||
	    !read_char(&p, '.') || !read_char(&p, 'M') ||
	    !read_number(&p, &skip) || !read_char(&p, 'P') ||
	    !read_number(&p, &skip) || !read_char(&p, 'Q') ||
	    !read_number(&p, &skip) || !read_char(&p, 'm') ||
	    !read_digest(&p, &n.account))
		return false;
	if (read_char(&p, '-') && !read_identity(&p, &n))
		return false;
	if (!read_char(&p, '.'))
		return false;
	n.time = (int64_t)time;
	n.octets = size_field(p, ",S=");
	n.wire = size_field(p, ",W=");
	*n_r = n;
	return true;
}
