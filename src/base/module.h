/*
 * module.h - what only some accounts of the client need, and what only the
 * processes that ask a database do, lies in shared objects of our own, each
 * linked with the libraries that it needs.
 *
 * They are loaded when they are needed: so the others do not wait, at each
 * start, for libraries that they never use.
 */
#ifndef BASE_MODULE_H
#define BASE_MODULE_H

/* The version of malote that a module was built with; each has it. */
extern const char module_mark[];

/* What `symbol` stands for in module `name`, which stays loaded; from any
 * thread.  It is looked for where the program's run path says.  NULL: it is not
 * installed, or one of its libraries is not, or it is of another version, as after
 * an update while the program runs. */
const void *module_find(const char *name, const char *symbol);

#endif
