/* SPDX-License-Identifier: GPL-3.0-or-later */
/* proof: whether a move is proved by what was seen on source and target. Pure. */
#include "config.h"
#include "migrate/proof.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"

static json_t *seen_json(const struct mp_seen *s)
{
	if (!s->asked)
		return json_pack("{s:b, s:s}", "asked", 0, "error", s->err.text);
	return json_pack("{s:b, s:b, s:b, s:s}", "asked", 1, "by_uuid", s->look.by_uuid, "by_name",
			 s->look.by_name, "state", s->look.state);
}

static json_t *call_json(const struct mp_engine_result *c)
{
	static const char *const words[] = { "ok", "failed", "timeout", "cancelled" };
	json_t *o = json_pack("{s:s}", "result", words[c->end]);

	if (c->err.code) {
		json_object_set_new(o, "code", json_integer(c->err.code));
		json_object_set_new(o, "domain", json_integer(c->err.domain));
		json_object_set_new(o, "text", json_string(c->err.text));
	}
	return o;
}

static json_t *proof_json(const struct mp_proof *p)
{
	json_t *o = json_object();

	json_object_set_new(o, "call", call_json(p->call));
	json_object_set_new(o, "source", seen_json(&p->on_source));
	json_object_set_new(o, "target", seen_json(&p->on_target));
	json_object_set_new(o, "guest_clock",
			    json_pack("{s:I, s:I, s:I}", "source", (json_int_t)p->ticks_before,
				      "target_first", (json_int_t)p->ticks_first, "target_last",
				      (json_int_t)p->on_target.look.ticks));
	if (p->leftovers)
		json_object_set_new(o, "leftovers", json_deep_copy(p->leftovers));
	else
		json_object_set_new(o, "leftovers", json_null());
	return o;
}

