/* Is linked into each module.  See module.h. */
#include "base/module.h"

const char module_mark[] = MALOTE_VERSION;
