// SPDX-License-Identifier: MIT
/* Floor 5: the `mpbpf` command: the command line and the help, both made from the tables of options and commands. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/duration.h"
#include "core/pins.h"
#include "core/system.h"
#include "loader/cmd_table.h"
#include "loader/commands.h"
#include "loader/log.h"
#include "loader/version.h"

static void print_options(unsigned int which)
{
	for (size_t i = 0; i < n_options; i++) {
		const struct option_row *o = &options[i];
		char left[32];

		if (!(which & BIT(o->id)))
			continue;
		snprintf(left, sizeof(left), "--%s%s%s", o->name, o->argument ? " " : "",
			 o->argument ? o->argument : "");
		printf("  %-18s %s\n", left, o->help);
	}
}

/* "load", "verdict list". */
static const char *command_text(const struct command *command, char ret[32])
{
	snprintf(ret, 32, "%s%s%s", command->name, command->action ? " " : "", command->action ?: "");
	return ret;
}

/* The rows of that first word and, unless it is NULL, of that second one. */
static void print_commands(const char *name)
{
	char text[32];

	printf("commands:\n");
	for (size_t i = 0; i < n_commands; i++)
		if (!name || !strcmp(commands[i].name, name))
			printf("  %-18s %s\n", command_text(&commands[i], text), commands[i].summary);
}

/* Of one command, or of all that begin with a word. */
static void print_command_help(const struct command *command, const char *name)
{
	unsigned int which = 0;
	char text[32];

	if (command) {
		printf("usage: mpbpf %s%s [options]\n\n%s\n\n", command_text(command, text),
		       command->options & BIT(OPTION_NETWORK) ? " [CIDR]" : "", command->summary);
		print_options(command->options | GLOBAL);
		return;
	}
	for (size_t i = 0; i < n_commands; i++)
		if (!strcmp(commands[i].name, name))
			which |= commands[i].options;
	printf("usage: mpbpf %s ACTION [options]\n\n", name);
	print_commands(name);
	printf("\noptions (`mpbpf %s ACTION --help` prints those of one):\n", name);
	print_options(which | GLOBAL);
}

static void print_help(void)
{
	printf("usage: mpbpf COMMAND [options]\n\n"
	       "L4 and L7 policy on this node, enforced inside the kernel\n\n");
	print_commands(NULL);
	printf("\noptions of every command (`mpbpf COMMAND --help` prints all):\n");
	print_options(GLOBAL);
	printf("\nexit status: 0 done, 1 failed at run time, 2 wrong usage or invalid configuration\n");
}

static int usage_error(const struct command *command, const char *what, const char *value)
{
	char text[32];

	log_line("%s%s%s; see `mpbpf %s%s--help`", what, value ? " " : "", value ? value : "",
		 command ? command_text(command, text) : "", command ? " " : "");
	return EXIT_USAGE;
}

/* action: NULL for a command of one word; for others the first row whose second word is that. */
static const struct command *command_find(const char *name, const char *action)
{
	for (size_t i = 0; i < n_commands; i++)
		if (!strcmp(commands[i].name, name) &&
		    (action ? commands[i].action && !strcmp(commands[i].action, action) : !commands[i].action))
			return &commands[i];
	return NULL;
}

static bool command_has_actions(const char *name)
{
	for (size_t i = 0; i < n_commands; i++)
		if (commands[i].action && !strcmp(commands[i].name, name))
			return true;
	return false;
}

static int iface_add(struct context *c, const char *name)
{
	if (!*name || strlen(name) >= RUNTIME_IFNAME_MAX || c->n_ifaces == RUNTIME_IFACES_MAX)
		return -EINVAL;
	for (size_t i = 0; i < c->n_ifaces; i++)
		if (!strcmp(c->ifaces[i], name))
			return -EINVAL;
	c->ifaces[c->n_ifaces++] = name;
	return 0;
}

/* Once only, and not empty: an empty name is a variable that was not set. */
static int text_set(const char **to, const char *value)
{
	if (*to || !*value)
		return -EINVAL;
	*to = value;
	return 0;
}

/* 0 or -errno for a value that cannot be taken. Options without a value cannot fail. */
static int option_apply(struct context *c, enum option_id id, const char *value)
{
	switch (id) {
	case OPTION_IFACE: return iface_add(c, value);
	case OPTION_CONFIG: return path_resolve(value, c->config, sizeof(c->config));
	case OPTION_XDP_MODE: return xdp_mode_parse(value, &c->xdp_mode);
	case OPTION_PIN_ROOT: return path_resolve(value, c->pin_root, sizeof(c->pin_root));
	case OPTION_CGROUP: return realpath(value, c->cgroup) ? 0 : -errno;
	case OPTION_TOKEN_FILE: return text_set(&c->token_file, value);
	case OPTION_SUB: return text_set(&c->subject, value);
	case OPTION_JTI: return text_set(&c->jti, value);
	case OPTION_FOR: return duration_parse(value, &c->for_s);
	case OPTION_FILE: return text_set(&c->file, value);
	case OPTION_REASON: return text_set(&c->reason, value);
	case OPTION_SOURCE: return text_set(&c->source, value);
	case OPTION_DESTINATION: return text_set(&c->destination, value);
	case OPTION_LISTENER: return text_set(&c->listener, value);
	case OPTION_HOST: return text_set(&c->host, value);
	case OPTION_PATH: return text_set(&c->path, value);
	case OPTION_FOLLOW: c->follow = true; break;
	case OPTION_TOP: return flows_top_parse(value, &c->top);
	case OPTION_REVOCATIONS: c->revocations = true; break;
	case OPTION_NO_AGENT: c->no_agent = true; break;
	case OPTION_FOREGROUND: c->foreground = true; break;
	case OPTION_JSON: c->json = true; break;
	case OPTION_VERBOSE: c->verbose = true; break;
	case OPTION_HELP:
	case OPTION_NETWORK:
	case OPTION_VERSION: break;
	}
	return 0;
}

