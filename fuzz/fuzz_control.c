/* What comes over the control socket, at either end: each struct has its texts
 * ended and its choices within their bounds, or the message is refused; and what
 * is shown of it obeys nobody. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/str.h"
#include "server/ipc/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Room for any of the structs. */
union any {
	struct control_about about;
	struct control_server server;
	struct control_process process;
	struct control_listener listener;
	struct control_root root;
	struct control_note note;
	struct control_uidl uidl;
	struct control_expire expire;
	struct control_done done;
	struct control_credentials credentials;
	struct control_fact fact;
	struct control_which which;
	struct control_trace trace;
	struct control_count count;
	struct control_number number;
	struct control_messages messages;
	struct control_sessions sessions;
};

static void
check_text(const char *text, size_t size)
{
	size_t n = strnlen(text, size);
	char shown[256];

	if (n == size)
		__builtin_trap();
	str_quote(shown, sizeof(shown), text, n);
	for (const char *p = shown; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			__builtin_trap();
}

static void check_field(const struct ipc_field *f, const char *from);

static void
check_rows(const struct ipc_field *f, const char *from)
{
	uint16_t n;

	memcpy(&n, from + f->count_at, sizeof(n));
	if (n > f->max)
		__builtin_trap();
	for (uint16_t i = 0; i < n; i++)
		for (size_t k = 0; k < f->row->n; k++)
			check_field(
			    &f->row->field[k], from + f->at + i * f->row_size);
}

static void
check_field(const struct ipc_field *f, const char *from)
{
	unsigned choice;

	if (f->kind == FIELD_IS_STR)
		check_text(from + f->at, f->max);
	if (f->kind == FIELD_IS_ROWS)
		check_rows(f, from);
	if (f->kind != FIELD_IS_ENUM)
		return;
	memcpy(&choice, from + f->at, sizeof(choice));
	if (choice > f->max)
		__builtin_trap();
}

static enum err
take(const struct ipc_fields *t, struct ipc_in *in)
{
	static union any any;

	memset(&any, 0, sizeof(any));
	ipc_get_fields(in, t, &any);
	for (size_t i = 0; i < t->n; i++)
		check_field(&t->field[i], (const char *)&any);
	return ipc_get_end(in);
}

#define TAKE(name) \
	static enum err take_##name(void *arg, struct ipc_in *in) \
	{ \
		(void)arg; \
		return take(&control_##name##_fields, in); \
	}
TAKE(about)
TAKE(server)
TAKE(process)
TAKE(listener)
TAKE(root)
TAKE(note)
TAKE(uidl)
TAKE(expire)
TAKE(done)
TAKE(credentials)
TAKE(fact)
TAKE(which)
TAKE(count)
TAKE(number)
TAKE(messages)
TAKE(trace)
TAKE(sessions)

/* Whatever comes, a descriptor belongs to it. */
static enum err
take_elder(void *arg, struct ipc_in *in)
{
	(void)arg;
	(void)ipc_get_u32(in);
	if (ipc_get_fd(in) >= 0)
		__builtin_trap(); /* there is none here */
	return ipc_get_end(in);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct ipc_rule rule[] = {
		{ CONTROL_UIDL_SHOW, 1, 0, CONTROL_REQUEST_MAX, take_about },
		{ CONTROL_UIDL_FORGET, 1, 0, CONTROL_REQUEST_MAX, take_about },
		{ CONTROL_ROOT_ACCEPT, 1, 0, CONTROL_REQUEST_MAX, take_about },
		{ CONTROL_EXPIRE_SHOW, 1, 0, CONTROL_REQUEST_MAX, take_about },
		{ CONTROL_EXPIRE_ACCEPT, 1, 0, CONTROL_REQUEST_MAX,
		    take_about },
		{ CONTROL_USER_SHOW, 1, 0, CONTROL_REQUEST_MAX, take_about },
		{ CONTROL_USER_TEST, 1, 0, CONTROL_CREDENTIALS_MAX,
		    take_credentials },
		{ CONTROL_WHO, 1, 0, CONTROL_WHICH_MAX, take_which },
		{ CONTROL_KICK, 1, 0, CONTROL_WHICH_MAX, take_which },
		{ CONTROL_TRACE, 1, 0, CONTROL_WHICH_MAX, take_trace },
		{ CONTROL_MAILDROP_SHOW, 1, 0, CONTROL_WHICH_MAX, take_number },
		{ CONTROL_MESSAGES, 1, 0, CONTROL_MESSAGES_MAX, take_messages },
		{ CONTROL_COUNT, 1, 0, CONTROL_ANSWER_MAX, take_count },
		{ CONTROL_SESSIONS, 1, 0, CONTROL_SESSIONS_MAX, take_sessions },
		{ CONTROL_ELDER, 1, 1, 4, take_elder },
		{ CONTROL_SERVER, 1, 0, CONTROL_ANSWER_MAX, take_server },
		{ CONTROL_PROCESS, 1, 0, CONTROL_ANSWER_MAX, take_process },
		{ CONTROL_LISTENER, 1, 0, CONTROL_ANSWER_MAX, take_listener },
		{ CONTROL_ROOT, 1, 0, CONTROL_ANSWER_MAX, take_root },
		{ CONTROL_NOTE, 1, 0, CONTROL_ANSWER_MAX, take_note },
		{ CONTROL_UIDL, 1, 0, CONTROL_ANSWER_MAX, take_uidl },
		{ CONTROL_EXPIRE, 1, 0, CONTROL_ANSWER_MAX, take_expire },
		{ CONTROL_FACT, 1, 0, CONTROL_ANSWER_MAX, take_fact },
		{ CONTROL_DONE, 1, 0, CONTROL_ANSWER_MAX, take_done },
	};
	static const struct ipc_rules rules = { rule,
		sizeof(rule) / sizeof(rule[0]), NULL };

	if (ipc_handle(&rules, 1, NULL, data, n, NULL, 0) == E_NOMEM)
		__builtin_trap();
	return 0;
}
