/*
 * files.h - folders and files of parcels.
 */
#ifndef CLIENT_DELIVER_FILES_H
#define CLIENT_DELIVER_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "client/message/parcel.h"

struct delivery;

enum { PATH_SHOWN = 160 };

/* The path, or its end if it is long: so that the errno behind it is seen. */
char *path_shown(char out[PATH_SHOWN], const char *path);

/* errno as a result: E_FULL for a full disk or quota, E_DENIED if a person must
 * mend something, E_NOMEM, else E_IO. */
enum err disk_err(void);

/* Opens a folder, making it (0700) and those above it, each synced. */
enum err folder_make(const char *path, int *fd_r, struct errbuf *eb) NODISCARD;
/* The same for `name` in the folder `at`, whose path is `path`. */
enum err folder_make_at(int at, const char *path, const char *name, int *fd_r,
    struct errbuf *eb) NODISCARD;
int folder_open_at(int at, const char *name); /* -1: errno says why */
/* May files be made in it?  `path` is for people. */
enum err folder_try(int fd, const char *path, struct errbuf *eb) NODISCARD;

/* Puts the parcels' files and their folder on the disk. */
enum err files_sync(struct delivery *d, struct parcel **v, size_t n,
    struct errbuf *eb) NODISCARD;
/* Is the file still in the folder of parcels? */
enum err files_have(struct delivery *d, const char *tmp, bool *there_r,
    struct errbuf *eb) NODISCARD;
/* Kinds that hand over (see kind.h): what is still in the spool may not have
 * been handed over. */
enum err files_recover(struct delivery *d, const struct parcel *in, bool young,
    bool *stored_r, struct errbuf *eb) NODISCARD;
/* Removes the account's files from the folder of parcels. */
enum err files_sweep(struct delivery *d, int at, struct errbuf *eb) NODISCARD;

#endif
