/* The configuration: what is said about what is not taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "conf_rig.h"

struct row {
	const char *text, *said;
};

static const struct row bad_text[] = {
	{ "nonsense = 3\n",
	    "1: there is no setting nonsense; maloted.conf(5) lists them" },
	/* All of them, and what else is wrong. */
	{ "userz = 1\nlistener \"a\" {\n prot = 2\n tsl = 3\n}\nuserz = 4\n"
	  "workers = x\n",
	    "1: there is no setting userz; did you mean users?\n"
	    "3: there is no setting prot; did you mean port?\n"
	    "4: there is no setting tsl; did you mean tls?\n"
	    "6: there is no setting userz; did you mean users?\n"
	    "7: workers = \"x\" is no number in its range; write 0 to 64" },
	{ "\xef\xbb\xbfuserz = 1\n",
	    "1: there is no setting userz; did you mean users?" },
	{ "# a comment\n\nlogin_timout = 3\n",
	    "3: there is no setting login_timout; did you mean "
	    "login_timeout?" },
	{ "Hostname = \"x\"\n",
	    "1: there is no setting Hostname; did you mean hostname?" },
	{ "listener \"a\" {\n prot = 110\n}\n",
	    "2: there is no setting prot; did you mean port?" },
	{ "listener \"a\" {\n hostname = x\n}\n",
	    "2: hostname stands within a block listener; move it out of "
	    "there" },
	{ "listener \"a\" {\n userz = x\n}\n",
	    "2: there is no setting userz; did you mean users, which stands "
	    "outside of a block listener?" },
	{ "listener \"a\" {\n colour = x\n}\n",
	    "2: there is no setting colour in a block listener; "
	    "maloted.conf(5) lists them" },
	{ "login_timeout = soon\n",
	    "1: login_timeout = \"soon\" is no number in its range; write 1 "
	    "to 86400" },
	{ "login_timeout = 0\n",
	    "1: login_timeout = \"0\" is no number in its range; write 1 to "
	    "86400" },
	{ "login_delay = 5m\n",
	    "1: login_delay = \"5m\" is no number in its range; write 0 to "
	    "86400" },
	{ "login_delay = 86401\n",
	    "1: login_delay = \"86401\" is no number in its range; write 0 to "
	    "86400" },
	{ "takeover = -1\n",
	    "1: takeover = \"-1\" is no number in its range; write 0 to "
	    "86400" },
	{ "login_timeout = 99999999999999999999\n",
	    "1: login_timeout = \"99999999999999999999\" is no number in its "
	    "range; write 1 to 86400" },
	{ "apop = maybe\n",
	    "1: apop = \"maybe\" is not known; write \"no\" or \"yes\"" },
	{ "/* one\n two */ uidl = \"best\" // three\n",
	    "2: uidl = \"best\" is not known; write \"auto\", \"filename\", "
	    "\"dovecot\" or \"courier\"" },
	{ "tls_min = 1.1\n",
	    "1: tls_min = \"1.1\" is not known; write \"1.2\" or \"1.3\"" },
	{ "sessions = \"a\"\nsessions = \"shared\"\nlog = 3\n",
	    "1: sessions = \"a\" is not known; write \"exclusive\" or "
	    "\"shared\"\n"
	    "2: sessions stands in line 1 already; leave one of them\n"
	    "3: log = \"3\" is not known; write \"stderr\" or \"syslog\"" },
	{ "hostname \"x\"\n",
	    "1: missing equal sign after option 'hostname'; write NAME = "
	    "\"VALUE\"" },
	{ "hostname = a = b\n",
	    "1: unexpected token '='; write NAME = \"VALUE\"" },
	{ "listener {\n}\n",
	    "1: missing title for section 'listener'; write listener "
	    "\"NAME\" { ... }" },
	{ "listener \"a\" { port = 1100 }\nlistener \"a\" { port = 1101 }\n",
	    "2: found duplicate title 'a'; give each block a name of its "
	    "own" },
	{ "sasl {\n}\n",
	    "1: missing title for section 'sasl'; write sasl \"NAME\" "
	    "{ ... }" },
	{ "listener \"a\" { port = 70000 }\n",
	    "1: port = \"70000\" is no number in its range; write 1 to "
	    "65535" },
	{ "listener \"a\" {\n port = 1\n",
	    "1: a { has no end; close it with }" },
	{ "mail_root = \"/x\nlog = \"syslog\"\n",
	    "1: a string has no end in its line; close it with \"" },
	{ "mail_root = 'x\\\n'\n",
	    "1: a string has no end in its line; close it with '\n"
	    "2: a string has no end in its line; close it with '" },
	{ "\n/* no end\n", "2: a comment has no end; close it with */" },
	{ "}\n", "1: unexpected closing brace; none is open: remove it" },
	{ "hostname = \"x\001y\"\n",
	    "1: hostname holds a control character; write printable ones "
	    "only" },
	{ "\nhostname = \"${MALOTE_NOT_SET}\"\n",
	    "2: ${MALOTE_NOT_SET} is not set in the environment; set it, or "
	    "write '...' for text with ${ in it" },
	{ "hostname = ${MALOTE_NOT_SET}\n",
	    "1: ${MALOTE_NOT_SET} is not set in the environment; set it, or "
	    "write '...' for text with ${ in it" },
	{ "hostname = \"a\\0b\"\nmail_root = \"\\x0\"\n",
	    "1: a NUL cannot stand in a string; remove it\n"
	    "2: a NUL cannot stand in a string; remove it" },
	{ "hostname = \"\\0000\"\n",
	    "1: a NUL cannot stand in a string; remove it" },
	{ "hostname = \"\\x001 \\060 \\01 \\x0a\"\n",
	    "1: a NUL cannot stand in a string; remove it" },
	{ "hostname = \"${MALOTE\"\n",
	    "1: ${ begins the name of a variable that has no end; write "
	    "'...' for text with ${ in it" },
};

