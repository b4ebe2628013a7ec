/* SPDX-License-Identifier: GPL-3.0-or-later */
/* judge: see judge.h. */
#include "config.h"
#include "probe/judge.h"

#include <string.h>

#include "base/alloc.h"

#define FRESH 3
/* Without these the detector is not proved; the others need two pages, or come on top. */
#define MUST_CATCH                                                                                 \
	(1u << MP_FAULT_ZERO | 1u << MP_FAULT_STALE | 1u << MP_FAULT_BITS | 1u << MP_FAULT_TORN |  \
	 1u << MP_FAULT_LEDGER)

static void say(struct mp_probe_verdict *v, const char *text)
{
	mp_strv_add(&v->reasons, text);
}

/* The latest such record, the target's before the source's. */
static const struct mp_probe_record *either(const struct mp_probe_case *c, enum mp_probe_type type,
					    int a)
{
	const struct mp_probe_record *r = mp_probe_track_find(c->target, type, a);

	return r ? r : mp_probe_track_find(c->source, type, a);
}

/* ---- life ---- */

static bool one_story(const struct mp_probe_case *c, struct mp_probe_verdict *v)
{
	const struct mp_probe_track *s = c->source, *t = c->target;
	size_t before = v->reasons.n;

	if (s->backwards || t->backwards)
		say(v,
		    "the guest's own counters went back: it was reset or lost part of its memory");
	if (s->full || t->full)
		say(v,
		    "the guest said more than migprep keeps: the record of the move is incomplete");
	if (!s->first.type) {
		say(v, "nothing was heard from the guest on the source, so nothing shows that the "
		       "guest on the target is the same");
		return false;
	}
	if (!t->first.type)
		return v->reasons.n == before;
	if (t->first.seq <= s->last.seq)
		mp_strv_take(
			&v->reasons,
			mp_xasprintf("the target repeats what the source said already "
				     "(record %u after %u): the guest was set back, or runs on "
				     "both hosts",
				     t->first.seq, s->last.seq));
	else if (t->first.ticks < s->last.ticks)
		say(v, "the guest's run time on the target began before it ended on the source");
	if (s->n_beats && t->n_beats) {
		const struct mp_probe_record *a = &s->beats[s->n_beats - 1], *b = &t->beats[0];

		if (b->c < a->c)
			mp_strv_take(&v->reasons,
				     mp_xasprintf("the guest had written %u pages on the source "
						  "and counts only %u on the target: updates were "
						  "lost",
						  a->c, b->c));
		if (b->b < a->b)
			say(v, "the guest counts fewer faults on the target than on the source: "
			       "updates were lost");
	}
	return v->reasons.n == before;
}

static bool works(const struct mp_probe_case *c, struct mp_probe_verdict *v)
{
	const struct mp_probe_track *t = c->target;
	const uint32_t *p = c->params->v;
	bool dirties = p[MP_PP_HOT_MIB] && (p[MP_PP_RATE_MIBS] || p[MP_PP_LOOP] == MP_LOOP_CLOSED);
	unsigned fresh = c->fresh ? c->fresh : FRESH;
	const struct mp_probe_record *rate = either(c, MP_PT_ACK, MP_PC_RATE);
	size_t before = v->reasons.n;

	if (rate && rate->b)
		dirties = p[MP_PP_HOT_MIB] && rate->c;
	if (t->n_beats < fresh) {
		mp_strv_take(&v->reasons,
			     mp_xasprintf("%zu beats of the guest came from the target, %u are "
					  "wanted: it does not run there, or its console is not "
					  "read",
					  t->n_beats, fresh));
		return false;
	}
	if (t->beats[t->n_beats - 1].ticks <= t->beats[0].ticks)
		say(v, "the guest's clock stands still on the target");
	if (dirties && t->beats[t->n_beats - 1].c == t->beats[0].c)
		say(v, "the guest beats on the target but no longer writes its memory");
	if (mp_probe_track_find(t, MP_PT_PANIC, -1))
		say(v, "the guest stopped on the target: its processor met what it could not run");
	if (mp_probe_track_find(t, MP_PT_OFF, MP_OFF_DEADMAN))
		say(v,
		    "the guest ended itself on the target: nobody had spoken to it for too long");
	else if (mp_probe_track_find(t, MP_PT_OFF, -1))
		say(v, "the guest was told to end on the target");
	return v->reasons.n == before;
}

