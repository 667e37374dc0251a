#include "server/helper/outcome.h"

#include <string.h>

#include "base/log.h"

static void
put_row(struct ipc_chan *c, const struct db_row *row)
{
	ipc_put_u8(c, (uint8_t)row->n);
	for (size_t i = 0; i < row->n; i++) {
		ipc_put_str(c, row->column[i].name);
		ipc_put_bytes(c, row->column[i].value, row->column[i].value_n);
	}
}

void
outcome_send(struct ipc_chan *auth, uint64_t id, enum lookup_result result,
    const struct db_row *row, const char *why)
{
	ipc_begin(auth, IPC_ROW);
	ipc_put_u64(auth, id);
	ipc_put_u8(auth, (uint8_t)result);
	put_row(auth, row);
	ipc_put_str(auth, result == LOOKUP_FAILED ? why : "");
	if (ipc_end(auth) != E_OK)
		log_line(LOG_FAULT, "ev=unanswered");
}

void
outcome_log(const char *users, bool *is_down, enum lookup_result result,
    const char *why)
{
	bool was_down = *is_down;
	char words[512];

	*is_down = result == LOOKUP_FAILED;
	if (*is_down && !was_down)
		log_line(LOG_FAULT, "ev=database users=\"%s\" error=\"%s\"",
		    users, str_quote(words, sizeof(words), why, strlen(why)));
	else if (!*is_down && was_down)
		log_line(
		    LOG_EVENT, "ev=database users=\"%s\" answers=again", users);
}
