/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ports-boot: our file, the include line, and nft's word that the whole loads. */
#include "config.h"
#include "resource/ports-boot.h"

#include <arpa/inet.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

#define NFT_MS 30000

/* ---- texts ---- */

char *mp_ports_snippet_path(const char *config)
{
	const char *slash = strrchr(config, '/');

	return mp_xasprintf("%.*s/nftables.d/migprep.nft", slash ? (int)(slash - config) : 0,
			    config);
}

static void put_addrs(int family, const void *addrs, size_t n, struct mp_buf *out)
{
	size_t size = family == AF_INET ? 4 : 16, i;
	char text[INET6_ADDRSTRLEN];

	for (i = 0; i < n; i++) {
		if (inet_ntop(family, (const uint8_t *)addrs + i * size, text, sizeof(text)))
			mp_buf_printf(out, "%s%s", i ? ", " : "", text);
	}
}

/* One set of a table, emptied and filled, so that a second load of the file changes nothing. */
static void put_set(const struct mp_nft_chain *c, const char *set, int family, const void *addrs,
		    size_t n, struct mp_buf *out)
{
	const char *fam = mp_nft_family_name(c->family);

	mp_buf_printf(out, "add set %s %s %s { type %s; }\n", fam, c->table, set,
		      family == AF_INET ? "ipv4_addr" : "ipv6_addr");
	mp_buf_printf(out, "flush set %s %s %s\n", fam, c->table, set);
	mp_buf_printf(out, "add element %s %s %s { ", fam, c->table, set);
	put_addrs(family, addrs, n, out);
	mp_buf_puts(out, " }\n");
}

static void put_chain(const struct mp_ports *p, const struct mp_ports_chain *pc, bool declare,
		      struct mp_buf *out)
{
	static const unsigned kinds[] = { MP_PORTS_V6, MP_PORTS_V4, MP_PORTS_ANY };
	mp_auto_free char *name = mp_ports_chain_name(pc->chain);
	size_t i;

	if (declare)
		mp_buf_printf(out, "add table %s %s\nadd chain %s\n",
			      mp_nft_family_name(pc->chain->family), pc->chain->table, name);
	if (pc->wanted & MP_PORTS_V4)
		put_set(pc->chain, MP_PORTS_SET4, AF_INET, p->v4, p->n4, out);
	if (pc->wanted & MP_PORTS_V6)
		put_set(pc->chain, MP_PORTS_SET6, AF_INET6, p->v6, p->n6, out);
	for (i = 0; i < MP_N_ELEMS(kinds); i++) {
		if (!(pc->wanted & kinds[i]))
			continue;
		mp_buf_printf(out, "insert rule %s ", name);
		mp_ports_rule_text(p, kinds[i], out);
		mp_buf_puts(out, " comment \"" MP_PORTS_COMMENT "\"\n");
	}
}

char *mp_ports_snippet(const struct mp_ports *p, const struct mp_ports_view *v, bool declare)
{
	mp_auto_buf struct mp_buf out;
	size_t i;

	mp_buf_init(&out, 0);
	mp_buf_puts(&out,
		    "# Written by migprep (migration-ports): lets live-migration data in from the\n"
		    "# other hosts. It is included last and goes to the head of each chain.\n");
	for (i = 0; i < v->n_chains; i++) {
		if (!v->chains[i].owner && v->chains[i].wanted)
			put_chain(p, &v->chains[i], declare, &out);
	}
	return mp_buf_take(&out);
}

/* The file name of an include line, or NULL. Heap string. */
static char *include_of(const char *line, size_t n)
{
	const char *end = line + n, *quote;
	char q;

	while (line < end && strchr(" \t", *line))
		line++;
	if (end - line < 7 || strncmp(line, "include", 7) != 0)
		return NULL;
	for (line += 7; line < end && strchr(" \t", *line); line++)
		;
	if (line == end || (*line != '"' && *line != '\''))
		return NULL;
	q = *line++;
	quote = memchr(line, q, (size_t)(end - line));
	return quote ? mp_xstrndup(line, (size_t)(quote - line)) : NULL;
}

