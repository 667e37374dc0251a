/*
 * What an admin writes where a database is, and a name in a filter of LDAP: that
 * is read back as it was, and is nothing else.
 *
 * The first octet: 0 is a setting `connection`, others a name.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/helper/db_filter.h"
#include "server/helper/db_words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
words(const char *text)
{
	char keyword[DB_WORD_MAX], value[DB_WORD_MAX];
	const char *rest = text, *before = rest;
	struct errbuf eb = { "" };
	enum err e;

	while ((e = db_words_next(&rest, keyword, value, &eb)) == E_OK) {
		if (rest <= before || keyword[0] == '\0' ||
		    strlen(value) >= DB_WORD_MAX || strchr(keyword, '='))
			abort();
		before = rest;
	}
	if ((e == E_CONFIG) != (eb.text[0] != '\0'))
		abort();
}

/* RFC 4515 s3, backwards: up to a `)` that stands there itself. */
static const char *
read_value(const char *p, char *out)
{
	while (*p != ')') {
		if (*p == '\0' || *p == '(' || *p == '*' || *p >= 0x7f)
			abort();
		if (*p == '\\') {
			unsigned octet;

			if (!isxdigit((unsigned char)p[1]) ||
			    !isxdigit((unsigned char)p[2]) ||
			    sscanf(p + 1, "%2x", &octet) != 1 || octet == 0)
				abort();
			*out++ = (char)octet;
			p += 3;
		} else {
			*out++ = *p++;
		}
	}
	*out = '\0';
	return p + 1;
}

static void
filter(const char *name)
{
	static const char query[] = "(a=$1)(b=$2)(c=$3)";
	char out[sizeof(query) + 4 * 3 * NAME_MAX_OCTETS];
	char value[NAME_MAX_OCTETS + 1];
	const char *p = out;
	struct db_parameters parameters;

	db_parameters(&parameters, query, name);
	if (db_filter(out, sizeof(out), query, &parameters, NULL) != E_OK)
		abort();
	for (size_t i = 0; i < 3; i++) {
		if (p[0] != '(' || p[1] != "abc"[i] || p[2] != '=')
			abort();
		p = read_value(p + 3, value);
		if (strcmp(value, parameters.value[i]) != 0)
			abort();
	}
	if (*p != '\0')
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[4096];

	if (size == 0 || size > sizeof(text))
		return 0;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	if (data[0] == 0)
		words(text);
	else if (strlen(text) <= NAME_MAX_OCTETS)
		filter(text);
	return 0;
}
