#include "client/setup/xml.h"

#include <expat.h>
#include <string.h>

#define SPACE " \t\r\n"

struct reader {
	XML_Parser parser;
	const struct xml_hooks *hooks;
	void *arg;
	char text[XML_TEXT];
	size_t n;
};

static const char *
local_name(const char *name)
{
	const char *colon = strrchr(name, ':');

	return colon != NULL ? colon + 1 : name;
}

static void
on_start(void *arg, const char *name, const char **attributes)
{
	struct reader *r = arg;

	r->n = 0;
	r->hooks->start(r->arg, local_name(name), attributes);
}

static void
on_text(void *arg, const char *p, int n)
{
	struct reader *r = arg;
	size_t room = sizeof(r->text) - r->n;
	size_t k = (size_t)n < room ? (size_t)n : room;

	memcpy(r->text + r->n, p, k);
	r->n += k;
}

static void
on_end(void *arg, const char *name)
{
	struct reader *r = arg;
	char *text = r->text;

	if (r->n == sizeof(r->text))
		r->n = 0;
	while (r->n != 0 && strchr(SPACE, text[r->n - 1]) != NULL)
		r->n--;
	text[r->n] = '\0';
	r->hooks->end(r->arg, local_name(name), text + strspn(text, SPACE));
	r->n = 0;
}

static void
on_entity(void *arg, const char *name, int is_parameter, const char *value,
    int value_n, const char *base, const char *system, const char *public,
    const char *notation)
{
	struct reader *r = arg;

	XML_StopParser(r->parser, XML_FALSE);
}

bool
xml_read(struct slice xml, const struct xml_hooks *hooks, void *arg)
{
	struct reader r = { .hooks = hooks, .arg = arg };
	bool good;

	if ((r.parser = XML_ParserCreate(NULL)) == NULL)
		return false;
	XML_SetUserData(r.parser, &r);
	XML_SetElementHandler(r.parser, on_start, on_end);
	XML_SetCharacterDataHandler(r.parser, on_text);
	XML_SetEntityDeclHandler(r.parser, on_entity);
	good = XML_Parse(r.parser, xml.p, (int)xml.n, 1) == XML_STATUS_OK;
	XML_ParserFree(r.parser);
	return good;
}

const char *
xml_attribute(const char **attributes, const char *name)
{
	for (; *attributes != NULL; attributes += 2)
		if (strcmp(attributes[0], name) == 0)
			return attributes[1];
	return "";
}
