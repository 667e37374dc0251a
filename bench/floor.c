/*
 * floor - the least that the answers of a POP3 server cost.
 *
 *	floor [-p PROCESSES] [-t TLS_PORT -c CERTIFICATE -k KEY]
 *	    PORT USER=MAILDIR...
 *
 * One thread, or several processes of one thread each; epoll; and no checks:
 * any password opens the maildrop, DELE does nothing, there are no log, no lock
 * and no time limit, and an input that no honest client sends ends the session.
 * Sizes, unique-ids and the replies to LIST and UIDL are made once, at the
 * start; messages are numbered by their names.  What is left is the cost of the
 * kernel and of OpenSSL: for a session accept, epoll_ctl, a receive and a send
 * for each turn, close; for a message open, read, conversion, close and its
 * share of a send.
 *
 * It is no server to use: it is what servers are measured against.  Listens on
 * 127.0.0.1 and says "ready".
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <search.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	PIECE = 64 * 1024,       /* read at a time, and sent at a time */
	OUT = 4 * PIECE,         /* a piece doubles at most */
	TEXT_PIECE = 256 * 1024, /* of LIST and UIDL, sent at a time */
	LINES_ALL = INT32_MAX,
	UID_MAX = 70,
};

struct message {
	char *file; /* "cur/..." */
	int uid_len;
	uint64_t stored, wire;
};

struct text {
	char *p;
	size_t n;
};

struct maildrop {
	const char *path;
	struct message *v;
	uint32_t n;
	uint64_t octets;
	struct text list, uidl; /* whole replies */
};

struct session {
	int fd;
	SSL *ssl;
	const struct maildrop *drop;
	char in[1024];
	size_t in_len;
	struct text left; /* what the socket did not take, from left_off on */
	size_t left_off;
	const char *text; /* what is left of LIST or UIDL */
	size_t text_len;
	int dir;         /* of the Maildir, -1 until the first message */
	int file;        /* the message being sent, or -1 */
	uint64_t unread; /* octets of it */
	int32_t lines;   /* of its body that are wanted */
	bool body;       /* its header has been sent */
	char last;       /* octet of it */
	bool greeted, closing, dead, blocked;
};

/* What epoll gives for the listening sockets, in the place of a session. */
static struct session plain_listener, tls_listener;

static SSL_CTX *tls;
static BIO *sealer;
static int ep;

/* Buffers of the session that is served now. */
static char piece[PIECE], out[OUT], sealed[2 * OUT];
static size_t out_len, sealed_len;

/* ---- conversion ---- */

/* Converts one line: n octets with its LF, if it has one, that follow
 * `last`. */
static char *
put_line(char *to, char last, const char *line, size_t n)
{
	bool whole = line[n - 1] == '\n';
	size_t text = whole ? n - 1 : n;

	if (last == '\n' && line[0] == '.')
		*to++ = '.';
	memcpy(to, line, text);
	to += text;
	if (whole) {
		if ((text > 0 ? line[text - 1] : last) != '\r')
			*to++ = '\r';
		*to++ = '\n';
	}
	return to;
}

/* Converts a piece; false once TOP has all that it wants. */
static bool
convert(struct session *s, const char *in, size_t n)
{
	const char *end = in + n, *lf;
	char *to = out + out_len;
	bool more = true;

	while (in < end && more) {
		lf = memchr(in, '\n', (size_t)(end - in));
		n = (size_t)((lf != NULL ? lf + 1 : end) - in);
		if (s->lines != LINES_ALL) {
			if (s->body && s->lines == 0)
				break;
			if (s->body && lf != NULL)
				s->lines--;
			else if (s->last == '\n' && lf != NULL && n <= 2 &&
				 (n == 1 || in[0] == '\r'))
				s->body = true;
			more = !s->body || s->lines > 0;
		}
		to = put_line(to, s->last, in, n);
		s->last = in[n - 1];
		in += n;
	}
	out_len = (size_t)(to - out);
	return more;
}

static void
put(const char *p, size_t n)
{
	memcpy(out + out_len, p, n);
	out_len += n;
}

static void
say(const char *line)
{
	put(line, strlen(line));
}

/* Reads and converts the next piece of the message. */
static void
send_piece(struct session *s)
{
	ssize_t n = 0;

	if (s->unread > 0)
		n = read(s->file, piece, sizeof(piece));
	if (n < 0)
		err(1, "reading a message");
	s->unread -= (uint64_t)n < s->unread ? (uint64_t)n : s->unread;
	if (n > 0 && convert(s, piece, (size_t)n) && s->unread > 0)
		return;
	close(s->file);
	s->file = -1;
	say(s->last == '\n' ? ".\r\n" : "\r\n.\r\n");
}

