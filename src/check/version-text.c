/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "check/version-text.h"

#include <stdio.h>

struct mp_version_text mp_version_text(long long v)
{
	struct mp_version_text t;

	snprintf(t.s, sizeof(t.s), "%lld.%lld.%lld", v / 1000000, v / 1000 % 1000, v % 1000);
	return t;
}
