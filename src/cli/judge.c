/* SPDX-License-Identifier: GPL-3.0-or-later */
/* judge: from the facts that are there to the findings of this moment. */
#include "config.h"
#include "cli/context.h"

#include "base/alloc.h"
#include "check/check.h"
#include "resource/resource.h"

/* What to do about a host that did not answer, by the kind of failure. */
static const char *reach_remedy(enum mp_code code)
{
	static const char *const remedies[] = {
		[MP_E_DENIED] = "Put the controller's public key into authorized_keys of the SSH "
				"user there, "
				"or name the right ssh_user and ssh_key in the inventory",
		[MP_E_HOSTKEY] = "Compare the fingerprint with the host's own console; if it is "
				 "right, put the "
				 "key into known_hosts, else find out who answers at that address",
		[MP_E_REFUSED] = "Start sshd on the host, or mend ssh_port in the inventory",
		[MP_E_UNREACHABLE] =
			"Mend the address in the inventory, or the route or name to it",
		[MP_E_TIMEOUT] = "Look whether the host is up and a firewall lets SSH through; "
				 "a slow host needs --timeout",
		[MP_E_GONE] = "Look at the host's console and sshd log: the connection broke off",
		[MP_E_UNSUPPORTED] = "Set transport = openssh for this host in the inventory",
		[MP_E_CANCELLED] = "Run it again",
	};
	const char *r = (size_t)code < MP_N_ELEMS(remedies) ? remedies[code] : NULL;

	return r ? r : "Try by hand: ssh to the host as the SSH user of the inventory";
}

static void judge_reach(struct mp_cli *cli, const struct mp_host *h)
{
	const struct mp_host_state *s = &cli->world.hosts[h->index];
	ssize_t i = (ssize_t)h->index;

	if (s->reached) {
		mp_findings_add(&cli->run.findings, "host-reach", MP_SCOPE_HOST, i, -1, MP_OK, NULL,
				NULL);
		return;
	}
	mp_findings_add(&cli->run.findings, "host-reach", MP_SCOPE_HOST, i, -1, MP_FAIL,
			reach_remedy(s->err.code), "%s", s->err.text);
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
