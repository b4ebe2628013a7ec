/* SPDX-License-Identifier: GPL-3.0-or-later */
/* plan: which pairs there are, what each host is asked to do, and where its reports go. */
#include "config.h"
#include "mesh/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "mesh/causes.h"
#include "mesh/mesh.h"

#define MAX_TEXT 300    /* bytes kept of what ssh said */
#define LOGIN_MS 500    /* a login on a busy host, with two at a time on the source */
#define SLACK_MS 120000 /* what a source may lose in trials that time out */
#define START_MS 10000

static bool in_play(const struct mp_world *w, size_t h)
{
	const struct mp_host_state *s = &w->hosts[h];
	unsigned roles = w->inv->hosts[h].roles;

	return (roles == 0 || (roles & MP_ROLE_COMPUTE)) &&
	       (s->selected || s->reached || s->err.code != MP_E_NONE);
}

static void add_pair(struct mp_mesh *m, size_t source, size_t target)
{
	const struct mp_world *w = m->w;
	struct mp_pair *p = mp_run_add_pair(m->run);
	size_t lost = !w->hosts[source].reached ? source : target;

	p->source = source;
	p->target = target;
	m->rows[source].n++;
	m->n_pairs++;
	if (!w->hosts[lost].reached) {
		p->why = mp_xasprintf("%s was not reached", w->inv->hosts[lost].name);
		return;
	}
	m->tries[source] = true;
	m->is_target[target] = true;
}

static void plan_row(struct mp_mesh *m, size_t source)
{
	const struct mp_world *w = m->w;

	m->rows[source].first = m->run->n_pairs;
	if (!in_play(w, source))
		return;
	for (size_t t = 0; t < w->inv->n_hosts; t++)
		if (t != source && in_play(w, t) &&
		    (w->hosts[source].selected || w->hosts[t].selected))
			add_pair(m, source, t);
}

static void mesh_init(const struct mp_world *w, struct mp_run *run, struct mp_mesh *ret)
{
	size_t n = w->inv->n_hosts;

	*ret = (struct mp_mesh){
		.w = w,
		.run = run,
		.names = mp_xcalloc(n, sizeof(*ret->names)),
		.listeners = mp_xcalloc(n, sizeof(*ret->listeners)),
		.rows = mp_xcalloc(n, sizeof(*ret->rows)),
		.tries = mp_xcalloc(n, sizeof(*ret->tries)),
		.is_target = mp_xcalloc(n, sizeof(*ret->is_target)),
	};
	mp_profile_ports(w->profile, "firewall", "ports", &ret->from, &ret->to);
}

void mp_mesh_plan_port(const struct mp_world *w, struct mp_run *run, size_t source, size_t target,
		       struct mp_mesh *ret)
{
	mesh_init(w, run, ret);
	add_pair(ret, source, target);
}

void mp_mesh_plan(const struct mp_world *w, struct mp_run *run, struct mp_mesh *ret)
{
	size_t n = w->inv->n_hosts;

	mesh_init(w, run, ret);
	mp_strv_add(&ret->users, "root");
	if (mp_profile_bool(w->profile, "nova", "manage") &&
	    !mp_str_eq(mp_profile_str(w->profile, "nova", "user"), "root"))
		mp_strv_add(&ret->users, mp_profile_str(w->profile, "nova", "user"));
	for (size_t h = 0; h < n; h++)
		plan_row(ret, h);
	for (size_t h = 0; h < n; h++)
		if (ret->is_target[h])
			mp_world_names(w, h, &ret->names[h]);
}

void mp_mesh_fini(struct mp_mesh *m)
{
	for (size_t h = 0; m->w && h < m->w->inv->n_hosts; h++) {
		mp_strv_fini(&m->names[h]);
		free(m->listeners[h].start);
	}
	mp_strv_fini(&m->users);
	free(m->names);
	free(m->listeners);
	free(m->rows);
	free(m->tries);
	free(m->is_target);
	*m = (struct mp_mesh){ 0 };
}

