/*
 * upgrade.h - the process that writes upgraded hashes to the users file.
 *
 * The parent starts it for a few rows, and it ends when they are written.  What
 * it is told was said by auth, which may have been broken into: it writes only
 * rows of users that are there, whose hash is the one that auth has seen, only
 * hashes of the scheme that the settings name, and only to the folder of the
 * file.  Exit code 0 unless the file cannot be written.
 */
#ifndef SERVER_UPGRADE_UPGRADE_H
#define SERVER_UPGRADE_UPGRADE_H

int upgrade_main(int ctl);

#endif
