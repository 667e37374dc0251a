#include "client/deliver/sender.h"

#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { HEAD = 8 * 1024 };

static void
take_address(const char *p, char out[SENDER_SIZE])
{
	const char *end;

	p += strspn(p, " \t");
	if (*p++ != '<')
		return;
	for (end = p; *end > ' ' && *end < 0x7f && strchr("<>\"", *end) == NULL;
	     end++)
		;
	if (*end != '>' || end - p >= SENDER_SIZE)
		return;
	memcpy(out, p, (size_t)(end - p));
	out[end - p] = '\0';
}

void
sender_read(int fd, char out[SENDER_SIZE])
{
	static const char field[] = "Return-Path:";
	char head[HEAD + 1];
	ssize_t n = pread(fd, head, HEAD, 0);

	out[0] = '\0';
	head[n > 0 ? n : 0] = '\0';
	for (const char *p = head; *p != '\0' && *p != '\n';) {
		const char *end = strchr(p, '\n');

		if (strncasecmp(p, field, sizeof(field) - 1) == 0) {
			take_address(p + sizeof(field) - 1, out);
			return;
		}
		if (end == NULL)
			return;
		p = end + 1;
	}
}
