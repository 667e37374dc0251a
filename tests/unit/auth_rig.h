/*
 * auth_rig.h - the auth process as a whole, for its tests: a child runs
 * auth_main(), we are its parent, the workers and the stores.
 */
#ifndef TESTS_UNIT_AUTH_RIG_H
#define TESTS_UNIT_AUTH_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "server/auth/auth.h"
#include "server/ipc/ipc.h"
#include "server/ipc/login_mark.h"
#include "server/ipc/proto.h"
#include "server/users/app_database.h"
#include "server/users/scheme.h"

enum { SOON = 3000, QUIET = 50, POP3S = 2, STORES = 2 };

/* A few milliseconds; it is "secret". */
#define CHEAP \
	"{ARGON2ID}$argon2id$v=19$m=1024,t=1,p=1$c29tZXNhbHQ$" \
	"7GnnAsSKn5YeUzRZ69ANQhvASUBG2dmGoFmvaHe/eDs"

extern struct auth_rig {
	pid_t pid;
	struct ev_loop *loop; /* never run: channels only collect and send */
	struct ipc_chan *ctl, *pop3[POP3S];
	int ctl_fd, pop3_fd[POP3S], store_fd[STORES], log_fd;
	uint32_t worker_pid[POP3S];
	char log[64 * 1024];    /* all that was logged */
	size_t log_n, log_told; /* its length, and what log_text() told */
	char served[SERVED_MAX];
	char refusal[64];   /* the last one's words for a client of KPOP */
	uint64_t half;      /* of APOP's timestamps */
	uint32_t retention; /* EXPIRE before sign-in */
	bool retention_differs;
	uint32_t login_delay; /* LOGIN-DELAY before sign-in */
	bool login_delay_differs;
	uint32_t seconds; /* of the last refusal */
	bool tls;         /* what is said of sessions */
	char dir[64], users[80], apps[80], costly[SCHEME_STORED_MAX];
} rig;

/* Of a channel that nothing may come by; and what is put into it leaves. */
extern const struct ipc_rules no_rules;
void sent(struct ipc_chan *c);

/* Messages of different channels do not wait for one another. */
void sent_before_others(struct ipc_chan *c);

/* What can be served is told whenever it has changed: until something else is
 * there, or nothing for so long.  False: nothing. */
bool skip_served(int fd, int ms);
/* Until the workers are told that it is served, or is not any more. */
void await_served(const char *mechanism, bool is);
void assert_silent(int fd, int ms);

/* A channel of ours; the other end goes to the process. */
int attach(enum ipc_role role, uint16_t index);

/* The users file and the app passwords, as the parent gives them: paths; NULL
 * says that nothing has changed. */
void send_both(const char *users, const char *apps);
void send_users(const char *path);
void await_check(void);
void answer_unchanged(void);
/* A sign-in of a worker, by its number; by the first of them, if none is
 * given. */
void begin_sign_in(int pop3, uint16_t type, uint64_t sid, const char *peer);
void pass_from(int pop3, uint64_t sid, const char *peer, const char *name,
    const char *password);
void pass(uint64_t sid, const char *name, const char *password);
void about(int pop3, uint16_t type, uint64_t sid);
void refused_at(
    int pop3, uint64_t sid, enum sign_in_code code, const char *why);

/* why: NULL if it is not auth that says it in the log. */
void refused(uint64_t sid, enum sign_in_code code, const char *why);

/* The process has closed the channel, and told its parent whose it was. */
void expect_misbehaved(enum ipc_role role, uint16_t index, int fd);

/* What a store was told. */
struct opened {
	uint16_t pop3;
	uint64_t sid;
	char user[256], mail[256], peer[64];
	uint8_t bits; /* SESSION_ */
	bool read_only;
	uint32_t retention;
	uint32_t login_delay;
	struct login_mark counted;
};

struct opened opened_at(int fd, uint64_t sid);

/* By whichever store of mail_uid. */
struct opened opened(uint64_t sid, int *store_r);
void succeeds(uint64_t sid, const char *name, const char *password);

/* Hashes that the process under test has computed; ours are not counted, and
 * no clock is looked at. */
struct computed {
	unsigned pbkdf2, argon2;
	bool hold; /* argon2: each waits while this is so */
};

extern struct computed *computed;

/* Since the last call. */
struct computed take_computed(void);

/* From here on argon2 waits until it is let go, however fast the machine is; and
 * until one does. */
void hold_hashes(void);
void await_held(void);
void let_hashes_go(void);
void write_users(const char *path, const char *text);

/* As malotectl does it. */
void replace_users(const char *text);
/* What start() is given unless a test says otherwise. */
struct auth_conf usual(void);

extern const char usual_users[];

void start(const struct auth_conf *conf);
int set_up(void **state);
int set_up_penalties(void **state);
int set_up_masters(void **state);
int set_up_expire(void **state); /* after 30 days */

/* What has been logged since the last call. */
const char *log_text(void);

/* How many lines of all that was logged say so. */
unsigned count_logged(const char *words);

/* What the workers were told last. */
void expect_served(const char *names);

/* Waits until one is found to be wrong, and for all that the ones before have cost;
 * nobody else is looked at. */
void expect_one_guess(uint64_t begun, unsigned nth, uint64_t due);

/* The process must have gone on until now, and ends when its parent goes. */
int tear_down(void **state);
void expect_wanted(uint32_t uid, uint32_t gid);
void expect_wanted_in(uint32_t uid, uint32_t gid, uint32_t root);
void no_store(uint32_t uid, uint32_t gid);
void sasl_with(uint64_t sid, const char *mechanism, struct slice certificate,
    const void *initial, size_t n);
void sasl(uint64_t sid, const char *mechanism, const void *initial, size_t n);
void sasl_step(uint64_t sid, const void *p, size_t n);
void expect_challenge(uint64_t sid, const char *text);

/* A challenge. */
struct said {
	uint64_t sid;
	char text[SASL_MAX];
	size_t n;
};

struct slice await_said(uint64_t sid, struct said *s);

/* Says a wrong password, or proves to know one. */
void guess(const char *how, uint64_t sid, char name);
void apop(unsigned pop3, uint64_t sid, const char *name, const char *timestamp,
    const char *password);

#define PHONE   "aaaa-aaaa-aaaa-aaaa-aaaa-aaaa-aaaa"
#define LAPTOP  "bbbb-bbbb-bbbb-bbbb-bbbb-bbbb-bbbb"
#define OLD     "cccc-cccc-cccc-cccc-cccc-cccc-cccc"
#define READING "eeee-eeee-eeee-eeee-eeee-eeee-eeee"
#define SENDING "ffff-ffff-ffff-ffff-ffff-ffff-ffff"

/* As malotectl does it.  label: the one that is left out, or NULL. */
void replace_apps(const char *label);

/* Before the first test of a program: makes rig.costly. */
int auth_rig_begin(void **state);

#define TEST(t)           cmocka_unit_test_setup_teardown(t, set_up, tear_down)
#define TEST_SET_UP(t, s) cmocka_unit_test_setup_teardown(t, s, tear_down)

#endif