static void
bad_text_is_named_with_its_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad_text) / sizeof(bad_text[0]); i++) {
		assert_int_equal(read_text(bad_text[i].text, user), E_CONFIG);
		expect_said(bad_text[i].text, bad_text[i].said);
	}
}

#define LOCAL(name, more) \
	"listener " name " {\n\tsocket = \"$D/a\"\n" more \
	"\ttls = \"none\"\n}\n"

static const struct row bad_sense[] = {
	{ "hostname = \"a b\"\n",
	    "1: hostname \"a b\" is not a name; write letters, digits, - and "
	    "." },
	{ "mechanisms = \"PLAIN CRAM\"\n",
	    "1: there is no mechanism CRAM; write some of: "
	    "SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS EXTERNAL SCRAM-SHA-256 "
	    "SCRAM-SHA-1 OAUTHBEARER XOAUTH2 PLAIN LOGIN CRAM-MD5 "
	    "ANONYMOUS GSSAPI" },
	{ "allow_nets = \",\"\n"
	  "listener x {\n\tport = 1110\n\tdeny_nets = \" \"\n}\n",
	    "1: allow_nets names no network; write one as 192.0.2.0/24, or "
	    "leave the setting out\n"
	    "5: deny_nets names no network; write one as 192.0.2.0/24, or "
	    "leave the setting out" },
	{ "allow_nets = \"192.0.2.1/24\"\n"
	  "listener x {\n\tport = 1110\n\tdeny_nets = \"::1, host\"\n}\n",
	    "1: allow_nets: 192.0.2.1/24 has bits behind the /; write the "
	    "first address of the network before it\n"
	    "5: deny_nets: host is no network; write one as 192.0.2.0/24 or "
	    "2001:db8::/32, or an address" },
	{ "listener x {\n\tport = 1110\n\tproxy_from = \"proxy\"\n}\n",
	    "4: proxy_from: proxy is no network; write one as 192.0.2.0/24 or "
	    "2001:db8::/32, or an address" },
	{ "listener x {\n\tsocket = \"pop3\"\n\tmode = \"0777\"\n\taddress = "
	  "{\"::1\"}\n"
	  "\ttls = \"none\"\n}\n",
	    "6: listener \"x\" needs an absolute path for its socket; write "
	    "for "
	    "example socket = \"/run/malote/pop3\"\n"
	    "6: listener \"x\" has an address and a socket; make two listeners "
	    "of it\n"
	    "6: listener \"x\": mode = \"0777\" says nothing about who may "
	    "connect to a socket; write 0660, or 0600 or 0666" },
	{ "control_socket = \"$D/a\"\n" LOCAL("x", ""),
	    "5: listener \"x\": $D/a is the control socket; write another "
	    "path" },
	{ LOCAL("x", "") LOCAL("y", ""),
	    "8: listener \"y\" is at $D/a, where listener \"x\" of line 4 is; "
	    "give it another path" },
	{ LOCAL("x", "\tsame_user = yes\n"),
	    "5: listener \"x\" has a socket, of which its mode says who may "
	    "connect; write mode = \"0600\" instead of same_user" },
	{ "listener x {\n\tport = 1110\n\tsecured = yes\n}\n",
	    "4: listener \"x\" has secured, but it is not said where the proxy "
	    "is; write proxy_from = \"ADDRESS\"" },
	{ "listener x {\n\tport = 1110\n\tproxy = \"xclient\"\n}\n",
	    "4: listener \"x\" has a setting proxy, but it is not said where "
	    "the proxy is; write proxy_from = \"ADDRESS\"" },
	{ "listener x {\n\tport = 1110\n\tproxy_from = \"::1\"\n\tkpop = yes\n"
	  "\ttls = \"none\"\n\tproxy = \"xclient\"\n}\n",
	    "7: listener \"x\" is KPOP, where there is no XCLIENT before the "
	    "ticket; leave kpop out, or write proxy = \"haproxy\"\n"
	    "7: listener \"x\": KPOP needs the keys of the service pop; write "
	    "keytab = \"FILE\"" },
	{ "mechanisms = \"PLAIN EXTERNAL\"\n",
	    "1: EXTERNAL needs to know who signs certificates of clients; "
	    "write "
	    "client_ca = \"FILE\"" },
	{ "mechanisms = ANONYMOUS\n",
	    "1: ANONYMOUS needs a maildrop; write anonymous = \"NAME\" of the "
	    "user whose mail everybody may read" },
	{ "mechanisms = \"PLAIN GSSAPI\"\n",
	    "1: GSSAPI needs the keys of the service pop; write keytab = "
	    "\"FILE\"" },
	{ "listener x {\n\tport = 1109\n\tkpop = yes\n}\n",
	    "4: listener \"x\": KPOP has no STLS; write tls = \"none\", or "
	    "\"tls\" if all its clients can do that\n"
	    "4: listener \"x\": KPOP needs the keys of the service pop; write "
	    "keytab = \"FILE\"" },
#ifdef HAVE_KERBEROS
	{ "keytab = \"$D/none\"\n",
	    "1: keytab $D/none: No such file or directory; see "
	    "maloted.conf(5)" },
	{ "keytab = \"$D/cert\"\n",
	    "1: keytab $D/cert: it is no keytab; see maloted.conf(5)" },
#else
	{ "keytab = \"$D/none\"\n",
	    "1: this maloted is built without Kerberos; leave keytab out, or "
	    "build it with MIT's libkrb5" },
#endif
	{ "principals = \"a@R=a b@R= =c d=d e@R f@R=f\"\n",
	    "1: principals: \"b@R=\" does not say whose it is; write "
	    "PRINCIPAL@REALM=USER\n"
	    "1: principals: \"=c\" does not say whose it is; write "
	    "PRINCIPAL@REALM=USER\n"
	    "1: principals: \"d=d\" does not say whose it is; write "
	    "PRINCIPAL@REALM=USER\n"
	    "1: principals: \"e@R\" does not say whose it is; write "
	    "PRINCIPAL@REALM=USER" },
	{ "principals = \"a@=a b@C=US/O=OSF=b @R=c\"\n",
	    "1: principals: \"a@=a\" does not say whose it is; write "
	    "PRINCIPAL@REALM=USER\n"
	    "1: principals: \"@R=c\" does not say whose it is; write "
	    "PRINCIPAL@REALM=USER" },
	{ "principals = \"a@R=a,b@R=b c@R=c, d@R=d\"\n",
	    "1: principals: \"a@R=a,b@R=b\" does not say whose it is; write "
	    "PRINCIPAL@REALM=USER\n"
	    "1: principals: \"c@R=c,\" does not say whose it is; write "
	    "PRINCIPAL@REALM=USER" },
	{ "kerberos_realms = \"A, B\"\n",
	    "1: kerberos_realms: there is a comma in \"A, B\"; write spaces "
	    "between realms" },
	{ "krb5_conf = \"$D/none\"\n",
	    "1: krb5_conf $D/none: No such file or directory" },
	{ "listener x {\n\tclient_certificates = yes\n}\n",
	    "3: listener \"x\" asks for certificates of clients that nobody "
	    "signs; write client_ca = \"FILE\"" },
	{ "client_ca = \"$D/cert\"\nlistener x {\n\tclient_certificates = yes\n"
	  "}\n",
	    "4: listener \"x\" asks for certificates of clients that are of no "
	    "use; write EXTERNAL among its mechanisms" },
	{ "client_ca = \"$D/cert\"\nlistener x {\n\tclient_certificates = yes\n"
	  "\ttls = none\n\tplaintext_login = yes\n}\n",
	    "6: listener \"x\" asks for certificates of clients, but has no "
	    "TLS; "
	    "write tls = \"starttls\"" },
	{ "listener x {\n\tmechanisms = \"PLAIN NTLM\"\n}\n",
	    "3: there is no mechanism NTLM; write some of: SCRAM-SHA-256-PLUS "
	    "SCRAM-SHA-1-PLUS EXTERNAL SCRAM-SHA-256 SCRAM-SHA-1 OAUTHBEARER "
	    "XOAUTH2 PLAIN LOGIN CRAM-MD5 ANONYMOUS GSSAPI" },
	{ "client_ca = \"$D/junk\"\n", "1: $D/junk: no certificate in it that "
				       "can be read; name a PEM file "
				       "of some" },
	{ "client_ca = \"$D/cert\"\nclient_crl = \"$D/cert\"\n",
	    "2: $D/cert: no list of revoked certificates in it that can be "
	    "read; "
	    "name a PEM file of some" },
	{ "client_name = mail\n", "1: client_name = \"mail\" is not known; "
				  "write \"email\", \"cn\" or "
				  "\"uid\"" },
	{ "anonymous = \"a b\"\n", "1: anonymous \"a b\" is not the name of a "
				   "user: the name has a "
				   "space or a character that nobody sees" },
	{ "client_crl = \"$D/crl\"\n",
	    "1: there is a list of revoked certificates, but nobody who signs "
	    "any; write client_ca = \"FILE\"" },
	{ "master_separator = \"@\"\n", "1: master_separator = \"@\" is not "
					"known; write \"\", \"*\", \"!\", "
					"\"#\" or \"|\"" },
	{ "default_domain = \"@x.org\"\n",
	    "1: default_domain \"@x.org\" is not a domain; write what stands "
	    "behind the @" },
	{ "tls_ciphers = \"NONE-SUCH\"\n",
	    "1: tls_ciphers: no cipher match; write what openssl ciphers -v "
	    "accepts" },
	{ "certificate = \"$D/none\"\n",
	    "1: $D/none: No such file or directory; name a PEM file that "
	    "maloted can read" },
	{ "certificate = \"$D/junk\"\n",
	    "1: $D/junk: no certificate in it; name a PEM file with BEGIN "
	    "CERTIFICATE" },
	{ "certificate = \"$D\"\n",
	    "1: $D: not a regular file; name a PEM file that maloted can "
	    "read" },
	{ "certificate = \"$D/cert\"\nkey = \"$D/old-key\"\n",
	    "2: $D/old-key: not the key of the certificate in $D/cert; name "
	    "the one it was made with" },
	{ "\nkey = \"$D/cert\"\n",
	    "2: $D/cert: no private key in it; name a PEM file with BEGIN "
	    "PRIVATE KEY" },
	{ "certificate = \"cert\"\nkey = \"\"\n",
	    "1: certificate = \"cert\" is not an absolute path; begin it with "
	    "/\n"
	    "1: cert: No such file or directory; name a PEM file that maloted "
	    "can read" },
	{ "certificate = \"\"\nlistener \"a\" {\n port = 1110 }\n",
	    "4: there is a key but no certificate; write certificate = "
	    "\"FILE\"\n"
	    "3: listener \"a\" needs a certificate for TLS; write certificate "
	    "= \"FILE\", or in the listener tls = \"none\" and "
	    "plaintext_login = yes" },
	{ "certificate = \"\"\nkey = \"\"\n",
	    "-: listener \"pop3\" needs a certificate for TLS; write "
	    "certificate = \"FILE\", or in the listener tls = \"none\" and "
	    "plaintext_login = yes" },
	{ "listener \"a\" {\n tls = none }\n",
	    "2: nobody could sign in at listener \"a\", without TLS and "
	    "without plaintext_login; write tls = \"starttls\", or "
	    "plaintext_login = yes" },
	{ "listener \"a\" {\n address = \"localhost\" }\n",
	    "2: listener \"a\": \"localhost\" is not an address; write an "
	    "IPv4 or IPv6 address, or *" },
	{ "listener \"a\" { port = 1110 }\n"
	  "listener \"b\" { port = 1110 address = \"127.0.0.1\" }\n",
	    "2: listener \"b\" is at 127.0.0.1:1110, where listener \"a\" of "
	    "line 1 is; give it another port or address" },
	{ "listener \"a\" { address = {\"::1\", \"[0::1]\"} }\n",
	    "1: listener \"a\" has [::1]:110 twice; leave one of them" },
	{ "users = \"$D/nobody\"\n",
	    "1: users file $D/nobody: No such file or directory; malotectl "
	    "user add NAME makes it" },
	{ "mail = \"mbox:/var/mail/%u\"\n",
	    "1: mail = \"mbox:/var/mail/%u\": only Maildir is served yet; "
	    "write \"maildir:PATH\"" },
	{ "mail = \"/var/mail/%u\"\nmail_root = \"$D\"\n",
	    "1: mail = \"/var/mail/%u\" does not say what kind it is; write "
	    "\"maildir:PATH\"" },
	{ "mail = \"maildir:$D/mail/%x\"\nmail_root = \"$D\"\n",
	    "1: mail = \"maildir:$D/mail/%x\": there are %u, %n, %d and %h; "
	    "write for example \"maildir:/srv/mail/%d/%n\"" },
	{ "mail = \"maildir:$D/mail/%u:LAYOUT=fs\"\nmail_root = \"$D\"\n",
	    "1: mail = \"maildir:$D/mail/%u:LAYOUT=fs\": there are no options "
	    "after a :, only the path; write for example "
	    "\"maildir:/srv/mail/%d/%n\"" },
	{ "mail = \"maildir:mail/%u\"\nmail_root = \"$D\"\n",
	    "1: mail = \"maildir:mail/%u\": the path must begin with /, ~ or "
	    "%h; write for example \"maildir:/srv/mail/%d/%n\"" },
	{ "mail = \"maildir:$D/none/%u\"\n",
	    "1: mail_root $D/none is not a folder; mount or make it (install "
	    "-d -o USER -m 700 $D/none), or write mail_root = \"FOLDER\" that "
	    "all "
	    "maildrops are in" },
	{ "users = \"/etc/passwd\"\n",
	    "1: /etc/passwd is the system's list of users, whose passwords "
	    "maloted does not take; write users = \"/etc/malote/users\", which "
	    "malotectl user add NAME makes" },
	{ "pop3_uidl_format = \"%q\"\n",
	    "1: pop3_uidl_format \"%q\" makes no unique-id; it is text with "
	    "%u, %v, %f or %g, as in \"%08Xu%08Xv\"" },
	{ "mail_root = \"mail\"\n",
	    "1: mail_root \"mail\" is not absolute; begin it with /" },
	{ "first_uid = 1000\nlast_uid = 999\n",
	    "1: first_uid = 1000 is above last_uid = 999; nobody is "
	    "between" },
	{ "mail_user = \"1\"\nmail_group = 4444\n",
	    "1: only root can become 1:4444; start maloted as root, or leave "
	    "mail_user and mail_group out" },
};