mp_ms mp_mesh_budget(const struct mp_mesh *m, size_t source)
{
	const struct mp_mesh_row *row = &m->rows[source];
	mp_ms names = 0, usual, worst;

	for (size_t i = 0; i < row->n; i++)
		names += (mp_ms)m->names[m->run->pairs[row->first + i].target].n;
	usual = (names * (mp_ms)m->users.n + (mp_ms)row->n) * LOGIN_MS;
	worst = (2 * names + MP_MESH_PORTS * (mp_ms)row->n) * MP_MESH_TRIAL_MS;
	return START_MS + usual + (worst < SLACK_MS ? worst : SLACK_MS);
}

static json_t *strings(const struct mp_strv *l)
{
	json_t *v = json_array();

	for (size_t i = 0; i < l->n; i++)
		json_array_append_new(v, json_string(l->v[i]));
	return v;
}

static json_t *ports_of(const struct mp_mesh_listener *l)
{
	json_t *v = json_array();

	for (size_t i = 0; i < l->n_ports; i++)
		json_array_append_new(v, json_integer(l->ports[i]));
	return v;
}

static json_t *order_of(const struct mp_mesh *m, size_t target)
{
	const struct mp_host *h = &m->w->inv->hosts[target];
	const struct mp_mesh_listener *l = &m->listeners[target];

	return json_pack("{s:I,s:s,s:o,s:s,s:o,s:s,s:I}", "peer", (json_int_t)target, "name",
			 h->name, "names", strings(&m->names[target]), "address",
			 mp_host_migration_address(h), "ports", ports_of(l), "nonce", l->nonce,
			 "ssh_port", (json_int_t)h->ssh_port);
}

json_t *mp_mesh_orders(const struct mp_mesh *m, size_t source)
{
	const struct mp_mesh_row *row = &m->rows[source];
	json_t *peers = json_array();
	size_t begin = 0;

	/* Host i begins with the host after it: at any moment each host is tried by about one
	 * other. */
	while (begin < row->n && m->run->pairs[row->first + begin].target < source)
		begin++;
	for (size_t i = 0; i < row->n; i++) {
		const struct mp_pair *p = &m->run->pairs[row->first + (begin + i) % row->n];

		if (!p->why)
			json_array_append_new(peers, order_of(m, p->target));
	}
	return json_pack("{s:o,s:o,s:I,s:I}", "peers", peers, "users", strings(&m->users),
			 "timeout_ms", (json_int_t)MP_MESH_TRIAL_MS, "budget_ms",
			 (json_int_t)mp_mesh_budget(m, source));
}

/* ---- reports ---- */

static struct mp_pair *find_pair(struct mp_mesh *m, size_t source, long long target)
{
	const struct mp_mesh_row *row = &m->rows[source];
	size_t low = row->first, high = row->first + row->n;

	if (target < 0)
		return NULL;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		struct mp_pair *p = &m->run->pairs[mid];