/* ---- sending ---- */

static void
session_free(struct session *s)
{
	SSL_free(s->ssl);
	if (s->dir >= 0)
		close(s->dir);
	if (s->file >= 0)
		close(s->file);
	close(s->fd);
	free(s->left.p);
	free(s);
}

/* Returns how many octets the socket took, 0 to n. */
static size_t
offer(struct session *s, const char *p, size_t n)
{
	ssize_t took = send(s->fd, p, n, MSG_NOSIGNAL);

	if (took < 0 && errno != EAGAIN)
		s->dead = true;
	return took < 0 ? 0 : (size_t)took;
}

/* Sends, and keeps what the socket does not take. */
static void
deliver(struct session *s, const char *p, size_t n)
{
	size_t took = offer(s, p, n);

	if (took == n)
		return;
	s->left.n = n - took;
	s->left.p = malloc(s->left.n);
	if (s->left.p == NULL)
		err(1, "memory");
	memcpy(s->left.p, p + took, s->left.n);
	s->left_off = 0;
}

/* Gathers what OpenSSL writes, so that it leaves in one send. */
static int
seal(BIO *bio, const char *p, int n)
{
	(void)bio;
	if ((size_t)n > sizeof(sealed) - sealed_len)
		errx(1, "TLS records larger than thought");
	memcpy(sealed + sealed_len, p, (size_t)n);
	sealed_len += (size_t)n;
	return n;
}

static long
seal_control(BIO *bio, int what, long n, void *p)
{
	(void)bio;
	(void)n;
	(void)p;
	return what == BIO_CTRL_FLUSH;
}

static void
deliver_sealed(struct session *s)
{
	if (sealed_len > 0)
		deliver(s, sealed, sealed_len);
	sealed_len = 0;
}

/* Sends all that this turn has made, in one send. */
static void
flush(struct session *s)
{
	if (s->ssl == NULL) {
		if (out_len > 0)
			deliver(s, out, out_len);
	} else {
		if (out_len > 0)
			SSL_write(s->ssl, out, (int)out_len);
		if (s->closing)
			SSL_shutdown(s->ssl);
		deliver_sealed(s);
	}
	out_len = 0;
}

/* Sends what the socket did not take before; false if some is still left. */
static bool
unload(struct session *s)
{
	if (s->left.n == 0)
		return true;
	size_t took = offer(s, s->left.p + s->left_off, s->left.n);

	s->left_off += took;
	s->left.n -= took;
	if (s->left.n > 0)
		return false;
	free(s->left.p);
	s->left.p = NULL;
	return true;
}

/* Sends LIST and UIDL from where they lie; false if the socket is full. */
static bool
send_text(struct session *s)
{
	size_t n = s->text_len < TEXT_PIECE ? s->text_len : TEXT_PIECE;

	if (s->ssl != NULL) {
		SSL_write(s->ssl, s->text, (int)n);
		deliver_sealed(s);
	} else {
		n = offer(s, s->text, n);
	}
	s->text += n;
	s->text_len -= n;
	return n > 0;
}

/* ---- commands ---- */

static struct maildrop *
find_user(char *name)
{
	ENTRY *found = hsearch((ENTRY){ name, NULL }, FIND);

	return found == NULL ? NULL : found->data;
}

static const struct message *
message(const struct session *s, const char *line)
{
	unsigned long number = strtoul(line + 4, NULL, 10);

	if (s->drop == NULL || number == 0 || number > s->drop->n)
		return NULL;
	return &s->drop->v[number - 1];
}

static void
begin_message(struct session *s, const struct message *m, int32_t lines)
{
	if (s->dir < 0)
		s->dir = open(s->drop->path, O_PATH | O_DIRECTORY);
	s->file = openat(s->dir, m->file, O_RDONLY);
	if (s->file < 0)
		err(1, "%s/%s", s->drop->path, m->file);
	s->unread = m->stored;
	s->lines = lines;
	s->body = false;
	s->last = '\n';
	out_len += (size_t)sprintf(
	    out + out_len, "+OK %llu octets\r\n", (unsigned long long)m->wire);
}

static void
begin_tls(struct session *s)
{
	if ((s->ssl = SSL_new(tls)) == NULL)
		errx(1, "memory");
	BIO_up_ref(sealer);
	SSL_set_bio(s->ssl, BIO_new_socket(s->fd, BIO_NOCLOSE), sealer);
	SSL_set_accept_state(s->ssl);
}

