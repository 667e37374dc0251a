#include "pop3/server_text.h"

#include <string.h>

#define GOOD(name, text)      [POP3_TEXT_##name] = { true, POP3_NO_CODE },
#define BAD(name, code, text) [POP3_TEXT_##name] = { false, code },

static const struct {
	bool good;
	enum pop3_code code;
} texts[] = { [POP3_NO_TEXT] = { false, POP3_NO_CODE }, POP3_TEXTS(GOOD, BAD) };

#define GOOD_WORDS(name, text)      [POP3_TEXT_##name] = text,
#define BAD_WORDS(name, code, text) [POP3_TEXT_##name] = text,

const struct pop3_language pop3_english = { "en", "English",
	{ [POP3_NO_TEXT] = "", POP3_TEXTS(GOOD_WORDS, BAD_WORDS) } };

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
	return pop3_english.words[t];
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
pop3_text_write(char *out, size_t room, const struct pop3_language *l,
    enum pop3_text t, const struct pop3_arg *arg)
{
	const char *code = pop3_code_name(texts[t].code);
	struct line line = { out, room, 0 };

	line_add(
	    &line, texts[t].good ? "+OK " : "-ERR ", texts[t].good ? 4 : 5);
	if (code != NULL) {
		line_add(&line, "[", 1);
		line_add(&line, code, strlen(code));
		line_add(&line, "] ", 2);
	}
	line_add_words(&line, l->words[t], arg);
	return line.n;
}