		if (p->target == (size_t)target)
			return p;
		if (p->target < (size_t)target)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

/* What a host said, in one line of plain text; NULL when there is nothing. */
static char *clean_text(const char *s)
{
	mp_auto_free char *t = mp_xstrndup(s, MAX_TEXT);
	size_t n;

	mp_str_clean(t);
	for (n = strlen(t); n && t[n - 1] == ' '; n--)
		t[n - 1] = '\0';
	return n ? mp_steal(&t) : NULL;
}

static void settle(struct mp_trial *t, const struct mp_mesh_cause *cause, const json_t *from,
		   const char *text)
{
	long long ms = mp_json_int(from, "ms", -1);

	t->ok = !cause;
	t->cause = cause ? mp_xstrdup(cause->word) : NULL;
	t->text = cause ? clean_text(text) : NULL;
	t->ms = ms >= 0 && ms < 86400000 ? (long)ms : -1;
}

/* The report of one login, or NULL. */
static const json_t *find_login(const json_t *list, const char *user, const char *name)
{
	size_t i;
	const json_t *v;

	json_array_foreach(list, i, v) if (mp_str_eq(mp_json_str(v, "user", NULL), user) &&
					   mp_str_eq(mp_json_str(v, "name", NULL), name)) return v;
	return NULL;
}

/* Of the page that ssh prints about a changed key, what matters: which key answered. */
static char *sent_key(const json_t *from)
{
	const char *key = strstr(mp_json_str(from, "err", ""), "SHA256:");

	return key ? mp_xasprintf("the target sent the key %.*s", (int)strcspn(key, ". \r\n"), key)
		   : NULL;
}

/* The last lines of what ssh said: the banner of the target may stand before its own words. */
static const char *last_words(const char *text)
{
	size_t size = strlen(text);
	const char *line;

	if (size <= MAX_TEXT)
		return text;
	text += size - MAX_TEXT;
	line = strchr(text, '\n');
	return line && line[1] ? line + 1 : text;
}

/* The report of one port, or NULL. */
static const json_t *find_port(const json_t *list, int port)
{
	size_t i;
	const json_t *v;

	json_array_foreach(list, i, v) if (mp_json_int(v, "port", 0) == port) return v;
	return NULL;
}

/* What tells most: ssh's own words where it failed, else what came from the target. */
static const char *text_of(const json_t *from)
{
	const char *error = mp_json_str(from, "error", ""), *out = mp_json_str(from, "out", "");
	const char *err = last_words(mp_json_str(from, "err", ""));

	if (*error)
		return error;
	return *err && (!*out || mp_json_int(from, "exit", -1) == 255) ? err : out;
}

static void take_login(struct mp_trial *t, const char *user, const char *name, const json_t *from)
{
	const struct mp_mesh_cause *cause = mp_mesh_ssh_cause(from);
	mp_auto_free char *key = NULL;

	if (cause && strcmp(cause->word, "host-key-changed") == 0)
		key = sent_key(from);
	t->kind = mp_xstrdup("ssh");
	t->user = mp_xstrdup(user);
	t->target = mp_xstrdup(name);
	settle(t, cause, from, key ? key : text_of(from));
}

static void take_port(struct mp_trial *t, const char *address, int port, const json_t *from)
{
	bool v6 = strchr(address, ':') != NULL;

	t->kind = mp_xstrdup("tcp");
	t->target = mp_xasprintf(v6 ? "[%s]:%d" : "%s:%d", address, port);
	settle(t, mp_mesh_tcp_cause(from), from, mp_json_str(from, "text", ""));
}

/* A pair in order of a large mesh keeps only that it is. */
static void count_row(struct mp_mesh *m, struct mp_mesh_row *row, struct mp_pair *p)
{
	bool ok = true;

	for (size_t i = 0; i < p->n_trials; i++) {
		const struct mp_trial *t = &p->trials[i];

		ok &= t->ok;
		row->logins += t->ok && t->user;
		row->ports += t->ok && !t->user;
	}
	if (ok && m->n_pairs > MP_MESH_FULL_PAIRS)
		mp_pair_drop_trials(p);
}

void mp_mesh_take(struct mp_mesh *m, size_t source, const json_t *report)
{
	struct mp_pair *p = find_pair(m, source, mp_json_int(report, "peer", -1));
	const struct mp_mesh_listener *l;
	const struct mp_strv *names;

	if (!p || p->tried || p->why)
		return;
	if (json_object_get(report, "untried")) {
		p->why = mp_xasprintf("%s ran out of time", m->w->inv->hosts[source].name);
		return;
	}
	names = &m->names[p->target];
	l = &m->listeners[p->target];
	p->tried = true;
	p->trials = mp_xcalloc(m->users.n * names->n + MP_MESH_PORTS, sizeof(*p->trials));
	for (size_t u = 0; u < m->users.n; u++)
		for (size_t i = 0; i < names->n; i++)
			take_login(&p->trials[p->n_trials++], m->users.v[u], names->v[i],
				   find_login(json_object_get(report, "ssh"), m->users.v[u],
					      names->v[i]));
	for (size_t i = 0; i < l->n_ports; i++)
		take_port(&p->trials[p->n_trials++],
			  mp_host_migration_address(&m->w->inv->hosts[p->target]), l->ports[i],
			  find_port(json_object_get(report, "tcp"), l->ports[i]));
	count_row(m, &m->rows[source], p);
}