static void
listing(struct session *s, const struct text *all, char *line, bool uidl)
{
	const struct message *m = message(s, line);

	if (m == NULL) {
		s->text = all->p;
		s->text_len = all->n;
	} else if (uidl) {
		out_len += (size_t)sprintf(out + out_len, "+OK %s %.*s\r\n",
		    line + 5, m->uid_len, m->file + 4);
	} else {
		out_len += (size_t)sprintf(out + out_len, "+OK %s %llu\r\n",
		    line + 5, (unsigned long long)m->wire);
	}
}

static bool
is(const char *line, const char *verb)
{
	return strncasecmp(line, verb, 4) == 0;
}

/* A command before the maildrop is open; false if it makes no sense. */
static bool
sign_in(struct session *s, char *line)
{
	if (is(line, "USER"))
		s->drop = find_user(line + 5);
	else if (is(line, "STLS") && tls != NULL)
		say("+OK\r\n");
	else
		return false;
	if (is(line, "STLS")) {
		flush(s);
		begin_tls(s);
	} else {
		say(s->drop != NULL ? "+OK\r\n" : "-ERR\r\n");
	}
	return true;
}

/* A command after that; false if it makes no sense. */
static bool
command(struct session *s, char *line)
{
	const struct message *m;

	if (is(line, "RETR") && (m = message(s, line)) != NULL) {
		begin_message(s, m, LINES_ALL);
	} else if (is(line, "TOP ") && (m = message(s, line)) != NULL) {
		char *lines = strrchr(line, ' ');
		begin_message(s, m, (int32_t)strtoul(lines, NULL, 10));
	} else if (is(line, "PASS") || is(line, "DELE") || is(line, "NOOP") ||
		   is(line, "RSET")) {
		say("+OK\r\n");
	} else if (is(line, "STAT") && s->drop != NULL) {
		out_len += (size_t)sprintf(out + out_len, "+OK %u %llu\r\n",
		    s->drop->n, (unsigned long long)s->drop->octets);
	} else if (is(line, "LIST") && s->drop != NULL) {
		listing(s, &s->drop->list, line, false);
	} else if (is(line, "UIDL") && s->drop != NULL) {
		listing(s, &s->drop->uidl, line, true);
	} else if (is(line, "QUIT")) {
		say("+OK\r\n");
		s->closing = true;
	} else if (is(line, "CAPA")) {
		say("+OK\r\nTOP\r\nUIDL\r\nUSER\r\nPIPELINING\r\n");
		say(tls != NULL && s->ssl == NULL ? "STLS\r\n.\r\n" : ".\r\n");
	} else {
		return sign_in(s, line);
	}
	return true;
}

/* Cuts the first line off the input; false if there is none. */
static bool
next_line(struct session *s, char *line)
{
	char *lf = memchr(s->in, '\n', s->in_len);
	size_t n;

	if (lf == NULL)
		return false;
	n = (size_t)(lf - s->in);
	memcpy(line, s->in, n);
	line[n > 0 && line[n - 1] == '\r' ? n - 1 : n] = '\0';
	s->in_len -= n + 1;
	memmove(s->in, lf + 1, s->in_len);
	return true;
}

/* ---- sessions ---- */

/* Answers all that can be answered; false if the socket is full. */
static bool
answer(struct session *s)
{
	char line[sizeof(s->in)];

	while (unload(s)) {
		if (out_len >= PIECE || (s->text_len > 0 && out_len > 0))
			flush(s);
		else if (s->text_len > 0 && !send_text(s))
			return false;
		else if (s->text_len > 0)
			continue;
		else if (s->file >= 0)
			send_piece(s);
		else if (!s->closing && next_line(s, line))
			s->closing |= !command(s, line);
		else if (out_len > 0)
			flush(s);
		else
			return true;
	}
	return false;
}

static void
watch(struct session *s, bool blocked)
{
	struct epoll_event ev = { .data.ptr = s,
		.events = blocked ? EPOLLOUT : EPOLLIN };

	if (s->blocked != blocked)
		epoll_ctl(ep, EPOLL_CTL_MOD, s->fd, &ev);
	s->blocked = blocked;
}

/* Answers, and frees the session if it is over; false if no more is to be read
 * now. */
static bool
go_on(struct session *s)
{
	bool all;

	out_len = 0;
	all = answer(s);
	if (s->dead || (s->closing && all)) {
		session_free(s);
		return false;
	}
	watch(s, !all);
	return all;
}