/* ---- integrity ---- */

static bool same_guest(const struct mp_probe_case *c, struct mp_probe_verdict *v)
{
	for (int i = 1; i < MP_PP_END; i++) {
		const struct mp_probe_record *r = either(c, MP_PT_PARAM, i);

		if (r && r->c != c->params->v[i]) {
			say(v, "the guest runs with other parameters than it was given");
			return false;
		}
	}
	return true;
}

static bool detector(const struct mp_probe_case *c, struct mp_probe_verdict *v)
{
	const struct mp_probe_record *r = either(c, MP_PT_SELFTEST, -1);

	if (!r) {
		say(v, "the guest did not say that its self-test found the faults it made: its "
		       "checks prove nothing");
		return false;
	}
	if ((r->a & r->b) != r->b || (r->a & MUST_CATCH) != MUST_CATCH) {
		mp_strv_take(&v->reasons,
			     mp_xasprintf("the guest's self-test missed faults that it made itself "
					  "(made 0x%x, found 0x%x): its checks prove nothing",
					  r->b, r->a));
		return false;
	}
	return true;
}

/* Puts the parts of one fault together, which come one after the other. */
static void collect_faults(const struct mp_probe_track *t, struct mp_probe_verdict *v)
{
	for (size_t i = 0; i < t->n_others && v->n_faults < MP_PROBE_MAX_FAULTS; i++) {
		const struct mp_probe_record *r = &t->others[i];
		struct mp_probe_fault_seen *f;

		if (r->type != MP_PT_FAULT)
			continue;
		f = &v->faults[v->n_faults++];
		*f = (struct mp_probe_fault_seen){ .kind = (enum mp_probe_fault)r->a,
						   .page = r->c };
		for (size_t k = i + 1; k < t->n_others && k < i + 8; k++) {
			const struct mp_probe_record *d = &t->others[k];

			if (d->type == MP_PT_FAULT)
				break;
			if (d->b != r->b)
				continue;
			if (d->type == MP_PT_FAULT_WANT) {
				f->where = (enum mp_probe_where)d->a;
				f->want = d->c;
			} else if (d->type == MP_PT_FAULT_GOT) {
				f->word = d->a;
				f->got = d->c;
			} else if (d->type == MP_PT_FAULT_FROM) {
				f->bits = d->a;
				f->from = d->c;
			}
		}
	}
}

static void count_faults(const struct mp_probe_case *c, struct mp_probe_verdict *v)
{
	const struct mp_probe_track *tracks[] = { c->source, c->target };

	for (size_t k = 0; k < 2; k++) {
		const struct mp_probe_track *t = tracks[k];

		collect_faults(t, v);
		for (size_t i = 0; i < t->n_beats; i++)
			if (t->beats[i].b > v->total_faults)
				v->total_faults = t->beats[i].b;
		for (size_t i = 0; i < t->n_others; i++)
			if (t->others[i].type == MP_PT_SCAN_END && t->others[i].b > v->total_faults)
				v->total_faults = t->others[i].b;
	}
	if (v->n_faults > v->total_faults)
		v->total_faults = (uint32_t)v->n_faults;
	if (v->n_faults) {
		const struct mp_probe_fault_seen *f = &v->faults[0];

		mp_strv_take(&v->reasons,
			     mp_xasprintf("the guest found %u fault%s in its memory or disk, the "
					  "first a %s at %u (generation %u, expected %u)",
					  v->total_faults, v->total_faults == 1 ? "" : "s",
					  mp_probe_fault_name(f->kind), f->page, f->got, f->want));
	} else if (v->total_faults) {
		mp_strv_take(&v->reasons, mp_xasprintf("the guest counts %u faults in its memory "
						       "or disk, and did not describe them here",
						       v->total_faults));
	}
}

