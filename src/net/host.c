#include "net/host.h"

#include <arpa/inet.h>
#include <idn2.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

#include "base/i18n.h"
#include "base/str.h"

enum { LABEL_MAX = 63, NAME_MAX_OCTETS = 253 };

static bool
zone_index(uint32_t *v_r, const char *zone)
{
	struct slice s = { zone, strlen(zone) };

	*v_r = if_nametoindex(zone);
	return *v_r != 0 || (str_to_u32(s, v_r) && *v_r != 0);
}

bool
host_canonical(char out[HOST_MAX], const char *host)
{
	char ascii[HOST_MAX];
	size_t n;

	if (host_ascii(ascii, host, NULL) != E_OK)
		return false;
	n = strlen(ascii);
	if (n != 0 && ascii[n - 1] == '.')
		n--;
	for (size_t i = 0; i < n; i++)
		out[i] = str_lower1(ascii[i]);
	out[n] = '\0';
	return n != 0;
}

bool
host_address(struct sockaddr_storage *a_r, const char *host)
{
	struct sockaddr_in *in4 = (void *)a_r;
	struct sockaddr_in6 *in6 = (void *)a_r;
	char text[INET6_ADDRSTRLEN];
	size_t n = strcspn(host, "%");

	memset(a_r, 0, sizeof(*a_r));
	if (inet_pton(AF_INET, host, &in4->sin_addr) == 1) {
		in4->sin_family = AF_INET;
		return true;
	}
	if (n >= sizeof(text))
		return false;
	memcpy(text, host, n);
	text[n] = '\0';
	if (inet_pton(AF_INET6, text, &in6->sin6_addr) != 1 ||
	    (host[n] == '%' && !zone_index(&in6->sin6_scope_id, host + n + 1)))
		return false;
	in6->sin6_family = AF_INET6;
	return true;
}

static bool
is_label_octet(char c)
{
	c = str_lower1(c);
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
	       c == '_';
}

/* Labels of 1 to 63 octets; a dot may end the name, none begins it. */
static bool
is_name(const char *s)
{
	size_t n = strlen(s), label = 0;

	if (n > 1 && s[n - 1] == '.')
		n--;
	if (n == 0 || n > NAME_MAX_OCTETS)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '.' && label == 0)
			return false;
		if (s[i] != '.' && !is_label_octet(s[i]))
			return false;
		label = s[i] == '.' ? 0 : label + 1;
		if (label > LABEL_MAX)
			return false;
	}
	return label > 0;
}

static bool
is_ascii(const char *s)
{
	while (*s != '\0' && (unsigned char)*s < 0x80)
		s++;
	return *s == '\0';
}

enum err
host_ascii(char out[HOST_MAX], const char *host, struct errbuf *eb)
{
	const char *text = host;
	struct sockaddr_storage a;
	char *made = NULL, shown[64];
	bool good = true;

	if (!is_ascii(host)) {
		good = str_is_utf8(host, strlen(host)) &&
		       idn2_to_ascii_8z(host, &made,
			   IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) == IDN2_OK;
		text = made;
	}
	good = good && strlen(text) < HOST_MAX &&
	       (host_address(&a, text) || is_name(text));
	if (good)
		memcpy(out, text, strlen(text) + 1);
	idn2_free(made);
	if (good)
		return E_OK;
	str_quote(shown, sizeof(shown), host, strlen(host));
	return err_set(
	    eb, E_CONFIG, _("\"%s\" is not a name of a computer"), shown);
}