/* Once the handshake is done, says the greeting with what ends it; true if
 * there may be something to read already. */
static bool
shake_hands(struct session *s)
{
	int r = SSL_do_handshake(s->ssl);

	if (r != 1) {
		s->dead = SSL_get_error(s->ssl, r) != SSL_ERROR_WANT_READ;
		deliver_sealed(s);
		return false;
	}
	if (!s->greeted)
		say("+OK floor\r\n");
	s->greeted = true;
	flush(s);
	return SSL_has_pending(s->ssl);
}

/* Takes what has come in; false if there was nothing. */
static bool
take(struct session *s)
{
	char *to = s->in + s->in_len;
	ssize_t n;

	if (s->in_len == sizeof(s->in)) {
		s->dead = true;
		return false;
	}
	if (s->ssl == NULL) {
		n = recv(s->fd, to, sizeof(s->in) - s->in_len, 0);
		s->dead |= n == 0 || (n < 0 && errno != EAGAIN);
	} else {
		if (!SSL_is_init_finished(s->ssl) && !shake_hands(s))
			return false;
		n = SSL_read(s->ssl, to, (int)(sizeof(s->in) - s->in_len));
		s->dead |= n <= 0 &&
			   SSL_get_error(s->ssl, (int)n) != SSL_ERROR_WANT_READ;
	}
	s->in_len += n > 0 ? (size_t)n : 0;
	return n > 0;
}

static void
ready(struct session *s)
{
	bool some;

	if (s->blocked && !go_on(s))
		return;
	do {
		out_len = 0;
		some = take(s);
		if (s->dead) {
			session_free(s);
			return;
		}
		if ((some || s->left.n > 0) && !go_on(s))
			return;
	} while (some && s->ssl != NULL && SSL_has_pending(s->ssl));
}

static void
welcome(const struct session *listener)
{
	struct epoll_event ev = { .events = EPOLLIN };
	struct session *s;
	int fd =
	    accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return;
	if ((s = calloc(1, sizeof(*s))) == NULL)
		err(1, "memory");
	s->fd = fd;
	s->dir = s->file = -1;
	ev.data.ptr = s;
	epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
	if (listener == &tls_listener)
		begin_tls(s);
	else
		offer(s, "+OK floor\r\n", 11);
	s->greeted = s->ssl == NULL;
}

/* ---- the start ---- */

static int
by_name(const void *a, const void *b)
{
	const struct message *v = a, *w = b;

	return strcmp(v->file + 4, w->file + 4);
}

