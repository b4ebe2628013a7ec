/* SPDX-License-Identifier: GPL-3.0-or-later */
/* port-set: a list of ports as the kernel writes it, "1000,49152-49261". Pure. */
#ifndef MP_RESOURCE_PORT_SET_H
#define MP_RESOURCE_PORT_SET_H

#include <stdbool.h>

struct mp_port_set;

/* A heap object for free(); NULL when text is no list of ports. "" is the empty set. */
struct mp_port_set *mp_port_set_parse(const char *text);

bool mp_port_set_has(const struct mp_port_set *s, int from, int to);
void mp_port_set_add(struct mp_port_set *s, int from, int to);

/* The shortest text, in order; the heap string belongs to the caller. */
char *mp_port_set_text(const struct mp_port_set *s);

#endif
