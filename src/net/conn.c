#include "net/conn.h"

#include <errno.h>
#include <linux/sockios.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* At most so much waits to be sent: the records of one write, and some more. */
enum { SEALED_MAX = 208 * 1024 };

/* What sealing adds at most: a record's head and tail are 22 to 37 octets, and
 * it takes up to 16 KB. */
enum { RECORD = 16 * 1024, RECORD_MORE = 64 };

void
conn_init(struct conn *c, int fd)
{
	memset(c, 0, sizeof(*c));
	c->fd = fd;
	buf_init(&c->sealed, SEALED_MAX, false);
}

/* ---- the socket ---- */

static enum err
sock_read(struct conn *c, char *p, size_t n, size_t *n_r)
{
	ssize_t r;

	*n_r = 0;
	do {
		r = recv(c->fd, p, n, MSG_DONTWAIT);
	} while (r < 0 && errno == EINTR);
	if (r > 0) {
		*n_r = (size_t)r;
		return E_OK;
	}
	if (r < 0 && errno == EAGAIN)
		return E_AGAIN;
	c->ended = true;
	c->broken |= r < 0;
	return r == 0 ? E_CLOSED : E_IO;
}

static enum err
sock_write(struct conn *c, const char *p, size_t n, size_t *n_r)
{
	ssize_t r;

	*n_r = 0;
	do {
		r = send(c->fd, p, n,
		    MSG_NOSIGNAL | MSG_DONTWAIT | (c->last ? MSG_MORE : 0));
	} while (r < 0 && errno == EINTR);
	if (r >= 0) {
		*n_r = (size_t)r;
		c->blocked = (size_t)r < n;
		return E_OK;
	}
	if (errno == EAGAIN) {
		c->blocked = true;
		return E_AGAIN;
	}
	c->broken = true;
	return E_IO;
}

/* ---- OpenSSL's view of it ---- */

static int
bio_read(BIO *b, char *p, size_t n, size_t *n_r)
{
	struct conn *c = BIO_get_data(b);
	enum err e = sock_read(c, p, n, n_r);

	BIO_clear_retry_flags(b);
	if (e == E_AGAIN)
		BIO_set_retry_read(b);
	return e == E_OK;
}

static int
bio_write(BIO *b, const char *p, size_t n, size_t *n_r)
{
	struct conn *c = BIO_get_data(b);
	enum err e = buf_put(&c->sealed, p, n);

	BIO_clear_retry_flags(b);
	*n_r = e == E_OK ? n : 0;
	if (e == E_FULL)
		BIO_set_retry_write(b);
	return e == E_OK;
}

static long
bio_ctrl(BIO *b, int cmd, long num, void *ptr)
{
	struct conn *c = BIO_get_data(b);

	switch (cmd) {
	case BIO_CTRL_FLUSH: return 1;
	case BIO_CTRL_EOF: return c->ended;
	default: return 0;
	}
}

static BIO_METHOD *
bio_method(void)
{
	static BIO_METHOD *m;

	if (m == NULL &&
	    (m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK,
		 "malote")) != NULL) {
		BIO_meth_set_read_ex(m, bio_read);
		BIO_meth_set_write_ex(m, bio_write);
		BIO_meth_set_ctrl(m, bio_ctrl);
	}
	return m;
}

enum err
conn_attach_tls(struct conn *c, SSL_CTX *ctx)
{
	BIO_METHOD *m = bio_method();
	BIO *bio;

	if (m == NULL || (bio = BIO_new(m)) == NULL)
		return E_NOMEM;
	BIO_set_data(bio, c);
	BIO_set_init(bio, 1);
	if ((c->ssl = SSL_new(ctx)) == NULL) {
		BIO_free(bio);
		return E_NOMEM;
	}
	SSL_set_bio(c->ssl, bio, bio);
	return E_OK;
}

enum err
conn_start_tls(struct conn *c, SSL_CTX *ctx)
{
	enum err e = conn_attach_tls(c, ctx);

	if (e == E_OK)
		SSL_set_accept_state(c->ssl);
	return e;
}

/* What an operation of OpenSSL ended with; r is what it returned. */
static enum err
ssl_outcome(struct conn *c, int r)
{
	switch (SSL_get_error(c->ssl, r)) {
	case SSL_ERROR_NONE: return E_OK;
	case SSL_ERROR_WANT_READ: return E_AGAIN;
	case SSL_ERROR_WANT_WRITE: c->blocked = true; return E_AGAIN;
	case SSL_ERROR_ZERO_RETURN: c->ended = true; return E_CLOSED;
	default:
		/* An end without close_notify counts as broken, too: the
		 * stream may have been cut. */
		c->broken = true;
		return E_IO;
	}
}

