/* SPDX-License-Identifier: GPL-3.0-or-later */
/* judge: from the facts that are there to the findings of this moment. */
#include "config.h"
#include "cli/context.h"

#include <ctype.h>
#include <string.h>

#include "base/alloc.h"
#include "check/check.h"
#include "resource/resource.h"

/* What to do about a host that did not answer, where the error itself does not say it. */
static const char *reach_remedy(const struct mp_err *e)
{
	static const char *const remedies[] = {
		[MP_E_DENIED] = "Put the controller's public key into authorized_keys of the SSH "
				"user there, or name the right ssh_user and ssh_key in the "
				"inventory",
		[MP_E_HOSTKEY] = "Compare the fingerprint with the host's own console; if it is "
				 "right, put the key into known_hosts, else find out who answers "
				 "at that address",
		[MP_E_REFUSED] = "Start sshd on the host, or mend ssh_port in the inventory",
		[MP_E_UNREACHABLE] =
			"Mend the address in the inventory, or the route or name to it",
		[MP_E_TIMEOUT] = "Look at the load of the host and at the way to it, or give it "
				 "more time with --timeout",
		[MP_E_GONE] = "Look at the host's console and sshd log: the connection broke off",
		[MP_E_CANCELLED] = "Run it again",
	};
	const char *r = (size_t)e->code < MP_N_ELEMS(remedies) ? remedies[e->code] : NULL;

	return r ? r : "Try by hand: ssh to the host as the SSH user of the inventory";
}

/* The last "; " of an error that is not within brackets: the cause stands before it. */
static const char *remedy_in(const char *text)
{
	int depth = 0;

	for (const char *p = text + strlen(text); p-- > text;) {
		depth += (*p == ')') - (*p == '(');
		if (depth == 0 && p[0] == ';' && p[1] == ' ' && p[2])
			return p;
	}
	return NULL;
}

void mp_cli_reach_texts(const struct mp_err *e, char **ret_reason, char **ret_remedy)
{
	const char *cut = remedy_in(e->text), *more = "";

	if (!cut) {
		*ret_reason = mp_xstrdup(e->text);
		*ret_remedy = mp_xstrdup(reach_remedy(e));
		return;
	}
	/* A conversation that takes too long names its own option. */
	if (e->code == MP_E_TIMEOUT && !strstr(cut, "--timeout"))
		more = "; a host that is only slow needs more --connect-timeout";
	*ret_reason = mp_xstrndup(e->text, (size_t)(cut - e->text));
	*ret_remedy = mp_xasprintf("%c%s%s", toupper((unsigned char)cut[2]), cut + 3, more);
}

static void judge_reach(struct mp_cli *cli, const struct mp_host *h)
{
	const struct mp_host_state *s = &cli->world.hosts[h->index];
	mp_auto_free char *reason = NULL, *remedy = NULL;
	ssize_t i = (ssize_t)h->index;

	if (s->reached) {
		mp_findings_add(&cli->run.findings, "host-reach", MP_SCOPE_HOST, i, -1, MP_OK, NULL,
				NULL);
		return;
	}
	mp_cli_reach_texts(&s->err, &reason, &remedy);
	mp_findings_add(&cli->run.findings, "host-reach", MP_SCOPE_HOST, i, -1, MP_FAIL, remedy,
			"%s", reason);
}

static void judge_resources(struct mp_cli *cli, const struct mp_host *h)
{
	const struct mp_world *w = &cli->world;

	for (size_t i = 0; mp_resources[i]; i++) {
		const struct mp_resource *r = mp_resources[i];
		mp_auto_diff struct mp_diff diff;
		json_t *want;

		mp_diff_init(&diff);
		if (!mp_cli_applies(r, h))
			continue;
		want = r->want(w, h);
		mp_resource_diff(r, mp_world_fact(w, h->index, r->id),
				 mp_world_fact_error(w, h->index, r->id), want, &diff);
		mp_findings_add_diff(&cli->run.findings, r->id, (ssize_t)h->index, &diff);
		json_decref(want);
	}
}

void mp_cli_judge_reach(struct mp_cli *cli)
{
	mp_findings_fini(&cli->run.findings);
	for (size_t i = 0; i < cli->inv->n_hosts; i++)
		if (cli->world.hosts[i].selected)
			judge_reach(cli, &cli->inv->hosts[i]);
}

void mp_cli_judge(struct mp_cli *cli)
{
	mp_cli_judge_reach(cli);
	for (size_t i = 0; i < cli->inv->n_hosts; i++)
		if (cli->world.hosts[i].selected && cli->world.hosts[i].reached)
			judge_resources(cli, &cli->inv->hosts[i]);
	mp_checks_judge(&cli->world, &cli->run.findings);
}
