/* SPDX-License-Identifier: GPL-3.0-or-later */
/* progress: one line per phase on standard error; on a terminal it is drawn over as hosts finish.
 */
#include "config.h"
#include "cli/context.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"

#define REDRAW_MS 100
#define SLOW_MS 5000 /* a phase of that length names the host that it waited for */

void mp_cli_say(const struct mp_cli *cli, const char *fmt, ...)
{
	va_list ap;

	if (cli->opt.quiet)
		return;
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

void mp_progress_begin(struct mp_progress *p, struct mp_cli *cli, const char *what)
{
	*p = (struct mp_progress){ .cli = cli, .what = what, .started = mp_now() };
}

void mp_progress_host(const struct mp_host *h, const struct mp_err *err, size_t done, size_t total,
		      void *arg)
{
	struct mp_progress *p = arg;
	mp_ms now = mp_now();

	p->last = h->name;
	p->last_ms = now - p->started;
	if (err->code != MP_E_NONE)
		p->failed++;
	if (p->cli->opt.quiet || !p->cli->stderr_tty || now - p->drawn < REDRAW_MS)
		return;
	p->drawn = now;
	fprintf(stderr, "\r\033[K%s: %zu of %zu hosts, %zu failed, last %s", p->what, done, total,
		p->failed, h->name);
	fflush(stderr);
}

void mp_progress_end(struct mp_progress *p, size_t total)
{
	mp_ms ms = mp_now() - p->started;

	if (p->cli->opt.quiet)
		return;
	if (p->cli->stderr_tty)
		fputs("\r\033[K", stderr);
	fprintf(stderr, "%s: %zu host%s in %lld.%01lld s", p->what, total, total == 1 ? "" : "s",
		(long long)ms / 1000, (long long)ms % 1000 / 100);
	if (p->failed)
		fprintf(stderr, ", %zu failed", p->failed);
	/* More hosts than workers: the last may only have begun late. */
	if (p->last && p->last_ms >= SLOW_MS && total > 1)
		fprintf(stderr, ", %s %s %lld.%01lld s",
			total <= p->cli->fleet.forks ? "slowest" : "last", p->last,
			(long long)p->last_ms / 1000, (long long)p->last_ms % 1000 / 100);
	fputc('\n', stderr);
}