/* The scan on the target, from its begin to its end; false: none that counts. */
static bool scanned(const struct mp_probe_case *c, struct mp_probe_verdict *v)
{
	const struct mp_probe_record *begin, *end;
	uint32_t want = mp_probe_pages(c->params);

	begin = mp_probe_track_find(c->target, MP_PT_SCAN_BEGIN, c->scan_id);
	end = mp_probe_track_find(c->target, MP_PT_SCAN_END, c->scan_id);
	if (!begin || !end || end->seq < begin->seq) {
		say(v, !begin ? "no scan of the guest's memory was begun on the target"
			      : "the scan of the guest's memory on the target did not end");
		return false;
	}
	v->pages_checked = end->c;
	if (end->c == want && begin->c == want && want)
		return end->b == 0;
	mp_strv_take(&v->reasons, mp_xasprintf("the scan on the target checked %u pages, the guest "
					       "has %u",
					       end->c, want));
	return false;
}

static bool disk_scanned(const struct mp_probe_case *c, struct mp_probe_verdict *v)
{
	const struct mp_probe_record *r, *ready;

	if (either(c, MP_PT_DISK, MP_DISK_NONE)) {
		say(v, "the guest found no virtio-blk disk that it can drive");
		return false;
	}
	if (either(c, MP_PT_DISK, MP_DISK_NOT_SCRATCH)) {
		say(v, "the guest's disk does not begin with migprep's mark, so the guest did not "
		       "touch it");
		return false;
	}
	r = mp_probe_track_find(c->target, MP_PT_SCAN_DISK, c->scan_id);
	ready = either(c, MP_PT_READY, -1);
	if (!r || !ready || !ready->a || r->c != ready->a) {
		mp_strv_take(&v->reasons, mp_xasprintf("the scan on the target checked %u blocks "
						       "of the disk, the guest uses %u",
						       r ? r->c : 0, ready ? ready->a : 0));
		return false;
	}
	v->blocks_checked = r->c;
	return r->b == 0;
}

/* ---- what it felt like ---- */

static void measure(const struct mp_probe_case *c, struct mp_probe_verdict *v)
{
	uint32_t beat = c->params->v[MP_PP_BEAT_US];
	int64_t end = c->target->last.type ? c->target->last.at_us + 1 : INT64_MAX;

	mp_probe_window(c->source, INT64_MIN, c->begin_us, beat, &v->before);
	mp_probe_window(c->source, c->begin_us, INT64_MAX, beat, &v->during);
	mp_probe_window(c->target, INT64_MIN, INT64_MAX, beat, &v->after);
	mp_probe_switch(c->source, c->target, &v->hand_over);
	v->guest_pause_us = -1;
	if (v->hand_over.seen)
		v->guest_pause_us = v->hand_over.blackout_us < 0 ? 0 : v->hand_over.blackout_us;
	v->brownout_us = mp_probe_brownout_us(
		c->source, c->target, c->begin_us, end,
		v->before.guest.p99_us > (int64_t)beat ? v->before.guest.p99_us - beat : 0, beat);
}

void mp_probe_judge(const struct mp_probe_case *c, struct mp_probe_verdict *ret)
{
	bool story, proved, clean;

	memset(ret, 0, sizeof(*ret));
	story = one_story(c, ret);
	ret->alive = works(c, ret) && story;
	count_faults(c, ret);
	clean = ret->total_faults == 0;
	proved = detector(c, ret);
	ret->detector_proved = same_guest(c, ret) && proved;
	ret->memory_verified = scanned(c, ret) && ret->detector_proved && story && clean;
	if (c->params->v[MP_PP_DISK])
		ret->disk_verified = disk_scanned(c, ret) && ret->detector_proved && story && clean;
	measure(c, ret);
	ret->ok = ret->alive && ret->memory_verified &&
		  (ret->disk_verified || !c->params->v[MP_PP_DISK]) && ret->reasons.n == 0;
}

void mp_probe_verdict_fini(struct mp_probe_verdict *v)
{
	mp_strv_fini(&v->reasons);
}
