/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "cli/context.h"

static json_t *host_facts(const struct mp_cli *cli, size_t i)
{
	const struct mp_host_state *s = &cli->world.hosts[i];
	json_t *o = json_pack("{s:s,s:b}", "name", cli->inv->hosts[i].name, "reached", s->reached);

	if (!s->reached)
		json_object_set_new(o, "error", json_string(s->err.text));
	if (s->facts)
		json_object_set(o, "facts", s->facts);
	return o;
}

static int run(struct mp_cli *cli, int argc, char **argv)
{
	json_t *hosts = json_array(), *doc = json_pack("{s:i,s:o}", "schema", 1, "hosts", hosts);
	struct mp_err err = { 0 };
	bool all = true;

	(void)argc;
	(void)argv;
	if (mp_cli_look(cli, "facts", NULL, &err) < 0)
		mp_cli_say(cli, "facts: %s", err.text);
	for (size_t i = 0; i < cli->inv->n_hosts; i++) {
		if (!cli->world.hosts[i].selected)
			continue;
		all &= cli->world.hosts[i].reached;
		json_array_append_new(hosts, host_facts(cli, i));
	}
	json_dumpf(doc, stdout, JSON_INDENT(2) | JSON_SORT_KEYS);
	putchar('\n');
	json_decref(doc);
	return all ? 0 : 4;
}

const struct mp_command mp_command_facts = {
	.name = "facts",
	.args = "[HOST...]",
	.summary = "what was observed, as JSON",
	.help = "Prints what check looks at, before any judgement: one JSON document with the "
		"facts of each\n"
		"host, by the id of the resource or sample that observed them.",
	.flags = MP_CMD_NEEDS_INVENTORY,
	.run = run,
};
