#include "server/conf/client_files.h"

#include <unistd.h>

#include "base/slurp.h"

enum err
client_files_open(const struct conf *c, int *ca_r, int *crl_r, bool *about_crl,
    struct errbuf *eb)
{
	struct stat st;
	enum err e;

	*ca_r = *crl_r = -1;
	*about_crl = false;
	e = slurp_open(c->client_ca, ca_r, &st, eb);
	if (e != E_OK || c->client_crl[0] == '\0')
		return e;
	*about_crl = true;
	e = slurp_open(c->client_crl, crl_r, &st, eb);
	if (e != E_OK)
		close(*ca_r);
	return e;
}

enum err
client_files_read(const struct conf *c, struct client_ca **ca_r,
    bool *about_crl, struct errbuf *eb)
{
	struct errbuf why;
	int ca, crl;
	enum err e;

	*ca_r = NULL;
	if ((e = client_files_open(c, &ca, &crl, about_crl, eb)) != E_OK)
		return e;
	*about_crl = false;
	e = client_ca_read(ca_r, ca, -1, eb);
	if (e == E_OK && crl >= 0) {
		client_ca_free(*ca_r);
		*about_crl = true;
		e = client_ca_read(ca_r, ca, crl, &why);
		if (e != E_OK)
			*eb = why;
	}
	close(ca);
	if (crl >= 0)
		close(crl);
	return e;
}
