/* SPDX-License-Identifier: GPL-3.0-or-later */
/* topic: what `migprep explain` says about the finding ids that are neither a check nor a resource.
 */
#ifndef MP_MODEL_TOPIC_H
#define MP_MODEL_TOPIC_H

#include <stddef.h>

struct mp_topic {
	const char *id;
	const char *summary;
	const char *prevents;
	const char *checked;
	const char *remedy;
	const char *source;
};

extern const struct mp_topic mp_topics[];
extern const size_t mp_n_topics;

#endif