static const char *option_name(int id)
{
	for (size_t i = 0; i < n_options; i++)
		if ((int)options[i].id == id)
			return options[i].name;
	return "";
}

struct parsed {
	struct context context;
	const struct command *command;
	const char *name;   /* the first word, when it needs a second one */
	unsigned int given; /* BIT() of each option seen */
};

static int option_error(const struct command *command, const char *what, int id, const char *value, int r)
{
	char text[PATH_MAX + 128];

	snprintf(text, sizeof(text), "%s --%s%s%s%s%s", what, option_name(id), value[0] ? " " : "", value,
		 r && r != -EINVAL ? ": " : "", r && r != -EINVAL ? strerror(-r) : "");
	return usage_error(command, text, NULL);
}

/* A word that is no option: the command, or what it is to do. */
static int parse_word(struct parsed *p, const char *word)
{
	if (p->command && (p->command->options & BIT(OPTION_NETWORK)) && !p->context.network) {
		p->context.network = word;
		return EXIT_DONE;
	}
	if (p->command)
		/* It may be a token, which is not to be repeated. */
		return usage_error(p->command, "unexpected argument", p->name ? NULL : word);
	if (!p->name && command_has_actions(word)) {
		p->name = word;
		return EXIT_DONE;
	}
	p->command = p->name ? command_find(p->name, word) : command_find(word, NULL);
	if (p->command)
		return EXIT_DONE;
	if (!p->name)
		return usage_error(NULL, "unknown command", word);
	log_line("%s: no such action; see `mpbpf %s --help`", p->name, p->name);
	return EXIT_USAGE;
}

/* One element of the command line as getopt_long() gives it. */
static int parse_one(struct parsed *p, int id, char **argv)
{
	int r;

	if (id == 1)
		return parse_word(p, optarg);
	if (id == ':')
		return usage_error(p->command, "a value is missing after", argv[optind - 1]);
	if (id == '?')
		return usage_error(p->command, "unknown option", argv[optind - 1]);
	if (id == 'v')
		id = OPTION_VERBOSE;
	if (id == 'h')
		id = OPTION_HELP;
	p->given |= BIT(id);
	r = option_apply(&p->context, id, optarg);
	return r < 0 ? option_error(p->command, "wrong or repeated value:", id, optarg, r) : EXIT_DONE;
}

static int parse(int argc, char **argv, struct parsed *p)
{
	struct option long_options[OPTIONS_MAX + 1] = {};
	int id, r;

	for (size_t i = 0; i < n_options; i++)
		long_options[i] = (struct option){
			.name = options[i].name,
			.has_arg = options[i].argument ? required_argument : no_argument,
			.val = options[i].id,
		};
	opterr = 0;
	while ((id = getopt_long(argc, argv, "-:vh", long_options, NULL)) >= 0) {
		r = parse_one(p, id, argv);
		if (r)
			return r;
	}
	if (optind < argc)
		return usage_error(p->command, "unexpected argument", argv[optind]);
	return EXIT_DONE;
}

/* What the table says about the command's options. */
static int check(const struct parsed *p)
{
	unsigned int excess = p->command ? p->given & ~(p->command->options | GLOBAL) : 0;

	if (!p->command && p->name) {
		log_line("%s: no action given; see `mpbpf %s --help`", p->name, p->name);
		return EXIT_USAGE;
	}
	if (!p->command)
		return usage_error(NULL, "no command given", NULL);
	for (size_t i = 0; i < n_options; i++)
		if (excess & BIT(options[i].id))
			return option_error(p->command, "this command does not take", options[i].id, "", 0);
	return EXIT_DONE;
}

int main(int argc, char **argv)
{
	static struct parsed p = { .context.pin_root = PIN_ROOT_DEFAULT };
	int r;

	setvbuf(stdout, NULL, _IOLBF, 0);
	r = parse(argc, argv, &p);
	if (r)
		return r;
	if (p.given & BIT(OPTION_HELP)) {
		if (p.command || p.name)
			print_command_help(p.command, p.name);
		else
			print_help();
		return EXIT_DONE;
	}
	if (p.given & BIT(OPTION_VERSION)) {
		printf("mpbpf %s\n", MPBPF_VERSION);
		return EXIT_DONE;
	}
	r = check(&p);
	if (r)
		return r;
	p.context.list = strcmp(p.command->name, "allow") ? CIDR_DENY : CIDR_ALLOW;
	log_libbpf(p.context.verbose);
	return p.command->run(&p.context);
}