static void
bad_sense_is_named_with_its_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad_sense) / sizeof(bad_sense[0]); i++) {
		assert_int_equal(read_text(bad_sense[i].text, user), E_CONFIG);
		expect_said(bad_sense[i].text, bad_sense[i].said);
	}
}

/* "4001" and so on: numbers that no user of the machine has. */
static const struct row bad_users[] = {
	{ "user = \"_none-such\" auth_user = \"4002\"\n",
	    "1: there is no user _none-such; make it: useradd --system "
	    "--user-group --no-create-home --shell /usr/sbin/nologin "
	    "_none-such (or systemd-sysusers, if malote is installed), or "
	    "write user = \"NAME\"" },
	{ "user = \"4001\" auth_user = \"root\"\n",
	    "1: auth_user = \"root\" is root; write a user who may do "
	    "nothing" },
	{ "user = 4001 auth_user = 4002\nmail_user = \"0\"\n",
	    "2: mail_user = \"0\" is root; write a user who owns the mail and "
	    "nothing else" },
	{ "user = 4001 auth_user = 4002\nmail_user = \"400003\"\n",
	    "2: user 400003 has no group of its own; write mail_group = "
	    "\"GROUP\"" },
	{ "user = 4001 auth_user = 4002\nmail_user = \"_none-such\"\n",
	    "2: there is no user _none-such; make it: useradd --system "
	    "--user-group --no-create-home --shell /usr/sbin/nologin "
	    "_none-such" },
	{ "user = 4001 auth_user = 4002\nmail_user = 400003\n"
	  "mail_group = \"_none-such\"\n",
	    "3: there is no group _none-such; make it: groupadd --system "
	    "_none-such" },
	{ "user = 4001 auth_user = 4002\nmail_group = \"mail\"\n",
	    "2: there is a mail_group but no mail_user; write mail_user = "
	    "\"NAME\"" },
};

