/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "fleet/bootstrap.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "templates.h"

/* The lines of SHA256SUMS as words in double quotes; mp_bundle_load() has let only harmless bytes
 * in. */
static void put_sums(struct mp_buf *out, const char *sums)
{
	while (*sums) {
		size_t n = strcspn(sums, "\n");

		if (n)
			mp_buf_printf(out, "\"%.*s\" ", (int)n, sums);
		sums += n + (sums[n] == '\n');
	}
}

static void put_mark(struct mp_buf *out, const char *mark, size_t size,
		     const struct mp_bundle *bundle, const char *dir, const char *nonce)
{
	if (size == 5 && memcmp(mark, "nonce", 5) == 0)
		mp_buf_puts(out, nonce);
	else if (size == 3 && memcmp(mark, "dir", 3) == 0)
		mp_buf_puts(out, dir);
	else if (size == 7 && memcmp(mark, "address", 7) == 0)
		mp_buf_puts(out, bundle->address);
	else if (size == 4 && memcmp(mark, "sums", 4) == 0)
		put_sums(out, bundle->sums);
	else if (size == 4 && memcmp(mark, "size", 4) == 0)
		mp_buf_printf(out, "%zu", bundle->tar_size);
}

static void put_line(struct mp_buf *out, const char *p, const char *end,
		     const struct mp_bundle *bundle, const char *dir, const char *nonce)
{
	while (p < end) {
		const char *mark = memchr(p, '@', (size_t)(end - p));
		const char *close = mark ? memchr(mark + 1, '@', (size_t)(end - mark - 1)) : NULL;

		if (!close) {
			mp_buf_add(out, p, (size_t)(end - p));
			return;
		}
		mp_buf_add(out, p, (size_t)(mark - p));
		put_mark(out, mark + 1, (size_t)(close - mark - 1), bundle, dir, nonce);
		p = close + 1;
	}
}

char *mp_bootstrap_command(const struct mp_bundle *bundle, const char *dir, const char *nonce)
{
	const char *p = mp_template_bootstrap_sh;
	mp_auto_buf struct mp_buf out;

	mp_buf_init(&out, 0);
	/* / belongs to root, so `-O /` asks for the effective user without starting a program. */
	mp_buf_puts(&out, "exec sh -c 'if [ -O / ]; then eval \"$0\"; "
			  "else exec sudo -n sh -c \"$0\"; fi' '");
	while (*p) {
		const char *end = p + strcspn(p, "\n");

		p += strspn(p, "\t ");
		if (p < end && *p != '#') {
			put_line(&out, p, end, bundle, dir, nonce);
			mp_buf_puts(&out, " ");
		}
		p = *end ? end + 1 : end;
	}
	mp_buf_puts(&out, "'");
	return mp_buf_take(&out);
}

char *mp_bootstrap_local(const char *path, const char *nonce)
{
	mp_auto_buf struct mp_buf out;

	mp_buf_init(&out, 0);
	mp_buf_puts(&out, "exec '");
	for (; *path; path++) {
		if (*path == '\'')
			mp_buf_puts(&out, "'\\''");
		else
			mp_buf_add(&out, path, 1);
	}
	mp_buf_printf(&out, "' --greet %s", nonce);
	return mp_buf_take(&out);
}
