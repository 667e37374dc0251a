#include "server/store/inspection.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"

void
inspection_free(struct inspection *x)
{
	free(x->message);
	free(x->fact);
	x->message = NULL;
	x->fact = NULL;
	x->n = x->n_facts = 0;
}

struct control_message *
inspection_message(struct inspection *x)
{
	void *v = array_room(x->message, x->n, &x->room, sizeof(*x->message));

	if (v == NULL) {
		x->no_memory = true;
		return NULL;
	}
	x->message = v;
	memset(&x->message[x->n], 0, sizeof(*x->message));
	return &x->message[x->n++];
}

/* NULL: there is no room, or no memory. */
static struct inspection_fact *
add(struct inspection *x, uint16_t row, enum fact_kind kind, const char *name)
{
	struct inspection_fact *f;
	void *v;

	if (x->n_facts == INSPECTION_FACTS)
		return NULL;
	v = array_room(x->fact, x->n_facts, &x->facts_room, sizeof(*x->fact));
	if (v == NULL) {
		x->no_memory = true;
		return NULL;
	}
	x->fact = v;
	f = &x->fact[x->n_facts++];
	*f = (struct inspection_fact){ .row = row, .kind = kind, .name = name };
	return f;
}

/* A field of a header in one line (RFC 5322 s2.2.3), and any text. */
static void
put(struct inspection_fact *f, struct slice text)
{
	size_t n = 0;

	for (size_t i = 0; i < text.n && n + 1 < sizeof(f->text); i++) {
		char c = text.p[i];
		bool folded = c == '\n' && i + 1 < text.n &&
			      (text.p[i + 1] == ' ' || text.p[i + 1] == '\t');

		if (c == '\r' || c == '\0' || folded)
			continue;
		f->text[n++] = c;
		if (c == '\n' || c == '\t')
			f->text[n - 1] = ' ';
	}
	f->text[n] = '\0';
}

static void
add_text(
    struct inspection *x, uint16_t row, const char *name, struct slice text)
{
	struct inspection_fact *f = add(x, row, FACT_TEXT, name);

	if (f != NULL)
		put(f, text);
}

void
inspection_text(struct inspection *x, const char *name, struct slice text)
{
	add_text(x, 0, name, text);
}

void
inspection_words(struct inspection *x, const char *name, const char *words)
{
	add_text(x, 0, name, (struct slice){ words, strlen(words) });
}

/* Facts have 32 bits; what is larger has 24 digits as a text. */
void
inspection_number(struct inspection *x, const char *name, uint64_t n)
{
	char digits[STR_U64_MAX];
	struct inspection_fact *f;

	if (n > UINT32_MAX) {
		add_text(x, 0, name,
		    (struct slice){ digits, str_from_u64(digits, n) });
		return;
	}
	if ((f = add(x, 0, FACT_NUMBER, name)) != NULL)
		f->number = (uint32_t)n;
}

void
inspection_flag(struct inspection *x, const char *name, bool is_so)
{
	struct inspection_fact *f = add(x, 0, FACT_FLAG, name);

	if (f != NULL)
		f->number = is_so;
}

void
inspection_problem(struct inspection *x, struct slice with, const char *problem)
{
	x->problems++;
	if (x->rows == INSPECTION_ROWS)
		return;
	x->rows++;
	add_text(x, x->rows, "what", with);
	add_text(
	    x, x->rows, "problem", (struct slice){ problem, strlen(problem) });
}