static void
scan(struct maildrop *d, int dir, const char *sub)
{
	struct dirent *entry;
	int fd = openat(dir, sub, O_RDONLY | O_DIRECTORY);
	DIR *names = fd < 0 ? NULL : fdopendir(fd);
	struct message *m;

	if (names == NULL)
		err(1, "%s/%s", d->path, sub);
	while ((entry = readdir(names)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		if ((d->n & (d->n - 1)) == 0)
			d->v = reallocarray(
			    d->v, d->n > 0 ? 2 * d->n : 1, sizeof(*d->v));
		m = &d->v[d->n++];
		*m = (struct message){ .uid_len =
					   (int)strcspn(entry->d_name, ":") };
		if (m->uid_len > UID_MAX)
			m->uid_len = UID_MAX;
		if (asprintf(&m->file, "%s/%s", sub, entry->d_name) < 0)
			err(1, "memory");
	}
	closedir(names);
}

static void
measure(struct message *m, int dir)
{
	struct session s = { .last = '\n', .lines = LINES_ALL };
	int fd = openat(dir, m->file, O_RDONLY);
	uint64_t dots = 0;
	ssize_t n;

	if (fd < 0)
		err(1, "%s", m->file);
	while ((n = read(fd, piece, sizeof(piece))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			dots += piece[i] == '.' &&
				(i > 0 ? piece[i - 1] : s.last) == '\n';
		out_len = 0;
		convert(&s, piece, (size_t)n);
		m->stored += (uint64_t)n;
		m->wire += out_len;
	}
	close(fd);
	m->wire -= dots;
	m->wire += s.last == '\n' ? 0 : 2;
}

static void
write_listings(struct maildrop *d)
{
	FILE *list = open_memstream(&d->list.p, &d->list.n);
	FILE *uidl = open_memstream(&d->uidl.p, &d->uidl.n);

	if (list == NULL || uidl == NULL)
		err(1, "memory");
	fputs("+OK\r\n", list);
	fputs("+OK\r\n", uidl);
	for (uint32_t i = 0; i < d->n; i++) {
		struct message *m = &d->v[i];

		fprintf(
		    list, "%u %llu\r\n", i + 1, (unsigned long long)m->wire);
		fprintf(uidl, "%u %.*s\r\n", i + 1, m->uid_len, m->file + 4);
	}
	fputs(".\r\n", list);
	fputs(".\r\n", uidl);
	fclose(list);
	fclose(uidl);
}

/* word: USER=MAILDIR */
static void
add_user(char *word)
{
	struct maildrop *d = calloc(1, sizeof(*d));
	char *path = strchr(word, '=');
	int dir;

	if (path == NULL || d == NULL)
		errx(1, "no user: %s", word);
	*path++ = '\0';
	d->path = path;
	if ((dir = open(path, O_PATH | O_DIRECTORY)) < 0)
		err(1, "%s", path);
	scan(d, dir, "new");
	scan(d, dir, "cur");
	if (d->n > 0)
		qsort(d->v, d->n, sizeof(*d->v), by_name);
	for (uint32_t i = 0; i < d->n; i++) {
		measure(&d->v[i], dir);
		d->octets += d->v[i].wire;
	}
	close(dir);
	write_listings(d);
	if (hsearch((ENTRY){ word, d }, ENTER) == NULL)
		err(1, "users");
}

static void
start_tls(const char *certificate, const char *key)
{
	BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "sealer");

	BIO_meth_set_write(method, seal);
	BIO_meth_set_ctrl(method, seal_control);
	sealer = BIO_new(method);
	BIO_set_init(sealer, 1);
	tls = SSL_CTX_new(TLS_server_method());
	if (tls == NULL ||
	    SSL_CTX_use_certificate_chain_file(tls, certificate) != 1 ||
	    SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1)
		errx(1, "TLS: %s, %s", certificate, key);
	SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(tls, 1);
	SSL_CTX_set_read_ahead(tls, 1);
}

static void
start_listener(struct session *listener, const char *port)
{
	struct sockaddr_in name = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	/* Accepted sockets inherit it. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&name, sizeof(name)) < 0 ||
	    listen(fd, SOMAXCONN) < 0)
		err(1, "port %s", port);
	listener->fd = fd;
}

static void
watch_listener(struct session *listener)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLEXCLUSIVE,
		.data.ptr = listener };

	if (listener->fd > 0 &&
	    epoll_ctl(ep, EPOLL_CTL_ADD, listener->fd, &ev) < 0)
		err(1, "epoll_ctl");
}

/* Returns how many processes there shall be. */
static unsigned long
start(int argc, char **argv)
{
	unsigned long processes = 1;
	const char *tls_port = NULL, *certificate = NULL, *key = NULL;
	struct rlimit files;
	int o;

	while ((o = getopt(argc, argv, "p:t:c:k:")) != -1) {
		switch (o) {
		case 'p': processes = strtoul(optarg, NULL, 10); break;
		case 't': tls_port = optarg; break;
		case 'c': certificate = optarg; break;
		case 'k': key = optarg; break;
		default: errx(2, "usage: see the head of floor.c");
		}
	}
	if (optind == argc || (certificate == NULL) != (key == NULL) ||
	    (tls_port != NULL && key == NULL))
		errx(2, "usage: see the head of floor.c");
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	if (hcreate(2 * (size_t)argc) == 0)
		err(1, "start");
	for (int i = optind + 1; i < argc; i++)
		add_user(argv[i]);
	if (certificate != NULL)
		start_tls(certificate, key);
	start_listener(&plain_listener, argv[optind]);
	if (tls_port != NULL)
		start_listener(&tls_listener, tls_port);
	return processes;
}

int
main(int argc, char **argv)
{
	struct epoll_event evs[64];
	unsigned long processes;
	int n;

	processes = start(argc, argv);
	puts("ready");
	fflush(stdout);
	while (processes > 1 && fork() > 0)
		processes--;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if ((ep = epoll_create1(0)) < 0)
		err(1, "epoll_create");
	watch_listener(&plain_listener);
	watch_listener(&tls_listener);
	while ((n = epoll_wait(ep, evs, 64, -1)) >= 0 || errno == EINTR) {
		for (int i = 0; i < n; i++) {
			struct session *s = evs[i].data.ptr;

			if (s == &plain_listener || s == &tls_listener)
				welcome(s);
			else
				ready(s);
		}
	}
	err(1, "epoll_wait");
}
