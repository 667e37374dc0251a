#include "server/conf/ocsp.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/slurp.h"
#include "server/conf/worker_conf.h"

enum {
	CLOCKS =
	    300, /* seconds by which those of others may differ from ours */
	UNSAID_DAYS = 7, /* that one is shown which does not say until when */
};

/* Octets, not a text: slurp() takes no NUL. */
static enum err
read_octets(const char *file, struct certificate *out, struct errbuf *eb)
{
	struct errbuf why;
	struct stat st;
	ssize_t n = -1;
	int fd;

	if (slurp_open(file, &fd, &st, &why) != E_OK)
		return err_set(eb, E_CONFIG, "%s: %s", file, why.text);
	if (st.st_size > 0 && st.st_size <= OCSP_MAX &&
	    (out->staple = malloc((size_t)st.st_size)) != NULL)
		n = read(fd, out->staple, (size_t)st.st_size);
	close(fd);
	if (n != (ssize_t)st.st_size)
		return err_set(eb, E_CONFIG,
		    "%s: cannot be read, is empty, or larger than %d octets",
		    file, OCSP_MAX);
	out->staple_n = (size_t)n;
	return E_OK;
}

static X509 *
issuer_of(X509 *x, STACK_OF(X509) * chain)
{
	for (int i = 0; chain != NULL && i < sk_X509_num(chain); i++)
		if (X509_check_issued(sk_X509_value(chain, i), x) == X509_V_OK)
			return sk_X509_value(chain, i);
	return NULL;
}

/* By the issuer itself, or by somebody whom it has made a certificate for that. */
static bool
is_signed(OCSP_BASICRESP *basic, X509 *issuer, STACK_OF(X509) * chain)
{
	X509_STORE *store = X509_STORE_new();
	bool good =
	    store != NULL && X509_STORE_add_cert(store, issuer) == 1 &&
	    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN) == 1 &&
	    OCSP_basic_verify(basic, chain, store, 0) == 1;

	X509_STORE_free(store);
	return good;
}

static int64_t
time_of(const ASN1_GENERALIZEDTIME *t)
{
	struct tm tm;

	return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

/* NULL: it says that x is good. */
static const char *
judge(OCSP_BASICRESP *basic, X509 *x, STACK_OF(X509) * chain,
    struct certificate *out)
{
	X509 *issuer = issuer_of(x, chain);
	ASN1_GENERALIZEDTIME *this = NULL, *next = NULL;
	OCSP_CERTID *id;
	int status = -1, found;

	if (issuer == NULL)
		return "the certificate's issuer is not in the file of the "
		       "certificate; put it there, behind the certificate";
	if (!is_signed(basic, issuer, chain))
		return "it is not signed by the certificate's issuer";
	if ((id = OCSP_cert_to_id(NULL, x, issuer)) == NULL)
		return "out of memory";
	found =
	    OCSP_resp_find_status(basic, id, &status, NULL, NULL, &this, &next);
	OCSP_CERTID_free(id);
	if (found != 1)
		return "it is about another certificate; ask for one anew";
	if (status == V_OCSP_CERTSTATUS_REVOKED)
		return "THE CERTIFICATE IS REVOKED; have another one made";
	if (status != V_OCSP_CERTSTATUS_GOOD)
		return "the authority does not know the certificate";
	if (OCSP_check_validity(this, next, CLOCKS, -1) != 1)
		return "it is out of date; ask for one anew";
	out->staple_until =
	    next != NULL ? time_of(next) : time_of(this) + UNSAID_DAYS * 86400;
	return NULL;
}

static const char *
parse(X509 *x, STACK_OF(X509) * chain, struct certificate *out)
{
	const unsigned char *p = out->staple;
	OCSP_RESPONSE *r = d2i_OCSP_RESPONSE(NULL, &p, (long)out->staple_n);
	OCSP_BASICRESP *basic = NULL;
	const char *why = "it is no answer of OCSP; write it as openssl ocsp "
			  "-respout does";

	if (r != NULL &&
	    OCSP_response_status(r) != OCSP_RESPONSE_STATUS_SUCCESSFUL)
		why = "the authority has not answered; ask anew";
	else if (r != NULL && (basic = OCSP_response_get1_basic(r)) != NULL)
		why = judge(basic, x, chain, out);
	OCSP_BASICRESP_free(basic);
	OCSP_RESPONSE_free(r);
	ERR_clear_error();
	return why;
}

enum err
ocsp_read(const char *file, X509 *x, STACK_OF(X509) * chain,
    struct certificate *out, struct errbuf *eb)
{
	enum err e = read_octets(file, out, eb);
	const char *why = e == E_OK ? parse(x, chain, out) : NULL;

	if (why != NULL)
		e = err_set(eb, E_CONFIG, "%s: %s", file, why);
	if (e != E_OK) {
		free(out->staple);
		out->staple = NULL;
		out->staple_n = 0;
	}
	return e;
}
