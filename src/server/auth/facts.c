#include "server/auth/facts.h"

#include <stdio.h>

#include "base/log.h"

/* What cannot be sent is missing in what the admin reads. */
static void
send(const struct facts *f, uint16_t type, const struct ipc_fields *fields,
    const void *from)
{
	struct ipc_chan *parent = f->auth->role.parent;
	enum err e;

	ipc_begin(parent, type);
	ipc_put_u64(parent, f->token);
	ipc_put_fields(parent, fields, from);
	if ((e = ipc_end(parent)) != E_OK)
		log_line(LOG_FAULT, "ev=facts error=\"%s\"", err_str(e));
}

static void
tell(const struct facts *f, enum fact_kind kind, const char *name,
    uint32_t number, const char *text)
{
	struct control_fact fact = {
		.row = f->row,
		.kind = kind,
		.number = number,
	};

	snprintf(fact.name, sizeof(fact.name), "%s", name);
	snprintf(fact.text, sizeof(fact.text), "%s", text);
	send(f, IPC_FACT, &control_fact_fields, &fact);
}

void
fact_text(const struct facts *f, const char *name, const char *text)
{
	tell(f, FACT_TEXT, name, 0, text);
}

void
fact_number(const struct facts *f, const char *name, uint32_t number)
{
	tell(f, FACT_NUMBER, name, number, "");
}

void
fact_flag(const struct facts *f, const char *name, bool flag)
{
	tell(f, FACT_FLAG, name, flag, "");
}

void
facts_end(
    const struct facts *f, enum control_outcome outcome, const char *words)
{
	struct control_done done = { .outcome = outcome };

	snprintf(done.words, sizeof(done.words), "%s", words);
	send(f, IPC_ASKED, &control_done_fields, &done);
}
