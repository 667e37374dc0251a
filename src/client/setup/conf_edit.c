#include "client/setup/conf_edit.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "base/i18n.h"
#include "base/slurp.h"
#include "client/conf/client_conf.h"
#include "client/state/state.h"
#include "conf/text.h"

enum { LOCK_TRIES = 30, LOCK_PAUSE_MS = 100, TEXT_MAX = 1024 * 1024 };

#define BLANKS "\t\r\n "
#define BOM    "\xef\xbb\xbf"
#define ACL    "system.posix_acl_access"

static enum err
no_memory(struct errbuf *eb)
{
	return err_set(eb, E_NOMEM, "%s", _("out of memory"));
}

static void
wipe(char *text, size_t n)
{
	if (text != NULL)
		explicit_bzero(text, n);
	free(text);
}

/* ---- text without comments ---- */

struct complaint {
	struct errbuf *eb;
	bool said;
};

/* The first one is enough. */
static void
hear(void *arg, const char *line)
{
	struct complaint *c = arg;

	if (!c->said)
		err_set(c->eb, E_CONFIG, "%s", line);
	c->said = true;
}

/* *bare_r is the caller's. */
static enum err
strip(const struct conf_edit *ed, const char *text, size_t n, char **bare_r,
    struct errbuf *eb)
{
	struct complaint c = { .eb = eb };
	struct conf_report report = { .say = hear, .arg = &c };
	struct conf_text t = { ed->path, &report, .expand = false };
	char *bare = malloc(n + 1);

	if (bare == NULL)
		return no_memory(eb);
	memcpy(bare, text, n + 1);
	if (conf_text_prepare(&t, bare)) {
		*bare_r = bare;
		return E_OK;
	}
	wipe(bare, n);
	return E_CONFIG;
}

/* Takes the text; it is wiped if it is not good. */
static enum err
set_text(struct conf_edit *ed, char *text, size_t n, struct errbuf *eb)
{
	char *bare = NULL;
	enum err e = strip(ed, text, n, &bare, eb);

	if (e != E_OK) {
		wipe(text, n);
		return e;
	}
	wipe(ed->text, ed->n);
	wipe(ed->bare, ed->n);
	ed->text = text;
	ed->bare = bare;
	ed->n = n;
	return E_OK;
}

/* ---- reading ---- */

static enum err
find_folder(const char *path, struct errbuf *eb)
{
	char *copy = strdup(path);
	enum err e = E_NOMEM;

	if (copy == NULL)
		return no_memory(eb);
	e = state_make_folder(dirname(copy), eb);
	free(copy);
	return e;
}

static enum err
resolve(struct conf_edit *ed, const char *path, struct errbuf *eb)
{
	struct stat st;
	enum err e;

	ed->path = realpath(path, NULL);
	/* In a folder of ours it could be replaced all the same. */
	if (ed->path != NULL)
		return faccessat(AT_FDCWD, ed->path, W_OK, AT_EACCESS) == 0
			   ? E_OK
			   : err_sys(eb, E_DENIED, _("cannot write to %s"),
				 ed->path);
	if (errno != ENOENT)
		return err_sys(eb, E_IO, "%s", path);
	if (lstat(path, &st) == 0)
		return err_set(eb, E_DENIED,
		    _("%s is a symbolic link to a file that is not there"),
		    path);
	if ((e = find_folder(path, eb)) != E_OK)
		return e;
	ed->path = strdup(path);
	return ed->path != NULL ? E_OK : no_memory(eb);
}

/* A name that nobody gives to a file of their own. */
static bool
new_path(char out[PATH_MAX], const struct conf_edit *ed)
{
	return snprintf(out, PATH_MAX, "%s.malote-new", ed->path) < PATH_MAX;
}

/* The file that is locked may have got its name, or gone, before it was. */
static bool
is_still(int fd, const char *path)
{
	struct stat of_fd, of_path;

	return fstat(fd, &of_fd) == 0 && lstat(path, &of_path) == 0 &&
	       of_fd.st_dev == of_path.st_dev && of_fd.st_ino == of_path.st_ino;
}

