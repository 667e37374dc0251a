/*
 * ticket - what a client of Kerberos says, in hexadecimal, and nothing else: what
 * no real client would say, too.
 *
 *	ticket ap-req SERVICE [mutual]
 *	ticket gssapi SERVICE CHOICE
 *
 * SERVICE is a whole principal, and its ticket is in the cache: it is taken as it
 * is, also if it has expired.  The first prints an AP-REQ.  The second prints a
 * token; then for each challenge, a line of its own, what comes next: in the end
 * CHOICE (in hexadecimal), wrapped, and before that a line "offer HEX" of what
 * the server offered.
 */
#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>
#include <krb5.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_OCTETS = 200000 };

static void
die(const char *what, long code)
{
	fprintf(stderr, "ticket: %s: %ld\n", what, code);
	exit(1);
}

static void
print(const char *word, const void *p, size_t n)
{
	const unsigned char *at = p;

	printf("%s", word);
	while (n-- > 0)
		printf("%02x", *at++);
	printf("\n");
	fflush(stdout);
}

static size_t
octets_of(const char *hex, unsigned char *out)
{
	size_t n = 0;

	while (sscanf(hex + 2 * n, "%2hhx", &out[n]) == 1)
		n++;
	return n;
}

/* The library finds none that has expired. */
static krb5_error_code
find(krb5_context c, krb5_ccache cache, const char *service, krb5_creds *out)
{
	krb5_cc_cursor at;
	krb5_principal server;
	krb5_error_code e;

	if ((e = krb5_parse_name(c, service, &server)) != 0 ||
	    (e = krb5_cc_start_seq_get(c, cache, &at)) != 0)
		return e;
	while ((e = krb5_cc_next_cred(c, cache, &at, out)) == 0)
		if (krb5_principal_compare(c, out->server, server))
			return 0;
	return e;
}

static void
ap_req(const char *service, bool mutual)
{
	krb5_auth_context ac = NULL;
	krb5_creds creds;
	krb5_context c;
	krb5_ccache cache;
	krb5_data out;
	krb5_error_code e;

	if ((e = krb5_init_context(&c)) != 0 ||
	    (e = krb5_cc_default(c, &cache)) != 0 ||
	    (e = find(c, cache, service, &creds)) != 0)
		die("cache", e);
	creds.times.endtime = 0x7fffffff; /* what is in the ticket stays */
	if ((e = krb5_mk_req_extended(c, &ac,
		 mutual ? AP_OPTS_MUTUAL_REQUIRED : 0, NULL, &creds, &out)) !=
	    0)
		die("ap-req", e);
	print("", out.data, out.length);
}

static void
gssapi(const char *service, const char *choice)
{
	static char line[LINE_MAX_OCTETS];
	static unsigned char octets[LINE_MAX_OCTETS / 2];
	gss_buffer_desc text = { strlen(service), (void *)service };
	gss_buffer_desc in = GSS_C_EMPTY_BUFFER, out;
	gss_ctx_id_t context = GSS_C_NO_CONTEXT;
	gss_name_t name;
	OM_uint32 minor, major = GSS_S_CONTINUE_NEEDED;

	if (gss_import_name(&minor, &text, GSS_KRB5_NT_PRINCIPAL_NAME, &name) !=
	    0)
		die("name", minor);
	while (major == GSS_S_CONTINUE_NEEDED) {
		major = gss_init_sec_context(&minor, GSS_C_NO_CREDENTIAL,
		    &context, name, (gss_OID)gss_mech_krb5,
		    GSS_C_MUTUAL_FLAG | GSS_C_INTEG_FLAG, 0, NULL, &in, NULL,
		    &out, NULL, NULL);
		if (GSS_ERROR(major))
			die("token", minor);
		print("", out.value, out.length);
		if (fgets(line, sizeof(line), stdin) == NULL)
			return;
		in.length = octets_of(line, octets);
		in.value = octets;
	}
	if (gss_unwrap(&minor, context, &in, &out, NULL, NULL) != 0)
		die("unwrap", minor);
	print("offer ", out.value, out.length);
	in.length = octets_of(choice, octets);
	in.value = octets;
	if (gss_wrap(&minor, context, 0, 0, &in, NULL, &out) != 0)
		die("wrap", minor);
	print("", out.value, out.length);
}

int
main(int argc, char **argv)
{
	if (argc >= 3 && strcmp(argv[1], "ap-req") == 0)
		ap_req(argv[2], argc > 3);
	else if (argc == 4 && strcmp(argv[1], "gssapi") == 0)
		gssapi(argv[2], argv[3]);
	else
		return 2;
	return 0;
}