bool mp_ports_includes(const char *config_text, const char *path)
{
	const char *line = config_text, *next;

	for (; line && *line; line = next) {
		mp_auto_free char *file = NULL;

		next = strchr(line, '\n');
		file = include_of(line, next ? (size_t)(next - line) : strlen(line));
		next = next ? next + 1 : NULL;
		if (file && fnmatch(file, path, FNM_PATHNAME) == 0)
			return true;
	}
	return false;
}

/*
 * Our file as a pattern that matches it alone: nft refuses the whole configuration when a file that
 * it names is missing, but not when a pattern matches nothing, and somebody may remove our file by
 * hand.
 */
static char *pattern_of(const char *path)
{
	size_t n = strlen(path);

	return mp_xasprintf("%.*s[%c]", (int)(n - 1), path, path[n - 1]);
}

char *mp_ports_include_line(const char *path)
{
	mp_auto_free char *pattern = pattern_of(path);

	return mp_xasprintf("include \"%s\"", pattern);
}

char *mp_ports_add_include(const char *config_text, const char *path)
{
	mp_auto_free char *line = mp_ports_include_line(path);
	size_t n = strlen(config_text);
	const char *eol = n && config_text[n - 1] != '\n' ? "\n" : "";

	return mp_xasprintf("%s%s%s\n", config_text, eol, line);
}

/* The configuration without lines that include our file by name. */
static char *without_include(const char *config_text, const char *path)
{
	mp_auto_free char *pattern = pattern_of(path);
	mp_auto_buf struct mp_buf out;
	const char *line = config_text, *next;

	mp_buf_init(&out, 0);
	for (; line && *line; line = next) {
		mp_auto_free char *file = NULL;
		size_t n;

		next = strchr(line, '\n');
		n = next ? (size_t)(next - line) + 1 : strlen(line);
		file = include_of(line, n);
		if (!file || (strcmp(file, path) != 0 && strcmp(file, pattern) != 0))
			mp_buf_add(&out, line, n);
		next = next ? next + 1 : NULL;
	}
	return mp_buf_take(&out);
}

/* ---- nft ---- */

/* What nft complained of first, and where: in a file of the host, "line N of FILE". */
struct complaint {
	char *what, *place; /* place: NULL when it is in our own input */
};

static void complaint_fini(struct complaint *c)
{
	free(c->what);
	free(c->place);
	*c = (struct complaint){ 0 };
}

/* "FILE:LINE:COLUMNS: Error: WHAT"; without columns when it cannot be opened. */
static void complaint_of(const struct mp_run_result *r, struct complaint *ret)
{
	const char *s = r->errtext ? r->errtext : "", *e = strstr(s, "Error: "), *line = e;
	mp_auto_free char *where = NULL;
	size_t n;
	char *at;

	if (r->timed_out) {
		ret->what = mp_xstrdup("nft did not answer in time");
		return;
	}
	while (line && line > s && line[-1] != '\n')
		line--;
	where = e ? mp_xstrndup(line, (size_t)(e - line)) : mp_xstrdup("");
	at = *where == '/' ? strchr(where, ':') : NULL;
	n = at ? strspn(at + 1, "0123456789") : 0;
	if (n && strncmp(where, "/dev/", 5) != 0)
		ret->place =
			mp_xasprintf("line %.*s of %.*s", (int)n, at + 1, (int)(at - where), where);
	s = e ? e + 7 : s;
	n = strcspn(s, "\n");
	ret->what = n ? mp_xstrndup(s, n) : mp_xasprintf("exit status %d", r->status);
}

/* nft -c on a file (or on text as standard input). 0 with ret->what NULL when it would load. */
static int try_load(struct mp_sys *sys, const char *file, const char *text, struct complaint *ret,
		    struct mp_err *err)
{
	const char *const argv[] = { "nft", "-c", "-f", file, NULL };
	const struct mp_run_opts opts = { .input = text, .timeout_ms = NFT_MS };
	struct mp_run_result res = { 0 };

