/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "resource/want.h"

#include <stdarg.h>

__attribute__((format(printf, 1, 0))) static json_t *text_of(const char *fmt, va_list ap)
{
	return json_vsprintf(fmt, ap);
}

json_t *mp_want_skip(const char *fmt, ...)
{
	va_list ap;
	json_t *r;

	va_start(ap, fmt);
	r = json_pack("{s:o}", "skip", text_of(fmt, ap));
	va_end(ap);
	return r;
}

json_t *mp_want_fail(const char *remedy, const char *fmt, ...)
{
	va_list ap;
	json_t *r;

	va_start(ap, fmt);
	r = json_pack("{s:o,s:s}", "fail", text_of(fmt, ap), "remedy", remedy);
	va_end(ap);
	return r;
}

json_t *mp_want_no_nova(const struct mp_world *w)
{
	if (mp_profile_bool(w->profile, "nova", "manage"))
		return NULL;
	return mp_want_skip("the profile says nova.manage = no");
}

const struct mp_host *mp_nfs_server(const struct mp_inventory *inv, size_t *ret_n)
{
	const struct mp_host *r = NULL;
	size_t n = 0;

	for (size_t i = 0; i < inv->n_hosts; i++) {
		if (!(inv->hosts[i].roles & MP_ROLE_NFS))
			continue;
		if (!n++)
			r = &inv->hosts[i];
	}
	if (ret_n)
		*ret_n = n;
	return r;
}