static void
bad_users_are_named_when_root_starts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad_users) / sizeof(bad_users[0]); i++) {
		assert_int_equal(read_text(bad_users[i].text, root), E_CONFIG);
		expect_said(bad_users[i].text, bad_users[i].said);
	}
}

#define TRY(more) \
	"listener x {\n\tport = 1110\n\ttls = none\n\tplaintext_login = yes\n" \
	"\tmechanisms = \"PLAIN GSSAPI\"\n" more "}\n"
#define NO_TICKETS \
	"1: warning: there is a keytab, but no listener takes tickets; write " \
	"GSSAPI in mechanisms (without TLS it needs plaintext_gssapi = yes, " \
	"too), or kpop = yes in a listener"

static const struct row warned[] = {
	{ "", "" },
	{ "sasl \"a\" {\n\tsocket = \"$D/a\"\n}\n", "" },
	{ "sasl \"a\" {\n\tsocket = \"$D/a\"\n\tmode = \"0666\"\n}\n",
	    "4: warning: sasl \"a\": every user of this machine may try "
	    "passwords at $D/a, and say which address they come from; write "
	    "mode = \"0660\" and group = \"GROUP\"" },
#ifdef HAVE_KERBEROS
	{ "keytab = \"$D/keytab\"\n", NO_TICKETS },
	{ "keytab = \"$D/keytab\"\n" TRY(""), NO_TICKETS },
	{ "keytab = \"$D/keytab\"\n" TRY("\tplaintext_gssapi = yes\n"), "" },
	{ "keytab = \"$D/keytab\"\n" TRY("\tkpop = yes\n"), "" },
	{ "keytab = \"$D/keytab\"\nmechanisms = \"PLAIN GSSAPI\"\n", "" },
#endif
	{ "idle_timeout = 30\n",
	    "1: warning: idle_timeout = 30 is below the 600 seconds that RFC "
	    "1939 promises clients" },
	{ "login_delay = 3600\n", "" },
	{ "login_delay = 3601\n",
	    "1: warning: login_delay = 3601 refuses people who look for mail "
	    "more than twice in that time; write 3600 or less, and "
	    "malote_login_delay in the users file for who is to wait longer" },
	{ "certificate = \"$D/old-cert\"\nkey = \"$D/old-key\"\n",
	    "1: warning: $D/old-cert: the certificate has expired; clients "
	    "will refuse it: renew it" },
	{ "certificate = \"$D/cert2\"\nkey = \"$D/open-key\"\n",
	    "2: warning: $D/open-key: everybody may read the private key; "
	    "chmod o= $D/open-key" },
	{ "users = \"$D/open-users\"\n",
	    "1: warning: everybody may read the password hashes in "
	    "$D/open-users; chmod o= $D/open-users" },
	{ "mail = \"maildir:$D/mail\"\n",
	    "1: warning: mail = \"maildir:$D/mail\" is the same maildrop for "
	    "every user who has none of their own in the users file; %u "
	    "stands for the user's name" },
	{ "mail = \"maildir:/%u\"\n",
	    "1: warning: mail_root / confines the mail to nothing; write "
	    "mail_root = \"FOLDER\" that all maildrops are in" },
	{ "max_sessions = 1000000\n",
	    "1: warning: max_sessions = 1000000 needs more than the 20000 "
	    "files that may be open; raise the limit (ulimit -n, "
	    "LimitNOFILE=), or write 29872" },
};