	if (mp_sys_run(sys, argv, &opts, &res, err) < 0)
		return -1;
	if (res.status || res.timed_out)
		complaint_of(&res, ret);
	mp_run_result_fini(&res);
	return 0;
}

static json_t *problem_of(const char *cause, const char *place, char *text)
{
	json_t *o = json_pack("{s:s,s:s}", "cause", cause, "problem", text);

	if (place)
		json_object_set_new(o, "place", json_string(place));
	free(text);
	return o;
}

static json_t *refusal(const char *config, const struct complaint *c)
{
	return problem_of("refused", c->place,
			  c->place ? mp_xasprintf("nft refuses %s: %s", c->place, c->what)
				   : mp_xasprintf("nft refuses %s as it is: %s", config, c->what));
}

/*
 * Why the rules cannot be kept in the configuration; NULL when they can. The trial starts from an
 * empty ruleset, so that only what the configuration itself defines counts, and leaves out our
 * declarations.
 */
static json_t *find_problem(struct mp_sys *sys, const struct mp_ports *p,
			    const struct mp_ports_view *v, const char *config_text)
{
	mp_auto_free char *path = mp_ports_snippet_path(p->config);
	mp_auto_free char *rest = NULL, *rules = NULL, *alone = NULL, *both = NULL;
	__attribute__((cleanup(complaint_fini))) struct complaint c = { 0 }, self = { 0 };
	struct mp_err err = { 0 };

	if (!config_text)
		return problem_of("no-file", NULL, mp_xasprintf("%s does not exist", p->config));
	rest = without_include(config_text, path);
	rules = mp_ports_snippet(p, v, false);
	alone = mp_xasprintf("flush ruleset\n%s\n", rest);
	both = mp_xasprintf("%s%s", alone, rules);
	if (try_load(sys, "-", both, &c, &err) < 0)
		return problem_of(
			"no-nft", NULL,
			mp_xasprintf("nft cannot be run to check %s (%s)", p->config, err.text));
	if (!c.what)
		return NULL;
	complaint_fini(&c);
	if (try_load(sys, "-", alone, &c, &err) == 0 && c.what) {
		/* The file itself, for the line in it or in one that it includes. */
		if (try_load(sys, p->config, NULL, &self, &err) == 0 && self.what)
			return refusal(p->config, &self);
		return refusal(p->config, &c);
	}
	return problem_of("elsewhere", NULL,
			  mp_xasprintf("%s does not define the chain that drops the packets; its "
				       "rules come from elsewhere",
				       p->config));
}

/* What was written once may have been broken since. Without nft nothing can be said. */
static json_t *still_loads(struct mp_sys *sys, const char *config)
{
	__attribute__((cleanup(complaint_fini))) struct complaint c = { 0 };
	struct mp_err err = { 0 };

	return try_load(sys, config, NULL, &c, &err) == 0 && c.what ? refusal(config, &c) : NULL;
}

/* ---- the host ---- */

/* Whether systemd loads the configuration at boot. Other service managers are not judged. */
static const char *boot_state(struct mp_sys *sys)
{
	static const char *const links[] = {
		"/etc/systemd/system/sysinit.target.wants/nftables.service",
		"/etc/systemd/system/multi-user.target.wants/nftables.service",
		"/etc/systemd/system/basic.target.wants/nftables.service",
	};
	struct mp_err ignored;
	struct stat st;
	bool exists = false;
	size_t i;

	if (mp_sys_stat(sys, "/run/systemd/system", &exists, &st, &ignored) < 0 || !exists)
		return "unknown";
	for (i = 0; i < MP_N_ELEMS(links); i++) {
		if (mp_sys_stat(sys, links[i], &exists, &st, &ignored) == 0 && exists)
			return "yes";
	}
	return "no";
}

