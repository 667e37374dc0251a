/* A message that arrives: every kind of field, with and without descriptors. */
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "server/ipc/ipc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { T_NUMBERS = 1, T_TEXT, T_FDS, T_LIST, T_BOUNDED, LIST_MAX = 40 };

static enum err
take_numbers(void *arg, struct ipc_in *in)
{
	uint64_t sum = ipc_get_u8(in);

	sum += ipc_get_u16(in);
	sum += ipc_get_u32(in);
	sum += ipc_get_u64(in);
	*(volatile uint64_t *)arg = sum;
	return ipc_get_end(in);
}

static enum err
take_text(void *arg, struct ipc_in *in)
{
	struct slice s = ipc_get_slice(in);
	char word[16];

	for (size_t i = 0; i < s.n; i++)
		*(volatile uint64_t *)arg += (uint8_t)s.p[i];
	ipc_get_str(in, word, sizeof(word));
	if (strlen(word) >= sizeof(word))
		__builtin_trap();
	return ipc_get_end(in);
}

static enum err
take_fds(void *arg, struct ipc_in *in)
{
	uint8_t n = ipc_get_u8(in);

	(void)arg;
	for (unsigned i = 0; i < n; i++) {
		int fd = ipc_get_fd(in);

		if (fd >= 0 && close(fd) < 0)
			__builtin_trap();
	}
	return ipc_get_end(in);
}

static enum err
take_list(void *arg, struct ipc_in *in)
{
	for (unsigned n = ipc_get_u8(in); n > 0 && !in->bad; n--)
		*(volatile uint64_t *)arg += ipc_get_u32(in);
	return ipc_get_end(in);
}

static enum err
take_bounded(void *arg, struct ipc_in *in)
{
	uint32_t msgno[LIST_MAX];
	uint8_t n = ipc_get_u8_to(in, LIST_MAX);

	for (uint8_t i = 0; i < n; i++)
		if ((msgno[i] = ipc_get_u32_to(in, 1000)) > 1000)
			__builtin_trap();
	for (uint8_t i = 0; i < n; i++)
		*(volatile uint64_t *)arg += msgno[i];
	return ipc_get_end(in);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct ipc_rule rule[] = {
		{ T_NUMBERS, 1, 0, 15, take_numbers },
		{ T_TEXT, 3, 0, 4096, take_text },
		{ T_FDS, 1, 4, 1, take_fds },
		{ T_LIST, 2, 1, 4096, take_list },
		{ T_BOUNDED, 1, 0, 4096, take_bounded },
	};
	static const struct ipc_rules rules = { rule, 5, NULL };
	uint64_t sum = 0;
	int fds[IPC_FDS];
	unsigned nfds;

	if (n < 2)
		return 0;
	nfds = data[1] % 6;
	for (unsigned i = 0; i < nfds; i++)
		fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (ipc_handle(&rules, data[0], &sum, data + 2, n - 2, fds, nfds) ==
	    E_NOMEM)
		__builtin_trap();
	/* Nothing stays open, whatever the message was. */
	for (unsigned i = 0; i < nfds; i++)
		if (fcntl(fds[i], F_GETFD) >= 0)
			__builtin_trap();
	return 0;
}
