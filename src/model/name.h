/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * name: what may be called a host, an address, a user or a path. All of them end in the arguments
 * of ssh(1) or in files of the hosts, so the rules are strict. Pure.
 */
#ifndef MP_MODEL_NAME_H
#define MP_MODEL_NAME_H

#include <stdbool.h>
#include <stddef.h>

#define MP_NAME_MAX 253 /* RFC 1035, as text */

/* Letters, digits, '-', '_' and single inner dots; begins with none of "-."; no form of an address.
 */
bool mp_name_is_host(const char *s);

/* An IPv4 or IPv6 literal of one machine, as inet_pton(3) reads it. */
bool mp_name_is_literal(const char *s);

/* A POSIX user or group name that useradd(8) would take, at most 32 characters. */
bool mp_name_is_user(const char *s);

/* A path of letters, digits and "._/+@=,~-" that no option parser, shell or table of mounts
 * misreads. */
bool mp_name_is_path(const char *s);

/*
 * The form in which names and addresses are compared: names in lower case, literals in the shortest
 * form (RFC 5952), IPv4 mapped into IPv6 as IPv4. Cut at size, which MP_NAME_MAX + 1 avoids.
 */
void mp_name_canonical(const char *s, char *buf, size_t size);

/* Names and literals that mean "this machine" on every machine: localhost and its kin, 127/8, ::1.
 */
bool mp_name_is_loopback(const char *s);

#endif