int mp_ports_boot_look(struct mp_sys *sys, const struct mp_ports *p, const struct mp_ports_view *v,
		       const char *config_text, json_t **ret, struct mp_err *err)
{
	mp_auto_free char *path = mp_ports_snippet_path(p->config);
	mp_auto_free char *now = NULL, *then = mp_ports_snippet(p, v, true);
	bool included = config_text && mp_ports_includes(config_text, path), current;
	json_t *problem;
	size_t size;

	if (mp_sys_read(sys, path, &now, &size, NULL, err) < 0)
		return -1;
	current = mp_str_eq(now, then);
	problem = included && current ? still_loads(sys, p->config)
				      : find_problem(sys, p, v, config_text);
	*ret = json_pack("{s:b,s:b,s:s,s:s}", "config", config_text != NULL, "included", included,
			 "snippet",
			 !now      ? "absent"
			 : current ? "current"
				   : "differs",
			 "boot", boot_state(sys));
	if (problem)
		json_object_update(*ret, problem);
	json_decref(problem);
	return 0;
}

static int make_dir(struct mp_sys *sys, const char *path, struct mp_err *err)
{
	mp_auto_free char *dir = mp_xstrndup(path, (size_t)(strrchr(path, '/') - path));
	const struct mp_attr attr = { .mode = 0755 };
	struct stat st;
	bool exists;

	if (mp_sys_stat(sys, dir, &exists, &st, err) < 0)
		return -1;
	return exists ? 0 : mp_sys_mkdir(sys, dir, &attr, err);
}

static int put_back(struct mp_sys *sys, const char *path, const char *old, struct mp_err *err)
{
	static const char empty[] = "# Emptied by migprep: nft refused the rules.\n";
	const char *text = old ? old : empty;

	return mp_sys_write(sys, path, text, strlen(text), NULL, false, err);
}

/* Both files are written; nft has the last word. */
static int confirm(struct mp_sys *sys, const char *config, const char *old_config, const char *path,
		   const char *old_snippet, struct mp_err *err)
{
	__attribute__((cleanup(complaint_fini))) struct complaint c = { 0 };
	struct mp_err again = { 0 };

	if (try_load(sys, config, NULL, &c, err) < 0)
		c.what = mp_xstrdup(err->text);
	if (!c.what)
		return 0;
	if (put_back(sys, config, old_config, &again) < 0 ||
	    put_back(sys, path, old_snippet, &again) < 0)
		return mp_err_set(err, MP_E_SYS,
				  "nft refuses %s (%s), and it could not be put back: %s", config,
				  c.what, again.text);
	return mp_err_set(err, MP_E_SYS, "nft refuses %s with our rules (%s); it was put back",
			  config, c.what);
}

int mp_ports_boot_write(struct mp_sys *sys, const struct mp_ports *p, const struct mp_ports_view *v,
			struct mp_err *err)
{
	const struct mp_attr fresh = { .mode = 0644 };
	mp_auto_free char *path = mp_ports_snippet_path(p->config);
	mp_auto_free char *config = NULL, *old = NULL, *text = mp_ports_snippet(p, v, true);
	mp_auto_free char *new = NULL;
	size_t size, old_size;

	if (mp_sys_read(sys, p->config, &config, &size, NULL, err) < 0 ||
	    mp_sys_read(sys, path, &old, &old_size, NULL, err) < 0)
		return -1;
	if (!config || strlen(config) != size)
		return mp_err_set(err, MP_E_INPUT, "%s %s", p->config,
				  config ? "contains a NUL byte; mend it by hand" : "has gone");
	new = mp_ports_includes(config, path) ? mp_xstrdup(config)
					      : mp_ports_add_include(config, path);
	if (make_dir(sys, path, err) < 0 ||
	    mp_sys_write(sys, path, text, strlen(text), &fresh, false, err) < 0 ||
	    mp_sys_write(sys, p->config, new, strlen(new), NULL, false, err) < 0)
		return -1;
	return confirm(sys, p->config, config, path, old, err);
}
