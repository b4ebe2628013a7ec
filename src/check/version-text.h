/* SPDX-License-Identifier: GPL-3.0-or-later */
/* version-text: libvirt's version numbers (major * 1000000 + minor * 1000 + release). Pure. */
#ifndef MP_CHECK_VERSION_TEXT_H
#define MP_CHECK_VERSION_TEXT_H

struct mp_version_text {
	char s[32];
};

/* "9.0.0" for 9000000. */
struct mp_version_text mp_version_text(long long version);

#endif
