/*
 * convert - how fast messages are converted and counted, measured alone.
 *
 *	convert SECONDS FILE...
 *
 * Each file is converted in pieces of 64 KB, as the server reads it, again and
 * again.  The best of many turns is printed: on a shared machine the slower
 * ones say more about the machine.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "pop3/wire.h"

enum { PIECE = 64 * 1024, TIMES = 10 };

struct text {
	char *p;
	size_t n;
};

static struct text
slurp(const char *path)
{
	struct text t = { NULL, 0 };
	FILE *f = fopen(path, "rb");

	if (f == NULL || fseek(f, 0, SEEK_END) < 0)
		err(1, "%s", path);
	t.n = (size_t)ftell(f);
	rewind(f);
	if ((t.p = malloc(t.n + 1)) == NULL || fread(t.p, 1, t.n, f) != t.n)
		err(1, "%s", path);
	fclose(f);
	return t;
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
encode(const struct text *t)
{
	static char out[PIECE + POP3_WIRE_END];
	struct pop3_wire w;

	pop3_wire_init(&w, POP3_ALL_LINES);
	for (size_t i = 0; i < t->n;) {
		size_t n = t->n - i < PIECE ? t->n - i : PIECE;

		i += pop3_wire_encode(&w, t->p + i, n, out, PIECE).used;
	}
}

static void
count(const struct text *t)
{
	struct pop3_wire w;

	pop3_wire_init(&w, POP3_ALL_LINES);
	for (size_t i = 0; i < t->n; i += PIECE)
		pop3_wire_count(
		    &w, t->p + i, t->n - i < PIECE ? t->n - i : PIECE);
}

/* GB/s */
static double
best(void (*work)(const struct text *t), const struct text *t, double seconds)
{
	double begun = now(), least = seconds;

	while (now() - begun < seconds) {
		double before = now(), took;

		for (int i = 0; i < TIMES; i++)
			work(t);
		took = (now() - before) / TIMES;
		if (took < least)
			least = took;
	}
	return (double)t->n / least / 1e9;
}

int
main(int argc, char **argv)
{
	double seconds = argc > 2 ? strtod(argv[1], NULL) : 0;

	if (seconds <= 0)
		errx(2, "usage: convert SECONDS FILE...");
	for (int i = 2; i < argc; i++) {
		struct text t = slurp(argv[i]);

		printf(" %.1f %.1f", best(encode, &t, seconds),
		    best(count, &t, seconds));
		free(t.p);
	}
	puts("");
	return 0;
}
