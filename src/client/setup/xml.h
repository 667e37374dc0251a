/*
 * xml.h - the texts of a small XML document, by libexpat.
 */
#ifndef CLIENT_SETUP_XML_H
#define CLIENT_SETUP_XML_H

#include <stdbool.h>

#include "base/str.h"

enum { XML_TEXT = 512 };

struct xml_hooks {
	/* attributes: names and values in turn, up to a NULL. */
	void (*start)(void *arg, const char *name, const char **attributes);
	/* text: what stands in the element behind its last child, without white
	 * space around it; empty if that has XML_TEXT octets or more. */
	void (*end)(void *arg, const char *name, const char *text);
};

/* Names come without a prefix.  False: it is no XML, or declares entities, which
 * honest ones of the kind do not; hooks may have been called. */
bool xml_read(struct slice xml, const struct xml_hooks *hooks, void *arg);

/* The value of an attribute, or "". */
const char *xml_attribute(const char **attributes, const char *name);

#endif
