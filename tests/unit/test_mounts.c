/* Whose file systems are believed. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

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
	assert_true(mounts_list_believes(fd, makedev(0, 20)));
	assert_true(mounts_list_believes(fd, makedev(8, 1)));
	assert_true(mounts_list_believes(fd, makedev(0, 50)));
	assert_false(mounts_list_believes(fd, makedev(0, 51)));
	assert_false(mounts_list_believes(fd, makedev(0, 52)));
	assert_true(mounts_list_believes(fd, makedev(8, 17)));
	assert_false(mounts_list_believes(fd, makedev(0, 54)));
	assert_true(mounts_list_believes(fd, makedev(0, 55)));
	/* A subvolume has a number that stands nowhere. */
	assert_true(mounts_list_believes(fd, makedev(0, 99)));
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
	assert_false(mounts_list_believes(fd, makedev(0, 7)));
	assert_true(mounts_list_believes(fd, makedev(7, 3)));
	close(fd);
}

static void
where_we_are(void **state)
{
	struct stat st;

	(void)state;
	assert_true(mounts_open());
	assert_int_equal(stat("/", &st), 0);
	assert_true(mounts_believe(st.st_dev));
	assert_true(mounts_believe(st.st_dev));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_roots_fuse),
		cmocka_unit_test(long_lists),
		cmocka_unit_test(where_we_are),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
