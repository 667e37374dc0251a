#include "server/auth/process.h"

#include "base/log.h"

void
auth_link_lost(struct auth *a, enum ipc_role role, uint16_t index, enum err why)
{
	if (why != E_FORMAT)
		return; /* the parent notices a death by itself */
	log_line(LOG_FAULT, "ev=misbehaved role=%s index=%u",
	    role == ROLE_POP3 ? "pop3" : "store", index);
	ipc_begin(a->ctl, IPC_MISBEHAVED);
	ipc_put_u8(a->ctl, (uint8_t)role);
	ipc_put_u16(a->ctl, index);
	if (ipc_end(a->ctl) != E_OK)
		log_line(LOG_FAULT, "ev=misbehaved error=\"not sent\"");
}
