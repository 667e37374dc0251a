/* dovecot-uidlist: what comes out is fit for POP3. */
#include "foreign.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	return fuzz_foreign(UIDL_DOVECOT, data, n);
}
