/* SPDX-License-Identifier: GPL-3.0-or-later */
/* judge: from trials to findings. Reasons name no host, so that equal failures of many pairs fold
 * into one line. */
#include "config.h"
#include "mesh/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "mesh/causes.h"

#define SSH "mesh-ssh"
#define PORT "mesh-port"
#define MAX_NAMES 4 /* names listed in one reason */

static bool is_login(const struct mp_trial *t)
{
	return t->user != NULL;
}

/* The names by which the user's login failed so: "by every name", or which of how many. */
static char *by_names(const struct mp_pair *p, const char *user, const char *cause)
{
	size_t all = 0, hit = 0;
	mp_auto_buf struct mp_buf b;

	mp_buf_init(&b, 0);
	for (size_t i = 0; i < p->n_trials; i++) {
		const struct mp_trial *t = &p->trials[i];

		if (!mp_str_eq(t->user, user))
			continue;
		all++;
		if (!mp_str_eq(t->cause, cause))
			continue;
		if (hit++ < MAX_NAMES)
			mp_buf_printf(&b, "%s%s", hit > 1 ? ", " : "", t->target);
	}
	if (hit == 0)
		return NULL;
	if (hit == all)
		return mp_xstrdup("by every name");
	return mp_xasprintf("by %s%s (%zu of %zu names)", mp_buf_peek(&b),
			    hit > MAX_NAMES ? ", ..." : "", hit, all);
}

/* "root and nova by every name"; users that failed alike are named together. */
static char *who_failed(const struct mp_mesh *m, const struct mp_pair *p, const char *cause)
{
	mp_auto_strv struct mp_strv done = { 0 };
	mp_auto_buf struct mp_buf b;

	mp_buf_init(&b, 0);
	for (size_t u = 0; u < m->users.n; u++) {
		mp_auto_free char *names = by_names(p, m->users.v[u], cause);

		if (!names || mp_strv_has(&done, m->users.v[u]))
			continue;
		mp_buf_printf(&b, "%s%s", b.size ? ", as " : "", m->users.v[u]);
		for (size_t v = u + 1; v < m->users.n; v++) {
			mp_auto_free char *same = by_names(p, m->users.v[v], cause);

			if (!mp_str_eq(same, names))
				continue;
			mp_buf_printf(&b, " and %s", m->users.v[v]);
			mp_strv_add(&done, m->users.v[v]);
		}
		mp_buf_printf(&b, " %s", names);
	}
	return mp_buf_take(&b);
}

static struct mp_finding *add_finding(struct mp_mesh *m, const char *id, const struct mp_pair *p,
				      const struct mp_mesh_cause *cause, const char *reason)
{
	struct mp_finding *f =
		mp_findings_add(&m->run->findings, id, MP_SCOPE_PAIR, (ssize_t)p->source,
				(ssize_t)p->target, MP_FAIL, cause->remedy, "%s", reason);

	f->data = json_pack("{s:s}", "cause", cause->word);
	return f;
}

/* One finding for each cause among the logins of a pair; the first trial with it brings it. */
static void judge_logins(struct mp_mesh *m, const struct mp_pair *p)
{
	mp_auto_strv struct mp_strv seen = { 0 };

	for (size_t i = 0; i < p->n_trials; i++) {
		const struct mp_trial *t = &p->trials[i];
		mp_auto_free char *who = NULL, *reason = NULL;
		const struct mp_mesh_cause *cause;

		if (t->ok || !is_login(t) || mp_strv_has(&seen, t->cause))
			continue;
		mp_strv_add(&seen, t->cause);
		cause = mp_mesh_ssh_cause_find(t->cause);
		who = who_failed(m, p, t->cause);
		reason = mp_xasprintf("login as %s: %s", who, cause->phrase);
		add_finding(m, SSH, p, cause, reason);
	}
}

static int port_of(const struct mp_trial *t)
{
	return atoi(strrchr(t->target, ':') + 1);
}

/* The ports of one pair's connections that failed so (cause NULL: that succeeded), and how many.
 * list may be NULL. */
static size_t ports_that(const struct mp_pair *p, const char *cause, struct mp_buf *text,
			 json_t *list)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_trials; i++) {
		const struct mp_trial *t = &p->trials[i];

		if (is_login(t) || t->ok != !cause || (cause && !mp_str_eq(t->cause, cause)))
			continue;
		mp_buf_printf(text, "%s%d", n++ ? " and " : "", port_of(t));
		if (list)
			json_array_append_new(list, json_integer(port_of(t)));
	}
	return n;
}

static void add_port_finding(struct mp_mesh *m, const struct mp_pair *p, const char *word)
{
	const struct mp_mesh_cause *cause = mp_mesh_tcp_cause_find(word);
	json_t *failed = json_array();
	mp_auto_buf struct mp_buf bad, good;
	mp_auto_free char *reason = NULL;
	size_t n, n_open;

	mp_buf_init(&bad, 0);
	mp_buf_init(&good, 0);
	n = ports_that(p, word, &bad, failed);
	n_open = ports_that(p, NULL, &good, NULL);
	reason = mp_xasprintf("connection to port%s %s: %s", n > 1 ? "s" : "", mp_buf_peek(&bad),
			      cause->phrase);
	if (n_open) {
		mp_auto_free char *all = mp_steal(&reason);

		reason = mp_xasprintf("%s, while %s is open: part of the range %d-%d is closed",
				      all, mp_buf_peek(&good), m->from, m->to);
	}
	json_object_set_new(add_finding(m, PORT, p, cause, reason)->data, "ports", failed);
}

