/*
 * The server's side of a Kerberos exchange, by MIT's library, for tests of the
 * client:
 *
 *    kpop_accept KEYTAB
 *        KPOP on descriptor 0, a socket; prints whose ticket it was.
 *    kpop_accept KEYTAB LAYERS
 *        GSSAPI (RFC 4752) in lines of hexadecimal digits, which offers these
 *        security layers; prints "done NAME OCTETS", the last message.
 */
#include <gssapi/gssapi.h>
#include <krb5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
fail(const char *what)
{
	fprintf(stderr, "%s\n", what);
	exit(1);
}

/* ---- KPOP ---- */

static int
kpop(const char *file)
{
	krb5_auth_context auth = NULL;
	krb5_ticket *ticket;
	krb5_keytab keytab;
	krb5_error_code code;
	krb5_context krb;
	int fd = 0;
	char *name;

	if (krb5_init_context(&krb) != 0 ||
	    krb5_kt_resolve(krb, file, &keytab) != 0)
		fail("no keytab");
	if ((code = krb5_recvauth(krb, &auth, &fd, (char *)"KPOPV1.0", NULL, 0,
		 keytab, &ticket)) != 0)
		fail(krb5_get_error_message(krb, code));
	if (krb5_unparse_name(krb, ticket->enc_part2->client, &name) != 0)
		fail("no name");
	printf("%s\n", name);
	return 0;
}

/* ---- GSSAPI ---- */

static gss_buffer_desc
hear(void)
{
	static char line[65536];
	static unsigned char octets[sizeof(line) / 2];
	gss_buffer_desc said = { 0, octets };
	unsigned v;

	if (fgets(line, sizeof(line), stdin) == NULL)
		fail("nothing came");
	while (sscanf(line + 2 * said.length, "%2x", &v) == 1)
		octets[said.length++] = (unsigned char)v;
	return said;
}

static void
say(const char *before, gss_buffer_t b)
{
	fputs(before, stdout);
	for (size_t i = 0; i < b->length; i++)
		printf("%02x", ((unsigned char *)b->value)[i]);
	putchar('\n');
	fflush(stdout);
}

static int
gssapi(int layers)
{
	char offer[4] = { (char)layers, 0, 0x40, 0 };
	gss_buffer_desc in, out, plain = { sizeof(offer), offer };
	gss_ctx_id_t context = GSS_C_NO_CONTEXT;
	gss_name_t who = GSS_C_NO_NAME;
	OM_uint32 major, minor;

	do {
		in = hear();
		major = gss_accept_sec_context(&minor, &context,
		    GSS_C_NO_CREDENTIAL, &in, GSS_C_NO_CHANNEL_BINDINGS, &who,
		    NULL, &out, NULL, NULL, NULL);
		if (out.length != 0)
			say("", &out);
		if (GSS_ERROR(major))
			fail("refused");
	} while (major == GSS_S_CONTINUE_NEEDED);
	hear(); /* nothing */
	if (GSS_ERROR(gss_wrap(&minor, context, 0, 0, &plain, NULL, &out)))
		fail("no wrapping");
	say("", &out);
	in = hear();
	if (GSS_ERROR(gss_unwrap(&minor, context, &in, &out, NULL, NULL)))
		fail("not wrapped");
	say("done ", &out);
	return 0;
}

int
main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	setenv("KRB5_KTNAME", argv[1], 1);
	setenv("KRB5RCACHENAME", "none:", 1);
	return argc == 2 ? kpop(argv[1]) : gssapi(atoi(argv[2]));
}
