/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "cli/context.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "check/check.h"
#include "model/topic.h"

#define MAX_TOPICS 512

/* Every id that a finding can carry, as one list. */
static size_t all_topics(struct mp_topic *ret)
{
	size_t n = 0;

	for (size_t i = 0; mp_resources[i] && n < MAX_TOPICS; i++) {
		const struct mp_resource *r = mp_resources[i];

		ret[n++] = (struct mp_topic){ r->id,      r->summary, r->prevents,
					      r->checked, r->remedy,  r->source };
	}
	for (size_t i = 0; mp_checks[i] && n < MAX_TOPICS; i++) {
		const struct mp_check *c = mp_checks[i];

		ret[n++] = (struct mp_topic){ c->id,      c->summary, c->prevents,
					      c->checked, c->remedy,  c->source };
	}
	for (size_t i = 0; i < mp_n_topics && n < MAX_TOPICS; i++)
		ret[n++] = mp_topics[i];
	return n;
}

/* Text in lines of at most 78 columns behind a label. */
static void print_wrapped(const char *label, const char *text)
{
	size_t column = (size_t)printf("%-10s", label);
	mp_auto_strv struct mp_strv words = { 0 };

	mp_str_split(text, " \n\t", &words);
	for (size_t i = 0; i < words.n; i++) {
		if (column > 10 && column + 1 + strlen(words.v[i]) > 78)
			column = (size_t)printf("\n%-10s", "") - 1;
		column += (size_t)printf(" %s", words.v[i]);
	}
	putchar('\n');
}

static void print_topic(const struct mp_topic *t, bool applied)
{
	printf("%s: %s\n\n", t->id, t->summary);
	print_wrapped("prevents", t->prevents);
	print_wrapped("checked", t->checked);
	print_wrapped("remedy", t->remedy);
	print_wrapped("apply", applied ? "mends it" : "does not change it");
	print_wrapped("source", t->source);
}

static void print_list(const struct mp_topic *topics, size_t n)
{
	for (size_t i = 0; i < n; i++)
		printf("%s\n", topics[i].id);
}

static int run(struct mp_cli *cli, int argc, char **argv)
{
	mp_auto_free struct mp_topic *topics = mp_xcalloc(MAX_TOPICS, sizeof(*topics));
	mp_auto_free const char **names = mp_xcalloc(MAX_TOPICS, sizeof(*names));
	size_t n = all_topics(topics);
	const char *near;

	if (cli->opt.list || argc == 0) {
		print_list(topics, n);
		return 0;
	}
	for (size_t i = 0; i < n; i++) {
		names[i] = topics[i].id;
		if (strcmp(topics[i].id, argv[0]) != 0)
			continue;
		print_topic(&topics[i], mp_resource_find(argv[0]) != NULL);
		return 0;
	}
	near = mp_str_nearest(argv[0], names, n);
	fprintf(stderr,
		"migprep: no finding has the id '%.60s'%s%s%s; see migprep explain --list\n",
		argv[0], near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
	return 1;
}

const struct mp_command mp_command_explain = {
	.name = "explain",
	.args = "[ID]",
	.summary = "one finding id: what it prevents, how it is checked, the remedy",
	.help = "Explains a finding: what it prevents, how it is checked, what to do by hand, "
		"whether\n"
		"apply mends it, and which document asks for it. Without an id, or with --list, "
		"prints\n"
		"every id, one a line.",
	.run = run,
};