#define SASL(more) "sasl \"a\" {\n\tsocket = \"$D/a\"\n" more "\n}\n"
#define USABLE \
	"write some of: SCRAM-SHA-256 SCRAM-SHA-1 OAUTHBEARER XOAUTH2 PLAIN " \
	"LOGIN CRAM-MD5"

static const struct row bad_services[] = {
	{ "sasl \"a\" {\n}\n",
	    "2: sasl \"a\" needs an absolute path for its socket; write for "
	    "example socket = \"/var/spool/postfix/private/auth-malote\"" },
	{ "sasl \"a\" {\n\tsocket = \"$D/none/a\"\n}\n",
	    "3: sasl \"a\": there is no folder $D/none/ for the socket; "
	    "install the mail server first, or write another path" },
	{ SASL("") "sasl \"b\" {\n\tsocket = \"$D/a\"\n}\n",
	    "7: sasl \"b\" is at $D/a, where sasl \"a\" of line 4 is; write "
	    "another path" },
	{ SASL("") "sasl \"b\" {\n\tsocket = \"$D/.//a\"\n}\n",
	    "7: sasl \"b\" is at $D/.//a, where sasl \"a\" of line 4 is; write "
	    "another path" },
	{ "sasl \"a\" {\n\tsocket = \"$D/\"\n}\n",
	    "3: sasl \"a\": $D/ is a folder; write the path of the socket that "
	    "is to be made in it" },
	{ "sasl \"a\" {\n\tsocket = \"$D/key\"\n}\n",
	    "3: sasl \"a\": what is at $D/key is no socket; remove it, or "
	    "write "
	    "another path" },
	{ "sasl \"a\" {\n\tsocket = \"$D/key/a\"\n}\n",
	    "3: sasl \"a\": there is no folder $D/key/ for the socket; install "
	    "the mail server first, or write another path" },
	{ SASL("\tmode = \"0440\""),
	    "4: sasl \"a\": mode = \"0440\" says nothing about who may ask at "
	    "a socket; write 0660, or 0600 or 0666" },
	{ "control_socket = \"$D/a\"\n" SASL(""),
	    "5: sasl \"a\": $D/a is the control socket; write another path" },
	{ LOCAL("x", "") SASL(""),
	    "8: sasl \"a\" is at $D/a, where listener \"x\" is; write another "
	    "path" },
	{ SASL("\tmode = \"0750\""),
	    "4: sasl \"a\": mode = \"0750\" says nothing about who may ask at "
	    "a socket; write 0660, or 0600 or 0666" },
	{ SASL("\tmode = \"rw\""),
	    "4: sasl \"a\": mode = \"rw\" says nothing about who may ask at a "
	    "socket; write 0660, or 0600 or 0666" },
	{ SASL("\tservice = \"pop3\""),
	    "4: sasl \"a\": service = \"pop3\" is no name for what people sign "
	    "in to; write \"smtp\", or other lower-case letters, but not "
	    "\"pop3\"" },
	{ SASL("\tservice = \"a b\""),
	    "4: sasl \"a\": service = \"a b\" is no name for what people sign "
	    "in to; write \"smtp\", or other lower-case letters, but not "
	    "\"pop3\"" },
	{ SASL("\tmechanisms = \"PLAIN SCRAM-SHA-256-PLUS\""),
	    "4: sasl \"a\" cannot have the mechanism "
	    "SCRAM-SHA-256-PLUS; " USABLE },
	{ "anonymous = x\nmechanisms = \"ANONYMOUS\"\n" SASL(""),
	    "6: sasl \"a\" has no mechanism; " USABLE },
	{ SASL("\tgroup = \"no such group\""),
	    "4: sasl \"a\": there is no group no such group; write that of the "
	    "mail server, as postfix or Debian-exim" },
	{ SASL("\tgroup = 1"),
	    "4: sasl \"a\": only root can give a socket to a group; start "
	    "maloted as root, or leave group out" },
	{ SASL("\tuser = x"),
	    "3: user stands within a block sasl; move it out of there" },
};

