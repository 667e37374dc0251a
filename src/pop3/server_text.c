#include "pop3/server_text.h"

#include <string.h>

#define GOOD(name, text)      [POP3_TEXT_##name] = { true, POP3_NO_CODE, text },
#define BAD(name, code, text) [POP3_TEXT_##name] = { false, code, text },

static const struct {
	bool good;
	enum pop3_code code;
	const char *words;
} texts[] = { [POP3_NO_TEXT] = { false, POP3_NO_CODE, "" },
	POP3_TEXTS(GOOD, BAD) };

bool
pop3_text_is_good(enum pop3_text t)
{
	return texts[t].good;
}

enum pop3_code
pop3_text_code(enum pop3_text t)
{
	return texts[t].code;
}

const char *
pop3_text_words(enum pop3_text t)
{
	return texts[t].words;
}

struct line {
	char *out;
	size_t room, n;
};

static void
line_add(struct line *l, const char *p, size_t n)
{
	size_t left = l->room - l->n;

	if (n > left)
		n = left;
	memcpy(l->out + l->n, p, n);
	l->n += n;
}

static void
line_add_arg(struct line *l, const struct pop3_arg *arg)
{
	char digits[STR_U64_MAX];

	if (arg->text.p != NULL)
		line_add(l, arg->text.p, arg->text.n);
	else
		line_add(l, digits, str_from_u64(digits, arg->number));
}

static void
line_add_words(struct line *l, const char *words, const struct pop3_arg *arg)
{
	for (;;) {
		const char *at = strchrnul(words, '%');

		line_add(l, words, (size_t)(at - words));
		if (*at == '\0')
			break;
		words = at + 1;
		if (*words < '1' || *words >= '1' + POP3_TEXT_ARGS)
			continue;
		if (arg != NULL)
			line_add_arg(l, &arg[*words - '1']);
		words++;
	}
}

size_t
pop3_text_write(
    char *out, size_t room, enum pop3_text t, const struct pop3_arg *arg)
{
	const char *code = pop3_code_name(texts[t].code);
	struct line l = { out, room, 0 };

	line_add(&l, texts[t].good ? "+OK " : "-ERR ", texts[t].good ? 4 : 5);
	if (code != NULL) {
		line_add(&l, "[", 1);
		line_add(&l, code, strlen(code));
		line_add(&l, "] ", 2);
	}
	line_add_words(&l, texts[t].words, arg);
	return l.n;
}
