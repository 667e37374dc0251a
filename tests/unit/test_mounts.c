/* Whose file systems are believed. */
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>
#include <ev.h>

#include "server/store/mounts.h"

static const char mounts[] =
    "22 27 0:20 / /sys rw,nosuid - sysfs sysfs rw\n"
    "27 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
    "90 27 0:50 / /srv/mail rw - fuse.glusterfs host:/v "
    "rw,user_id=0,group_id=0,allow_other\n"
    "91 27 0:51 / /home/a/Maildir/cur rw shared:9 - fuse.sshfs h:/ "
    "rw,user_id=1000,group_id=1000\n"
    "92 27 0:52 / /home/b\\040-\\040ext4 rw - fuse none rw,user_id=10\n"
    "93 27 8:17 / /home/c rw - fuseblk /dev/sdb1 rw,user_id=0,group_id=0\n"
    "94 27 0:54 / /home/d rw - fuse none rw\n"
    "95 27 0:55 / /x rw - tmpfs user_id=7 rw\n";

static int
list_of(const char *text, size_t n)
{
	int fd = memfd_create("mounts", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, n), n);
	return fd;
}

static void
only_roots_fuse(void **state)
{
	int fd = list_of(mounts, strlen(mounts));

	(void)state;
	assert_int_equal(mounts_list_kind(fd, makedev(0, 20)), MOUNT_ASKS);
	assert_int_equal(mounts_list_kind(fd, makedev(8, 1)), MOUNT_LOCAL);
	assert_int_equal(mounts_list_kind(fd, makedev(0, 50)), MOUNT_ASKS);
	assert_int_equal(mounts_list_kind(fd, makedev(0, 51)), MOUNT_FOREIGN);
	assert_int_equal(mounts_list_kind(fd, makedev(0, 52)), MOUNT_FOREIGN);
	assert_int_equal(mounts_list_kind(fd, makedev(8, 17)), MOUNT_ASKS);
	assert_int_equal(mounts_list_kind(fd, makedev(0, 54)), MOUNT_FOREIGN);
	assert_int_equal(mounts_list_kind(fd, makedev(0, 55)), MOUNT_LOCAL);
	/* A subvolume has a number that stands nowhere. */
	assert_int_equal(mounts_list_kind(fd, makedev(0, 99)), MOUNT_LOCAL);
	close(fd);
}

/* The one that matters may stand anywhere in a long list. */
static void
long_lists(void **state)
{
	char text[64 * 1024];
	size_t n = 0;
	int fd;

	(void)state;
	for (unsigned i = 0; n < 40000; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    "%u 1 7:%u / /m%.*s rw - ext4 /dev/x rw\n", i, i,
		    (int)(i % 60),
		    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		    "aaaaaaaaaaaaaaaaaaa");
	n += (size_t)snprintf(text + n, sizeof(text) - n,
	    "9 1 0:7 / /f rw - fuse f rw,user_id=1\n");
	fd = list_of(text, n);
	assert_int_equal(mounts_list_kind(fd, makedev(0, 7)), MOUNT_FOREIGN);
	assert_int_equal(mounts_list_kind(fd, makedev(7, 3)), MOUNT_LOCAL);
	close(fd);
}

/* What of that the mail may have to wait for. */
static void
below_the_root(void **state)
{
	struct mounts_below b = { .root = "/srv/mail" };
	static const char more[] =
	    "1 1 0:60 / /srv/mail/a rw - nfs4 h:/ rw\n"
	    "2 1 0:61 / /srv/mail/a/b/cur rw - fuse x rw,user_id=0\n"
	    "3 1 0:62 / /srv/mail/with\\040space rw - cifs //h/s rw\n"
	    "4 1 8:2 / /srv/mail/disk rw - ext4 /dev/sda2 rw\n"
	    "5 1 0:63 / /srv/mailbox rw - nfs h:/x rw\n";
	int fd = list_of(more, strlen(more));

	(void)state;
	for (unsigned i = 0; i < 2; i++)
		mounts_below_read(&b, fd);
	assert_int_equal(b.n, 3);
	assert_int_equal(mounts_below_at(&b, "a"), 60);
	assert_int_equal(mounts_below_at(&b, "a/x/Maildir"), 60);
	assert_int_equal(mounts_below_at(&b, "a/b/cur"), 61);
	assert_int_equal(mounts_below_at(&b, "a/b"), 60);
	assert_int_equal(mounts_below_at(&b, "ab"), 0);
	assert_int_equal(mounts_below_at(&b, "with space/Maildir"), 62);
	assert_int_equal(mounts_below_at(&b, "disk/Maildir"), 0);
	close(fd);
	fd = list_of(more + strlen("1 1 0:60 / /srv/mail/a rw - nfs4 h:/ rw\n"),
	    strlen(more) - strlen("1 1 0:60 / /srv/mail/a rw - nfs4 h:/ rw\n"));
	mounts_below_read(&b, fd);
	assert_int_equal(mounts_below_at(&b, "a/b"), 61);
	assert_int_equal(mounts_below_at(&b, "a/b/."), 61);
	assert_int_equal(mounts_below_at(&b, "a/bb"), 0);
	close(fd);
	fd = list_of("", 0);
	mounts_below_read(&b, fd);
	assert_int_equal(b.n, 0);
	free(b.v);
	close(fd);
}

static void
where_we_are(void **state)
{
	struct stat st;

	(void)state;
	assert_true(mounts_open("/tmp"));
	assert_int_equal(stat("/", &st), 0);
	assert_true(mounts_believe(st.st_dev));
	assert_true(mounts_believe(st.st_dev));
}

/* The number of a device that is none, once it is mounted there. */
static dev_t
mount_upon(const char *path, const char *type)
{
	struct stat st;

	assert_int_equal(mount(type, path, type, 0, NULL), 0);
	assert_int_equal(stat(path, &st), 0);
	return st.st_dev;
}

static struct ev_loop *loop;

static void
look_by_the_loop(void)
{
	ev_run(loop, EVRUN_NOWAIT);
}

/* One is unmounted, and another that is not like it has its number then. */
static void
another_of_the_same_number(void (*look)(void))
{
	char path[] = "/tmp/malote-test-XXXXXX";
	dev_t was = 0, is = 1;

	assert_non_null(mkdtemp(path));
	/* Others mount and unmount at the same time, perhaps. */
	while (was != is) {
		was = mount_upon(path, "tmpfs");
		look();
		assert_true(mounts_is_local(was));
		assert_int_equal(umount(path), 0);
		is = mount_upon(path, "devpts");
		look();
		assert_false(mounts_is_local(is));
		assert_int_equal(umount(path), 0);
	}
	assert_int_equal(rmdir(path), 0);
}

static void
have_mounts_of_our_own(void)
{
	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0)
		skip();
	assert_int_equal(mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	assert_true(mounts_open("/tmp"));
}

static void
seen_by_looking(void **state)
{
	(void)state;
	have_mounts_of_our_own();
	another_of_the_same_number(mounts_look);
}

static void
seen_by_the_loop(void **state)
{
	(void)state;
	have_mounts_of_our_own();
	loop = ev_loop_new(EVBACKEND_EPOLL);
	mounts_watch(loop);
	another_of_the_same_number(look_by_the_loop);
	ev_loop_destroy(loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_roots_fuse),
		cmocka_unit_test(long_lists),
		cmocka_unit_test(below_the_root),
		cmocka_unit_test(where_we_are),
		cmocka_unit_test(seen_by_looking),
		cmocka_unit_test(seen_by_the_loop),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
