#include "pop3/wire.h"

#include <string.h>

#include "pop3/wire_vector.h"

/* Less is not worth another loop. */
enum { MANY = 128 };

void
pop3_wire_init(struct pop3_wire *w, uint64_t lines)
{
	*w = (struct pop3_wire){
		.lines = lines,
		.part =
		    lines == POP3_ALL_LINES ? POP3_WIRE_ALL : POP3_WIRE_HEADER,
		.at = POP3_WIRE_START,
	};
}

static bool
has_enough(const struct pop3_wire *w)
{
	return w->part == POP3_WIRE_BODY && w->lines == 0;
}

/* n octets of a line have passed, n > 0, none of them its LF. */
static void
line_goes_on(struct pop3_wire *w, const char *in, size_t n)
{
	if (in[n - 1] != '\r')
		w->at = POP3_WIRE_INSIDE;
	else if (w->at == POP3_WIRE_START && n == 1)
		w->at = POP3_WIRE_START_CR;
	else
		w->at = POP3_WIRE_INSIDE_CR;
	w->octets += n;
}

static bool
is_after_cr(const struct pop3_wire *w)
{
	return w->at == POP3_WIRE_START_CR || w->at == POP3_WIRE_INSIDE_CR;
}

/* The LF of a line has passed. */
static void
line_ends(struct pop3_wire *w)
{
	bool empty = w->at == POP3_WIRE_START || w->at == POP3_WIRE_START_CR;

	w->octets += is_after_cr(w) ? 1 : 2;
	w->at = POP3_WIRE_START;
	if (w->part == POP3_WIRE_BODY)
		w->lines--;
	else if (w->part == POP3_WIRE_HEADER && empty)
		w->part = POP3_WIRE_BODY;
}

/* Without out nothing is written, only counted. */
static struct pop3_wire_step
convert(struct pop3_wire *w, const char *in, size_t n, char *out, size_t room)
{
	size_t i = 0, o = 0;

	while (i < n && o < room && !has_enough(w)) {
		bool stuff = w->at == POP3_WIRE_START && in[i] == '.';
		const char *lf;
		size_t span;

		if (stuff && room - o < 2)
			break;
		if (stuff && out != NULL)
			out[o] = '.';
		o += stuff;

		span = n - i < room - o ? n - i : room - o;
		if ((lf = memchr(in + i, '\n', span)) != NULL)
			span = (size_t)(lf - (in + i));
		if (span != 0) {
			if (out != NULL)
				memcpy(out + o, in + i, span);
			line_goes_on(w, in + i, span);
			i += span;
			o += span;
		}
		if (lf == NULL)
			continue;

		if (!is_after_cr(w)) {
			if (room - o < 2)
				break;
			if (out != NULL)
				out[o] = '\r';
			o++;
		}
		if (out != NULL)
			out[o] = '\n';
		o++;
		i++;
		line_ends(w);
	}
	return (struct pop3_wire_step){ i, o, has_enough(w) };
}

/* n octets have passed, n > 0, of any lines: how far the last one has come. */
static void
lines_passed(struct pop3_wire *w, const char *in, size_t n)
{
	if (in[n - 1] == '\n')
		w->at = POP3_WIRE_START;
	else if (in[n - 1] != '\r')
		w->at = POP3_WIRE_INSIDE;
	else if (n > 1 ? in[n - 2] == '\n' : w->at == POP3_WIRE_START)
		w->at = POP3_WIRE_START_CR;
	else
		w->at = POP3_WIRE_INSIDE_CR;
}

void
pop3_wire_count(struct pop3_wire *w, const char *in, size_t n)
{
	if (n < MANY || w->part != POP3_WIRE_ALL || !pop3_wire_vector_works()) {
		convert(w, in, n, NULL, SIZE_MAX);
		return;
	}
	w->octets += n + pop3_wire_vector_bare(in, n, is_after_cr(w));
	lines_passed(w, in, n);
}

uint64_t
pop3_wire_size(const struct pop3_wire *w)
{
	return w->octets + (w->at == POP3_WIRE_START ? 0 : 2);
}

struct pop3_wire_step
pop3_wire_encode(
    struct pop3_wire *w, const char *in, size_t n, char *out, size_t room)
{
	struct pop3_wire_step step = { 0, 0, false }, rest;
	struct pop3_wire_run run;

	if (n < MANY || w->part != POP3_WIRE_ALL || !pop3_wire_vector_works())
		return convert(w, in, n, out, room);
	if (w->at != POP3_WIRE_START) {
		const char *lf = memchr(in, '\n', n);

		step = convert(
		    w, in, lf != NULL ? (size_t)(lf - in) + 1 : n, out, room);
		if (w->at != POP3_WIRE_START)
			return step;
	}
	run = pop3_wire_vector_encode(
	    in + step.used, n - step.used, out + step.made, room - step.made);
	if (run.used != 0)
		lines_passed(w, in + step.used, run.used);
	w->octets += run.made - run.dots;
	step.used += run.used;
	step.made += run.made;
	rest = convert(w, in + step.used, n - step.used, out + step.made,
	    room - step.made);
	step.used += rest.used;
	step.made += rest.made;
	return step;
}

size_t
pop3_wire_end(struct pop3_wire *w, char out[POP3_WIRE_END])
{
	size_t o = 0;

	if (w->at != POP3_WIRE_START) {
		memcpy(out, "\r\n", 2);
		o = 2;
	}
	if (w->part == POP3_WIRE_HEADER) {
		memcpy(out + o, "\r\n", 2);
		o += 2;
	}
	w->octets += o;
	w->at = POP3_WIRE_START;
	memcpy(out + o, ".\r\n", 3);
	return o + 3;
}