enum err
conn_handshake(struct conn *c)
{
	enum err e, f;

	ERR_clear_error();
	e = ssl_outcome(c, SSL_do_handshake(c->ssl));
	/* A server does not send its last flight yet: the greeting comes next,
	 * and both leave in one write. */
	if (e == E_OK && SSL_is_server(c->ssl))
		return E_OK;
	f = conn_flush(c);
	if (e == E_OK)
		return f;
	return e == E_AGAIN && f == E_IO ? E_IO : e;
}

enum err
conn_read(struct conn *c, char *p, size_t n, size_t *n_r)
{
	*n_r = 0;
	if (c->ssl == NULL)
		return sock_read(c, p, n, n_r);
	ERR_clear_error();
	return ssl_outcome(c, SSL_read_ex(c->ssl, p, n, n_r));
}

enum err
conn_flush(struct conn *c)
{
	enum err e = E_OK;
	size_t n;

	while (c->sealed.len != 0 && e == E_OK) {
		e = sock_write(c, buf_data(&c->sealed), c->sealed.len, &n);
		buf_consume(&c->sealed, n);
	}
	if (c->sealed.len == 0) {
		c->blocked = false;
		buf_trim(&c->sealed);
	}
	return e;
}

enum err
conn_write(struct conn *c, const char *p, size_t n, size_t *n_r)
{
	size_t one;
	enum err e;

	*n_r = 0;
	if (c->ssl == NULL)
		return sock_write(c, p, n, n_r);
	/* What is under way goes first, so that it stays bounded. */
	if (c->blocked && (e = conn_flush(c)) != E_OK)
		return e;
	/* Room for all records at once.  If there is no memory for it, fewer of
	 * them are made. */
	(void)!buf_room(&c->sealed, n + (n / RECORD + 1) * RECORD_MORE);
	ERR_clear_error();
	while (*n_r < n) {
		e = ssl_outcome(
		    c, SSL_write_ex(c->ssl, p + *n_r, n - *n_r, &one));
		if (e != E_OK)
			return *n_r != 0 && e == E_AGAIN ? E_OK : e;
		*n_r += one;
	}
	return E_OK;
}

enum err
conn_delivered(const struct conn *c)
{
	int unsent;
	char octet;

	if (c->broken || ioctl(c->fd, SIOCOUTQ, &unsent) < 0 ||
	    (recv(c->fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
		errno != EAGAIN && errno != EINTR))
		return E_IO;
	return c->sealed.len == 0 && unsent == 0 ? E_OK : E_AGAIN;
}

bool
conn_is_pending(const struct conn *c)
{
	char octet;
	ssize_t r = recv(c->fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT);

	return r >= 0 || errno != EAGAIN;
}

bool
conn_is_buffered(const struct conn *c)
{
	return c->ssl != NULL && SSL_has_pending(c->ssl) == 1;
}

void
conn_finish(struct conn *c)
{
	if (c->ssl == NULL || c->finished || c->broken ||
	    !SSL_is_init_finished(c->ssl))
		return;
	c->finished = true;
	ERR_clear_error();
	(void)(SSL_shutdown(c->ssl) < 0); /* without room: no close_notify */
}

int
conn_leave(struct conn *c)
{
	int fd = c->fd;

	if (c->ssl != NULL) {
		conn_finish(c);
		if (!c->broken && conn_flush(c) != E_OK)
			c->broken = true;
		SSL_free(c->ssl);
		c->ssl = NULL;
	}
	buf_free(&c->sealed);
	c->fd = -1;
	return fd;
}

void
conn_close(struct conn *c)
{
	close(conn_leave(c));
}

bool
conn_is_bindable(const struct conn *c)
{
	return c->ssl != NULL && (SSL_version(c->ssl) >= TLS1_3_VERSION ||
				     SSL_get_extms_support(c->ssl) == 1);
}

const char *
conn_tls_version(const struct conn *c)
{
	return c->ssl != NULL ? SSL_get_version(c->ssl) : "none";
}

const char *
conn_tls_cipher(const struct conn *c)
{
	return c->ssl != NULL ? SSL_get_cipher_name(c->ssl) : "none";
}

const char *
conn_tls_error(void)
{
	const char *why = ERR_reason_error_string(ERR_peek_last_error());

	return why != NULL ? why : "connection lost";
}