static void
services_are_complained_about(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad_services) / sizeof(bad_services[0]);
	     i++) {
		assert_int_equal(
		    read_text(bad_services[i].text, user), E_CONFIG);
		expect_said(bad_services[i].text, bad_services[i].said);
	}
}

/* Of the mechanisms of all those that need nothing of the connection. */
static void
services_are_told(void **state)
{
	(void)state;
	assert_int_equal(
	    read_text("login_timeout = 20\nmechanisms = \"SCRAM-SHA-256-PLUS "
		      "SCRAM-SHA-256 plain\"\n" SASL(
			  "") "sasl \"b\" {\n\tsocket = \"$D/b\"\n\tservice = "
			      "sieve\n\tmechanisms = \"login cram-md5 Login\"\n"
			      "\tplaintext_login = yes\n\tmode = \"600\"\n}\n",
		user),
	    E_OK);
	assert_int_equal(conf.sasl.role.n, 1);
	assert_int_equal(conf.sasl.n_services, 2);
	assert_int_equal(conf.auth.n_services, 2);
	assert_int_equal(conf.sasl.login_timeout, 20);
	assert_string_equal(
	    conf.sasl.service[0].mechanisms, "SCRAM-SHA-256 PLAIN");
	assert_string_equal(conf.sasl.service[1].mechanisms, "LOGIN CRAM-MD5");
	assert_string_equal(conf.auth.service[0].name, "smtp");
	assert_string_equal(conf.auth.service[1].name, "sieve");
	assert_false(conf.sasl.service[0].plain_passwords);
	assert_true(conf.sasl.service[1].plain_passwords);
	assert_int_equal(conf.service[0].mode_bits, 0660);
	assert_int_equal(conf.service[1].mode_bits, 0600);
	assert_int_equal(conf.service[0].gid, AUTH_NO_UID);
	assert_int_equal(read_text("", user), E_OK);
	assert_int_equal(conf.sasl.role.n, 0);
}

static void
warnings_do_not_stop_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(warned) / sizeof(warned[0]); i++) {
		assert_int_equal(read_text(warned[i].text, user), E_OK);
		expect_said(warned[i].text, warned[i].said);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_text_is_named_with_its_line),
		cmocka_unit_test(bad_sense_is_named_with_its_line),
		cmocka_unit_test(bad_users_are_named_when_root_starts),
		cmocka_unit_test(services_are_complained_about),
		cmocka_unit_test(services_are_told),
		cmocka_unit_test(warnings_do_not_stop_it),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, make_files, remove_files);
}
