#include "server/conf/certificate_name.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

static X509 *
read_first(const char *file)
{
	FILE *f = fopen(file, "re");
	X509 *x;

	if (f == NULL)
		return NULL;
	x = PEM_read_X509(f, NULL, NULL, NULL);
	fclose(f);
	return x;
}

static bool
take_name(const GENERAL_NAME *name, char out[SERVER_NAME_MAX])
{
	const unsigned char *p;
	int n;

	if (name->type != GEN_DNS)
		return false;
	p = ASN1_STRING_get0_data(name->d.dNSName);
	n = ASN1_STRING_length(name->d.dNSName);
	if (n <= 0 || n >= SERVER_NAME_MAX ||
	    memchr(p, '*', (size_t)n) != NULL ||
	    memchr(p, '\0', (size_t)n) != NULL)
		return false;
	memcpy(out, p, (size_t)n);
	out[n] = '\0';
	return true;
}

static bool
first_name(X509 *x, char out[SERVER_NAME_MAX])
{
	GENERAL_NAMES *names =
	    X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	bool found = false;

	for (int i = 0; i < sk_GENERAL_NAME_num(names) && !found; i++)
		found = take_name(sk_GENERAL_NAME_value(names, i), out);
	GENERAL_NAMES_free(names);
	return found;
}

bool
certificate_name(
    const char *file, const char *wanted, char out[SERVER_NAME_MAX])
{
	X509 *x = read_first(file);
	bool found = false;

	if (x == NULL)
		return false;
	if (wanted[0] != '\0' && strlen(wanted) < SERVER_NAME_MAX &&
	    X509_check_host(x, wanted, 0, 0, NULL) == 1) {
		memcpy(out, wanted, strlen(wanted) + 1);
		found = true;
	}
	found = found || first_name(x, out);
	X509_free(x);
	return found;
}
