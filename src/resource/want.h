/* SPDX-License-Identifier: GPL-3.0-or-later */
/* want: the common answers of a resource's want(), and small things that several resources need.
 * Pure. */
#ifndef MP_RESOURCE_WANT_H
#define MP_RESOURCE_WANT_H

#include <jansson.h>

#include "base/str.h"
#include "model/world.h"

json_t *mp_want_skip(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
json_t *mp_want_fail(const char *remedy, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* The skip answer where the profile says nova.manage = no; else NULL. */
json_t *mp_want_no_nova(const struct mp_world *w);

/* The host with role nfs; NULL when there is none; *ret_n (may be NULL): how many there are. */
const struct mp_host *mp_nfs_server(const struct mp_inventory *inv, size_t *ret_n);

#endif