static void verdict(struct mp_judgement *j, const char *outcome, const char *remedy,
		    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

static void verdict(struct mp_judgement *j, const char *outcome, const char *remedy,
		    const char *fmt, ...)
{
	va_list ap;

	j->outcome = outcome;
	va_start(ap, fmt);
	if (vasprintf(&j->reason, fmt, ap) < 0)
		abort();
	va_end(ap);
	j->remedy = remedy ? mp_xstrdup(remedy) : NULL;
}

static bool is_here(const struct mp_seen *s)
{
	return s->asked && (s->look.by_uuid || s->look.by_name);
}

/* Where the guest is now, as far as source and target say; for the end of a sentence. */
static char *whereabouts(const struct mp_proof *p)
{
	const struct mp_seen *s = &p->on_source, *t = &p->on_target;

	if (is_here(s) && is_here(t))
		return mp_xasprintf("the guest is %s on %s and %s on %s", s->look.state, p->source,
				    t->look.state, p->target);
	if (is_here(s))
		return mp_xasprintf("the guest is %s on %s%s", s->look.state, p->source,
				    t->asked ? "" : "; its target could not be asked");
	if (is_here(t))
		return mp_xasprintf("the guest is %s on %s%s", t->look.state, p->target,
				    s->asked ? "" : "; its source could not be asked");
	if (!s->asked)
		return mp_xasprintf("where the guest is is unknown: %s could not be asked",
				    p->source);
	if (!t->asked)
		return mp_xasprintf("where the guest is is unknown: %s could not be asked",
				    p->target);
	return mp_xstrdup("the guest is gone from both hosts");
}

/* virErrorNumber VIR_ERR_OPERATION_ABORTED: our own request, told back to us. */
#define ABORTED_AS_ASKED 78

static void judge_timeout(const struct mp_proof *p, const char *said,
			  const struct mp_virt_cause *cause, const char *where,
			  struct mp_judgement *j)
{
	mp_auto_free char *remedy =
		mp_xasprintf("Look that the migration ports of %s are open for %s (migprep mesh) "
			     "and how fast the link is, or raise verify.timeout_s",
			     p->target, p->source);
	bool more = p->call->err.code != ABORTED_AS_ASKED;

	verdict(j, "aborted", cause->remedy ? cause->remedy : remedy,
		"not finished after %lld s and aborted; %s%s%s", p->timeout_ms / 1000,
		more ? said : "", more ? "; " : "", where);
}

static void judge_failed_call(const struct mp_proof *p, struct mp_judgement *j)
{
	mp_auto_free char *where = whereabouts(p);
	mp_auto_free char *see = mp_xasprintf("See the journal of libvirt and "
					      "/var/log/libvirt/qemu/%s.log on %s and %s",
					      p->name, p->source, p->target);
	mp_auto_free char *said = NULL;
	struct mp_virt_cause cause;

	mp_virt_explain(&p->call->err, p->source, p->target, &cause);
	said = mp_virt_reason("libvirt", &p->call->err, &cause);
	if (p->call->end == MP_ENGINE_CANCELLED)
		verdict(j, "aborted", NULL, "stopped by the operator; %s", where);
	else if (p->call->end == MP_ENGINE_TIMEOUT)
		judge_timeout(p, said, &cause, where, j);
	else
		verdict(j, cause.before_start && is_here(&p->on_source) ? "refused" : "failed",
			cause.remedy ? cause.remedy : see, "%s; %s", said, where);
	mp_virt_cause_fini(&cause);
}

/* True when something was wrong with where the guest is. */
static bool judge_place(const struct mp_proof *p, struct mp_judgement *j)
{
	const struct mp_seen *s = &p->on_source, *t = &p->on_target;
	const struct mp_seen *silent = !t->asked ? t : s;
	mp_auto_free char *where = whereabouts(p);
	mp_auto_free char *see = mp_xasprintf("See /var/log/libvirt/qemu/%s.log on %s and %s",
					      p->name, p->source, p->target);

	if (!t->asked || !s->asked) {
		verdict(j, "unproved", "Look that the host is up and its libvirt answers",
			"libvirt reported success, but %s could not be asked: %s",
			silent == t ? p->target : p->source, silent->err.text);
		return true;
	}
	if (is_here(s) || !t->look.by_uuid) {
		verdict(j, "failed", see, "libvirt reported success, but %s", where);
		return true;
	}
	if (!t->look.running) {
		verdict(j, "failed", see, "libvirt reported success, but the guest is %s on %s",
			t->look.state, p->target);
		return true;
	}
	if (!t->look.migrated) {
		verdict(j, "unproved", see, "the guest is %s on %s, not there by migration",
			t->look.state, p->target);
		return true;
	}
	return false;
}

/* True when the guest does not show that it lives. */
static bool judge_life(const struct mp_proof *p, struct mp_judgement *j)
{
	mp_auto_free char *see =
		mp_xasprintf("See /var/log/libvirt/qemu/%s.log on %s", p->name, p->target);

	if (p->ticks_first < 0 || p->on_target.look.ticks < 0) {
		verdict(j, "unproved", see,
			"the clock in the guest's memory cannot be read on %s, so nothing shows "
			"that it "
			"lives",
			p->target);
		return true;
	}
	if (p->ticks_first == p->on_target.look.ticks) {
		verdict(j, "failed", see,
			"libvirt says that the guest runs on %s, but the clock in its memory "
			"stands still",
			p->target);
		return true;
	}
	return false;
}

/* "process 123, /run/libvirt/qemu/x.pid": at most three of them. */
static char *left_words(const json_t *leftovers)
{
	mp_auto_buf struct mp_buf b = { 0 };
	const char *const keys[] = { "processes", "files" };
	size_t n = 0, i;
	const json_t *item;

	for (size_t k = 0; k < MP_N_ELEMS(keys); k++) {
		json_array_foreach(json_object_get(leftovers, keys[k]), i, item)
		{
			if (n++ < 3)
				mp_buf_printf(&b, "%s%s", n > 1 ? ", " : "",
					      json_is_string(item) ? json_string_value(item) : "?");
		}
	}
	if (n > 3)
		mp_buf_printf(&b, " and %zu more", n - 3);
	return n ? mp_buf_take(&b) : NULL;
}

static bool judge_leftovers(const struct mp_proof *p, struct mp_judgement *j)
{
	mp_auto_free char *words = NULL;

	if (!p->leftovers) {
		verdict(j, "unproved", "Look that the host answers",
			"%s could not be searched for what the guest left: %s", p->source,
			p->leftovers_error ? p->leftovers_error : "not tried");
		return true;
	}
	words = left_words(p->leftovers);
	if (!words)
		return false;
	verdict(j, "unproved", "End the process, and remove the files, on the source",
		"the guest moved, but left behind on %s: %s", p->source, words);
	return true;
}

void mp_proof_judge(const struct mp_proof *p, struct mp_judgement *ret)
{
	*ret = (struct mp_judgement){ .outcome = "ok", .proof = proof_json(p) };
	if (p->call->end != MP_ENGINE_DONE)
		judge_failed_call(p, ret);
	else if (!judge_place(p, ret) && !judge_life(p, ret))
		judge_leftovers(p, ret);
}

void mp_judgement_fini(struct mp_judgement *j)
{
	free(j->reason);
	free(j->remedy);
	json_decref(j->proof);
	*j = (struct mp_judgement){ 0 };
}
