#include "server/ipc/trust.h"

#include <unistd.h>

#include "base/log.h"

enum err
trust_take(struct client_ca **ca, struct ipc_in *in)
{
	int ca_fd = ipc_get_fd(in), crl_fd = in->nfds > 1 ? ipc_get_fd(in) : -1;
	struct client_ca *new;
	struct errbuf eb;
	enum err e = ipc_get_end(in);

	if (e == E_OK && client_ca_read(&new, ca_fd, crl_fd, &eb) == E_OK) {
		client_ca_free(*ca);
		*ca = new;
	} else if (e == E_OK) {
		log_line(LOG_FAULT, "ev=client-ca error=\"%s\"", eb.text);
	}
	if (ca_fd >= 0)
		close(ca_fd);
	if (crl_fd >= 0)
		close(crl_fd);
	return e;
}
