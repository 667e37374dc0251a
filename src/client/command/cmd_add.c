/* malote add */
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/i18n.h"
#include "client/command/call.h"
#include "client/command/commands.h"
#include "client/command/failure.h"
#include "client/setup/add.h"

/* One that is kept nowhere is not asked for twice. */
static void
hand_over(struct client_conf *conf, struct add_result *result)
{
	for (size_t i = 0; i < conf->n && result->password[0] != '\0'; i++)
		if (strcmp(conf->v[i].name, result->name) == 0)
			conf->v[i].password = strdup(result->password);
	explicit_bzero(result->password, sizeof(result->password));
}

/* What has just been set up is collected from. */
static int
collect_first(const struct call *call, struct add_result *result)
{
	char *name = result->name;
	static const struct command row = {
		.word = "collect", .accounts = 1, .needs = IS_WARNED
	};
	struct call c = {
		.o = call->o, .command = &row, .argument = &name, .n = 1
	};
	int code;

	if ((code = call_load(&c, &c.set)) == -1) {
		hand_over(&c.set->conf, result);
		code = cmd_collect(&c);
	}
	collect_set_free(c.set);
	return code;
}

int
cmd_add(struct call *call)
{
	const struct options *o = call->o;
	const struct add_request r = {
		.conf_file = o->conf,
		.state_dir = o->state,
		.terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) &&
			    !option_is_given(o, OPT_JSON) &&
			    !option_is_given(o, OPT_QUIET),
		.quiet = option_is_given(o, OPT_JSON) ||
			 option_is_given(o, OPT_QUIET),
		.yes = option_is_given(o, OPT_YES),
		.address = call->n > 0 ? call->argument[0] : NULL,
		.server = o->value[OPT_SERVER],
		.port = o->value[OPT_PORT],
		.security = o->value[OPT_SECURITY],
		.user = o->value[OPT_USER],
		.fingerprint = o->value[OPT_FINGERPRINT],
		.ca_file = o->value[OPT_CA_FILE],
		.name = o->value[OPT_NAME],
		.password_command = o->value[OPT_PASSWORD_COMMAND],
		.token_command = o->value[OPT_TOKEN_COMMAND],
		.oauth = o->value[OPT_OAUTH],
		.keyring = option_is_given(o, OPT_KEYRING),
		.keep_password = o->value[OPT_KEEP_PASSWORD],
		.keep = o->value[OPT_KEEP],
		.deliver = o->value[OPT_DELIVER],
	};
	struct add_result result;

	add_account(&result, &r);
	if (result.code != EX_OK)
		failed_by(o, result.code, "%s", result.words);
	else if (!option_is_given(o, OPT_NO_COLLECT))
		result.code = collect_first(call, &result);
	explicit_bzero(result.password, sizeof(result.password));
	return result.code;
}