/* One finding for each cause among the ports of a pair. */
static void judge_ports(struct mp_mesh *m, const struct mp_pair *p)
{
	mp_auto_strv struct mp_strv seen = { 0 };

	for (size_t i = 0; i < p->n_trials; i++) {
		const struct mp_trial *t = &p->trials[i];

		if (t->ok || is_login(t) || mp_strv_has(&seen, t->cause))
			continue;
		mp_strv_add(&seen, t->cause);
		add_port_finding(m, p, t->cause);
	}
}

/* A range without a free port stops every migration to the host; anything else is only not known.
 */
static void judge_listener(struct mp_mesh *m, size_t h)
{
	const struct mp_err *e = &m->listeners[h].err;
	bool none_free = e->code == MP_E_LIMIT;

	if (m->listeners[h].n_ports || e->code == MP_E_NONE || e->code == MP_E_CANCELLED)
		return;
	mp_findings_add(
		&m->run->findings, PORT, MP_SCOPE_HOST, (ssize_t)h, -1,
		none_free ? MP_FAIL : MP_UNKNOWN,
		none_free ? "Stop the programs that hold the ports, or widen [firewall] ports "
			    "in the profile."
			  : "Mend what the text says and run migprep mesh again.",
		"no listener for the trial: %s", e->text);
}

/* A source that stopped reporting: its pairs say why, and the host gets a finding. */
static void judge_silence(struct mp_mesh *m, size_t h)
{
	const struct mp_mesh_row *row = &m->rows[h];
	const char *name = m->w->inv->hosts[h].name;
	size_t lost = 0;

	for (size_t i = row->first; i < row->first + row->n; i++) {
		struct mp_pair *p = &m->run->pairs[i];

		if (p->tried || !m->tries[h] || !m->w->hosts[p->target].reached)
			continue;
		lost++;
		if (!p->why)
			p->why = mp_xasprintf("%s did not report: %s", name,
					      row->err.code ? row->err.text : "no result came");
	}
	if (lost && row->err.code != MP_E_CANCELLED)
		mp_findings_add(&m->run->findings, SSH, MP_SCOPE_HOST, (ssize_t)h, -1, MP_UNKNOWN,
				"Run migprep mesh again, with this host alone if it was too slow.",
				"%zu pairs from this host were not tried: %s", lost,
				row->err.code ? row->err.text : "time ran out");
}

struct totals {
	size_t pairs, tried, logins, ports, bad_logins, bad_ports;
};

static struct totals judge_pairs(struct mp_mesh *m)
{
	struct totals n = { 0 };

	for (size_t h = 0; h < m->w->inv->n_hosts; h++) {
		const struct mp_mesh_row *row = &m->rows[h];

		n.logins += row->logins;
		n.ports += row->ports;
		for (size_t i = row->first; i < row->first + row->n; i++) {
			const struct mp_pair *p = &m->run->pairs[i];

			n.pairs++;
			n.tried += p->tried;
			m->run->n_pairs_untried += !p->tried;
			for (size_t k = 0; k < p->n_trials; k++) {
				n.bad_logins += !p->trials[k].ok && is_login(&p->trials[k]);
				n.bad_ports += !p->trials[k].ok && !is_login(&p->trials[k]);
			}
			judge_logins(m, p);
			judge_ports(m, p);
		}
	}
	return n;
}

static void add_total(struct mp_mesh *m, const char *id, const struct totals *n, size_t good,
		      const char *reason)
{
	struct mp_finding *f;

	if (n->tried == 0 && n->pairs) {
		mp_findings_add(&m->run->findings, id, MP_SCOPE_CLUSTER, -1, -1, MP_SKIP, NULL,
				"none of %zu pairs was tried", n->pairs);
		return;
	}
	if (n->tried == 0) {
		mp_findings_add(&m->run->findings, id, MP_SCOPE_CLUSTER, -1, -1, MP_SKIP, NULL,
				"no pair to try: fewer than two compute hosts");
		return;
	}
	f = mp_findings_add(&m->run->findings, id, MP_SCOPE_CLUSTER, -1, -1, MP_OK, NULL, "%s",
			    reason);
	f->data = json_pack("{s:I,s:I,s:I}", "pairs", (json_int_t)n->pairs, "tried",
			    (json_int_t)n->tried, "trials", (json_int_t)good);
}

void mp_mesh_judge(struct mp_mesh *m)
{
	mp_auto_free char *pairs = NULL, *ssh = NULL, *port = NULL;
	struct totals n;

	for (size_t h = 0; h < m->w->inv->n_hosts; h++) {
		judge_listener(m, h);
		judge_silence(m, h);
	}
	n = judge_pairs(m);
	pairs = n.tried == n.pairs ? mp_xasprintf("%zu pairs", n.pairs)
				   : mp_xasprintf("%zu of %zu pairs", n.tried, n.pairs);
	ssh = mp_xasprintf("%s, %zu user%s, %zu logins", pairs, m->users.n,
			   m->users.n == 1 ? "" : "s", n.logins);
	port = mp_xasprintf("%s, %zu connections", pairs, n.ports);
	if (n.bad_logins == 0)
		add_total(m, SSH, &n, n.logins, ssh);
	if (n.bad_ports == 0 && (n.ports || n.tried == 0))
		add_total(m, PORT, &n, n.ports, port);
}
