/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "model/name.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define DIGITS "0123456789"
#define ALNUM "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" DIGITS

bool mp_name_is_host(const char *s)
{
	size_t size = strlen(s);
	struct in_addr addr;

	if (!size || size > MP_NAME_MAX || s[strspn(s, ALNUM "-_.")] || s[size - 1] == '.')
		return false;
	if (*s == '-' || *s == '.' || strstr(s, "..") || strstr(s, ".-"))
		return false;
	/* 0x7f.1 and 10.1 are names by their letters, but getaddrinfo(3) takes them for addresses.
	 */
	return !inet_aton(s, &addr) && s[strspn(s, DIGITS ".")];
}

bool mp_name_is_literal(const char *s)
{
	struct in6_addr six;
	struct in_addr four;

	if (inet_pton(AF_INET, s, &four) == 1)
		return four.s_addr != INADDR_ANY && !IN_MULTICAST(ntohl(four.s_addr)) &&
		       four.s_addr != INADDR_NONE;
	return inet_pton(AF_INET6, s, &six) == 1 && !IN6_IS_ADDR_UNSPECIFIED(&six) &&
	       !IN6_IS_ADDR_MULTICAST(&six);
}

bool mp_name_is_user(const char *s)
{
	size_t size = strlen(s);

	return size && size <= 32 && !s[strspn(s, ALNUM "-_.")] && !strchr("-." DIGITS, *s);
}

bool mp_name_is_path(const char *s)
{
	return *s && *s != '-' && !s[strspn(s, ALNUM "._/+@=,~-")];
}

void mp_name_canonical(const char *s, char *buf, size_t size)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr six;
	size_t i;

	if (inet_pton(AF_INET6, s, &six) == 1) {
		bool mapped = IN6_IS_ADDR_V4MAPPED(&six);

		s = inet_ntop(mapped ? AF_INET : AF_INET6,
			      mapped ? (const void *)(six.s6_addr + 12) : &six, text, sizeof(text));
	}
	for (i = 0; s[i] && i + 1 < size; i++)
		buf[i] = (char)tolower((unsigned char)s[i]);
	buf[i] = '\0';
}

bool mp_name_is_loopback(const char *s)
{
	/* The names that Debian, RHEL and SUSE ship in /etc/hosts. */
	static const char *const names[] = { "localhost", "localhost4", "localhost6",
					     "ip6-localhost", "ip6-loopback" };
	char name[MP_NAME_MAX + 1];
	struct in_addr four;

	mp_name_canonical(s, name, sizeof(name));
	if (inet_pton(AF_INET, name, &four) == 1)
		return ntohl(four.s_addr) >> 24 == 127;
	if (strcmp(name, "::1") == 0)
		return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t size = strlen(names[i]);

		if (strncmp(name, names[i], size) == 0 && (!name[size] || name[size] == '.'))
			return true;
	}
	return false;
}