/* One try; *fd_r stays -1 if somebody else has it. */
static enum err
try_lock(const char *new, int *fd_r, struct errbuf *eb)
{
	int fd = open(new, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return err_sys(
		    eb, errno == EACCES ? E_DENIED : E_IO, "%s", new);
	if (flock(fd, LOCK_EX | LOCK_NB) == 0 && is_still(fd, new)) {
		*fd_r = fd;
		return E_OK;
	}
	close(fd);
	return E_OK;
}

static enum err
take_lock(struct conf_edit *ed, struct errbuf *eb)
{
	const struct timespec pause = { 0, LOCK_PAUSE_MS * 1000000L };
	char new[PATH_MAX];
	enum err e = E_OK;

	if (!new_path(new, ed))
		return err_set(eb, E_IO, "%s", _("that path is too long"));
	for (int i = 0; e == E_OK && ed->fd < 0; i++) {
		if (i == LOCK_TRIES)
			return err_set(eb, E_BUSY,
			    _("%s is being changed by another malote; try "
			      "again when that has ended"),
			    ed->path);
		if (i != 0)
			nanosleep(&pause, NULL);
		e = try_lock(new, &ed->fd, eb);
	}
	return e;
}

static enum err
read_text(struct conf_edit *ed, struct errbuf *eb)
{
	struct errbuf why;
	struct slurp in;
	enum err e = slurp(ed->path, TEXT_MAX, &in, &why);
	char *empty;

	if (e == E_OK) {
		ed->exists = true;
		ed->st = in.st;
		return set_text(ed, in.text, in.n, eb);
	}
	if (e != E_NOENT)
		return err_set(eb, e, "%s: %s", ed->path, why.text);
	if ((empty = strdup("")) == NULL)
		return no_memory(eb);
	return set_text(ed, empty, 0, eb);
}

enum err
conf_edit_open(struct conf_edit *ed, const char *path, struct errbuf *eb)
{
	enum err e;

	*ed = (struct conf_edit){ .fd = -1 };
	if ((e = resolve(ed, path, eb)) != E_OK ||
	    (e = take_lock(ed, eb)) != E_OK)
		return e;
	return read_text(ed, eb);
}

void
conf_edit_close(struct conf_edit *ed)
{
	char new[PATH_MAX];

	if (ed->fd >= 0) {
		/* Before it is unlocked: afterwards it may be another's. */
		if (!ed->saved && new_path(new, ed))
			unlink(new);
		close(ed->fd);
	}
	wipe(ed->text, ed->n);
	wipe(ed->bare, ed->n);
	free(ed->path);
	*ed = (struct conf_edit){ .fd = -1 };
}

/* ---- blocks ---- */

/* Behind the string that begins at p. */
static const char *
skip_string(const char *p)
{
	char quote = *p++;

	while (*p != '\0' && *p != quote)
		p += *p == '\\' && p[1] != '\0' ? 2 : 1;
	return *p == '\0' ? p : p + 1;
}

/* Behind the brace that closes the one at p. */
static const char *
skip_braces(const char *p)
{
	unsigned depth = 0;

	while (*p != '\0') {
		if (*p == '"' || *p == '\'') {
			p = skip_string(p);
			continue;
		}
		if (*p == '{')
			depth++;
		else if (*p == '}' && --depth == 0)
			return p + 1;
		p++;
	}
	return p;
}

static const char *
skip_word(const char *p)
{
	if (*p == '"' || *p == '\'')
		return skip_string(p);
	return p + strcspn(p, BLANKS "{}\"'");
}

/* At the first octet that may begin a block.  NULL: there is none, or what is
 * there is none. */
static const char *
next_block(const char *text, const char *p, struct conf_block *b_r)
{
	const char *begin = p + strspn(p, BLANKS), *title, *end;

	p = skip_word(begin);
	title = p + strspn(p, BLANKS);
	end = skip_word(title);
	p = end + strspn(end, BLANKS);
	if (end == title || *p != '{')
		return NULL;
	p = skip_braces(p);
	*b_r = (struct conf_block){ (size_t)(begin - text), (size_t)(p - begin),
		(size_t)(title - text), (size_t)(end - title) };
	return p;
}

static bool
is_account(const char *block)
{
	static const char word[] = "account";

	return skip_word(block) == block + sizeof(word) - 1 &&
	       strncmp(block, word, sizeof(word) - 1) == 0;
}

bool
conf_edit_block(
    const struct conf_edit *ed, size_t number, struct conf_block *b_r)
{
	const char *p = ed->bare;

	while ((p = next_block(ed->bare, p, b_r)) != NULL)
		if (is_account(ed->bare + b_r->at) && number-- == 0)
			return true;
	return false;
}

static void
overlook(void *arg, bool is_error, const char *words)
{
}

/* What was saved since the file was opened here is noticed when it is saved. */
enum err
conf_edit_find(const struct conf_edit *ed, const char *name,
    struct conf_block *b_r, struct errbuf *eb)
{
	struct client_conf conf;
	const struct account *a;
	enum err e = E_NOENT;

	if (client_conf_load(&conf, ed->path, overlook, NULL) != E_OK)
		return err_set(eb, E_CONFIG,
		    _("%s cannot be understood any more; try again"), ed->path);
	a = client_conf_find(&conf, name);
	if (a != NULL && conf_edit_block(ed, (size_t)(a - conf.v), b_r))
		e = E_OK;
	client_conf_free(&conf);
	if (e != E_OK)
		err_set(
		    eb, e, _("there is no account %s in %s"), name, ed->path);
	return e;
}

/* ---- changing ---- */

/* Puts `with` in the place of n octets. */
static enum err
put_in(struct conf_edit *ed, size_t at, size_t n, const char *with,
    struct errbuf *eb)
{
	size_t tail = ed->n - at - n, len = strlen(with);
	char *text = malloc(at + len + tail + 1);

	if (text == NULL)
		return no_memory(eb);
	memcpy(text, ed->text, at);
	memcpy(text + at, with, len);
	memcpy(text + at + len, ed->text + at + n, tail + 1);
	return set_text(ed, text, at + len + tail, eb);
}

bool
conf_edit_quote(char *out, size_t size, const char *value)
{
	bool bare = strpbrk(value, "\"\\$") == NULL;
	char quote = bare ? '"' : '\'';
	size_t n = 0;

	if (size < 3 || strpbrk(value, "\r\n") != NULL)
		return false;
	out[n++] = quote;
	for (; *value != '\0'; value++) {
		if (n + 4 > size)
			return false;
		if (!bare && (*value == '\'' || *value == '\\'))
			out[n++] = '\\';
		out[n++] = *value;
	}
	out[n++] = quote;
	out[n] = '\0';
	return true;
}

enum err
conf_edit_rename(struct conf_edit *ed, const struct conf_block *b,
    const char *name, struct errbuf *eb)
{
	char quoted[4096];

	if (!conf_edit_quote(quoted, sizeof(quoted), name))
		return err_set(eb, E_FORMAT, "%s", _("that name is too long"));
	return put_in(ed, b->title, b->title_n, quoted, eb);
}

static size_t
text_begin(const struct conf_edit *ed)
{
	return strncmp(ed->text, BOM, 3) == 0 ? 3 : 0;
}

/* The beginning of the line, if only blanks stand before this; else `at`. */
static size_t
line_begin(const struct conf_edit *ed, size_t at)
{
	size_t i = at;

	while (i > text_begin(ed) && strchr(" \t", ed->text[i - 1]) != NULL)
		i--;
	return i == text_begin(ed) || ed->text[i - 1] == '\n' ? i : at;
}

/* Behind the end of the line, if only blanks stand before that; else `at`. */
static size_t
line_end(const struct conf_edit *ed, size_t at)
{
	size_t i = at + strspn(ed->text + at, " \t\r");

	if (ed->text[i] == '\0')
		return i;
	return ed->text[i] == '\n' ? i + 1 : at;
}

static bool
is_line_begin(const struct conf_edit *ed, size_t at)
{
	return at == text_begin(ed) || ed->text[at - 1] == '\n';
}

/* The beginning of the empty line before this beginning of one; else `at`. */
static size_t
empty_line_before(const struct conf_edit *ed, size_t at)
{
	size_t begin;

	if (at <= text_begin(ed))
		return at;
	begin = line_begin(ed, at - 1 - (at > 1 && ed->text[at - 2] == '\r'));
	return is_line_begin(ed, begin) && line_end(ed, begin) == at ? begin
								     : at;
}

static bool
has_crlf(const struct conf_edit *ed)
{
	const char *end = strchr(ed->text, '\n');

	return end != NULL && end != ed->text && end[-1] == '\r';
}

/* Indented as the line before, which ends here, if that is. */
static struct slice
indentation(const struct conf_edit *ed, size_t end)
{
	size_t begin = end > 0 ? end - 1 : 0;
	struct slice s;

	while (begin > text_begin(ed) && ed->text[begin - 1] != '\n')
		begin--;
	s = (struct slice){ ed->text + begin, strspn(ed->text + begin, " \t") };
	return s.n != 0 ? s : (struct slice){ "\t", 1 };
}

enum err
conf_edit_add(struct conf_edit *ed, const struct conf_block *b,
    const char *setting, struct errbuf *eb)
{
	size_t brace = b->at + b->n - 1, at = line_begin(ed, brace);
	const char *eol = has_crlf(ed) ? "\r\n" : "\n";
	struct slice indent = indentation(ed, at);
	char *text;
	enum err e;
	int n;

	if (is_line_begin(ed, at) && at > b->at)
		n = asprintf(
		    &text, "%.*s%s%s", (int)indent.n, indent.p, setting, eol);
	else
		n = asprintf(&text, " %s ", setting);
	if (n < 0)
		return no_memory(eb);
	e = put_in(ed, at, 0, text, eb);
	wipe(text, (size_t)n);
	return e;
}

enum err
conf_edit_remove(
    struct conf_edit *ed, const struct conf_block *b, struct errbuf *eb)
{
	size_t begin = line_begin(ed, b->at), end = line_end(ed, b->at + b->n);
	bool last = ed->text[end] == '\0';

	if (!is_line_begin(ed, begin) || (!last && ed->text[end - 1] != '\n')) {
		begin = b->at; /* there is more in its lines */
		end = b->at + b->n;
	} else if (last) {
		begin = empty_line_before(ed, begin);
	} else if (begin == text_begin(ed) ||
		   empty_line_before(ed, begin) != begin) {
		end = line_end(ed, end);
	}
	return put_in(ed, begin, end - begin, "", eb);
}

/* The block as it shall stand in the file; the caller's.  NULL: memory. */
static char *
with_ends(const struct conf_edit *ed, const char *block)
{
	const char *eol = has_crlf(ed) ? "\r\n" : "\n";
	bool unended = ed->n != 0 && ed->text[ed->n - 1] != '\n';
	char *out = malloc(2 * strlen(block) + 5), *p = out;

	if (out == NULL)
		return NULL;
	if (unended)
		p = stpcpy(p, eol);
	if (ed->n != 0 && (unended || empty_line_before(ed, ed->n) == ed->n))
		p = stpcpy(p, eol);
	for (; *block != '\0'; block++) {
		if (*block == '\n')
			p = stpcpy(p, eol);
		else
			*p++ = *block;
	}
	*p = '\0';
	return out;
}

enum err
conf_edit_append(struct conf_edit *ed, const char *block, struct errbuf *eb)
{
	char *text = with_ends(ed, block);
	enum err e;

	if (text == NULL)
		return no_memory(eb);
	e = put_in(ed, ed->n, 0, text, eb);
	wipe(text, strlen(text));
	return e;
}

/* ---- writing ---- */

static bool
is_unchanged(const struct conf_edit *ed)
{
	struct stat st;

	if (stat(ed->path, &st) < 0)
		return errno == ENOENT && !ed->exists;
	return ed->exists && st.st_dev == ed->st.st_dev &&
	       st.st_ino == ed->st.st_ino && st.st_size == ed->st.st_size &&
	       st.st_mtim.tv_sec == ed->st.st_mtim.tv_sec &&
	       st.st_mtim.tv_nsec == ed->st.st_mtim.tv_nsec;
}

/* One that another user has made, or that has another name as well, is a trap. */
static enum err
check_new(const struct conf_edit *ed, const struct stat *now, struct errbuf *eb)
{
	bool ours = now->st_uid == geteuid() ||
		    (ed->exists && now->st_uid == ed->st.st_uid);

	if (ours && S_ISREG(now->st_mode) && now->st_nlink == 1)
		return E_OK;
	return err_set(eb, E_DENIED,
	    _("%s.malote-new is not malote's; remove it"), ed->path);
}

/* Without it the bits of the group, which are its mask, would mean more. */
static enum err
set_acl(const struct conf_edit *ed, struct errbuf *eb)
{
	char acl[4096];
	ssize_t n = ed->exists ? getxattr(ed->path, ACL, acl, sizeof(acl)) : -1;

	if (n > 0 ? fsetxattr(ed->fd, ACL, acl, (size_t)n, 0) == 0
		  : fremovexattr(ed->fd, ACL) == 0 || errno == ENODATA ||
			errno == ENOTSUP)
		return E_OK;
	return err_sys(eb, E_IO, _("the access list of %s"), ed->path);
}

/* The owner first: a change of owner may take mode bits away. */
static enum err
set_owner(const struct conf_edit *ed, struct errbuf *eb)
{
	struct stat now;
	enum err e;

	if (fstat(ed->fd, &now) < 0)
		return err_sys(eb, E_IO, "%s", ed->path);
	if ((e = check_new(ed, &now, eb)) != E_OK)
		return e;
	if (ed->exists &&
	    (now.st_uid != ed->st.st_uid || now.st_gid != ed->st.st_gid) &&
	    fchown(ed->fd, ed->st.st_uid, ed->st.st_gid) < 0)
		return err_sys(eb, E_DENIED, _("the owner of %s"), ed->path);
	if (fchmod(ed->fd, 0600) < 0)
		return err_sys(eb, E_IO, _("the mode of %s"), ed->path);
	if ((e = set_acl(ed, eb)) != E_OK)
		return e;
	if (fchmod(ed->fd, ed->exists ? ed->st.st_mode & 07777 : 0600) < 0)
		return err_sys(eb, E_IO, _("the mode of %s"), ed->path);
	return E_OK;
}

static enum err
write_text(const struct conf_edit *ed, struct errbuf *eb)
{
	size_t at = 0;

	if (ftruncate(ed->fd, 0) < 0)
		return err_sys(eb, E_IO, "%s", ed->path);
	while (at < ed->n) {
		ssize_t n = write(ed->fd, ed->text + at, ed->n - at);

		if (n < 0 && errno != EINTR)
			return err_sys(eb, E_IO, "%s", ed->path);
		at += n > 0 ? (size_t)n : 0;
	}
	return fsync(ed->fd) == 0 ? E_OK : err_sys(eb, E_IO, "%s", ed->path);
}

static enum err
sync_folder(const char *path, struct errbuf *eb)
{
	char copy[PATH_MAX];
	enum err e = E_OK;
	int fd;

	snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		e = err_sys(eb, E_IO, _("the folder of %s"), path);
	if (fd >= 0)
		close(fd);
	return e;
}

enum err
conf_edit_save(struct conf_edit *ed, struct errbuf *eb)
{
	char new[PATH_MAX];
	enum err e;

	if (!new_path(new, ed))
		return err_set(eb, E_IO, "%s", _("that path is too long"));
	if ((e = set_owner(ed, eb)) != E_OK || (e = write_text(ed, eb)) != E_OK)
		return e;
	if (!is_unchanged(ed))
		return err_set(eb, E_BUSY,
		    _("%s was changed by somebody else meanwhile; nothing was "
		      "written to it; try again"),
		    ed->path);
	if (rename(new, ed->path) < 0)
		return err_sys(eb, E_IO, "%s", ed->path);
	ed->saved = true;
	return sync_folder(ed->path, eb);
}
