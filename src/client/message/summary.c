#include "client/message/summary.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/str.h"
#include "client/message/encoded_word.h"
#include "client/message/fields.h"

/* Octets of a field; nobody reads more of a subject, and each encoded word in it
 * costs a conversion, of a character set that the sender has chosen. */
enum { FIELD_MAX = 4096 };

/* ---- fields ---- */

/* The first field of that name, with its folds; n is 0: it is not there. */
static struct slice
field(const char *header, size_t n, const char *name)
{
	struct slice rest = { header, n }, value;

	return field_next(&rest, name, &value) ? value
					       : (struct slice){ header, 0 };
}

/* ---- dates: RFC 5322 s3.3, and what is near it ---- */

static int
month(const char *name)
{
	static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";

	for (int i = 0; i < 12; i++)
		if (strncasecmp(name, names + 3 * i, 3) == 0)
			return i;
	return -1;
}

/* Seconds east of Greenwich. */
static int
zone_of(struct slice zone)
{
	uint32_t n;
	int seconds;

	if (zone.n != 5 || !str_to_u32((struct slice){ zone.p + 1, 4 }, &n))
		return 0;
	seconds = (int)(n / 100 * 60 + n % 100) * 60;
	return zone.p[0] == '-' ? -seconds : seconds;
}

/* Cuts a word off, at spaces, commas and colons. */
static struct slice
word_take(struct slice *s)
{
	static const char between[] = " ,:\t\r\n";
	struct slice word;

	while (s->n != 0 && strchr(between, *s->p) != NULL && *s->p != '\0') {
		s->p++;
		s->n--;
	}
	word = (struct slice){ s->p, 0 };
	while (s->n != 0 && (strchr(between, *s->p) == NULL || *s->p == '\0')) {
		s->p++;
		s->n--;
		word.n++;
	}
	return word;
}

static bool
number_take(struct slice *s, uint32_t most, int *v_r)
{
	uint32_t v;

	if (!str_to_u32(word_take(s), &v) || v > most)
		return false;
	*v_r = (int)v;
	return true;
}

/* The day of the week may be there or not, and so may seconds. */
static int64_t
date_of(struct slice s)
{
	struct slice rest = s, word = word_take(&rest);
	struct tm tm = { 0 };

	if (word.n != 0 && word.p[0] > '9')
		s = rest;
	if (!number_take(&s, 31, &tm.tm_mday))
		return 0;
	word = word_take(&s);
	if (word.n < 3 || (tm.tm_mon = month(word.p)) < 0 ||
	    !number_take(&s, 9999, &tm.tm_year) ||
	    !number_take(&s, 23, &tm.tm_hour) ||
	    !number_take(&s, 59, &tm.tm_min))
		return 0;
	rest = s;
	if (number_take(&rest, 60, &tm.tm_sec))
		s = rest;
	if (tm.tm_year < 100) /* RFC 822 had two digits */
		tm.tm_year += tm.tm_year < 50 ? 2000 : 1900;
	tm.tm_year -= 1900;
	return (int64_t)timegm(&tm) - zone_of(word_take(&s));
}

/* ---- all ---- */

/* A part of it that ends with a whole character. */
static struct slice
shorten(struct slice s)
{
	size_t n = FIELD_MAX;

	if (s.n <= n)
		return s;
	while (n != 0 && ((unsigned char)s.p[n] & 0xc0) == 0x80)
		n--;
	return (struct slice){ s.p, n };
}

static char *
text_of(const char *header, size_t n, const char *name)
{
	struct slice s = shorten(field(header, n, name));
	char *text = encoded_word_decode(s.p, s.n);
	size_t length = text != NULL ? strlen(text) : 0;

	while (length > 0 && text[length - 1] == ' ')
		text[--length] = '\0';
	return text;
}

void
summary_read(struct summary *s, const char *header, size_t n)
{
	summary_clear(s);
	s->from = text_of(header, n, "From");
	s->subject = text_of(header, n, "Subject");
	s->date = date_of(field(header, n, "Date"));
}

/* The date stands behind the last semicolon (RFC 5322 s3.6.7). */
int64_t
summary_arrived(const char *header, size_t n)
{
	struct slice s = field(header, n, "Received");
	const char *semicolon = s.n != 0 ? memrchr(s.p, ';', s.n) : NULL;
	int64_t date = 0;

	if (semicolon != NULL) {
		size_t skip = (size_t)(semicolon + 1 - s.p);

		date = date_of((struct slice){ s.p + skip, s.n - skip });
	}
	return date != 0 ? date : date_of(field(header, n, "Date"));
}

void
summary_clear(struct summary *s)
{
	free(s->from);
	free(s->subject);
	*s = (struct summary){ .from = NULL };
}
