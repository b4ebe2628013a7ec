/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * alloc: memory that is there or the program ends with a message (exit 70), and release by the
 * cleanup attribute. Whatever is sized by remote bytes is limited before it is allocated.
 */
#ifndef MP_BASE_ALLOC_H
#define MP_BASE_ALLOC_H

#include <stddef.h>

void *mp_xmalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *mp_xcalloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
void *mp_xreallocarray(void *p, size_t n, size_t size) __attribute__((returns_nonnull));
char *mp_xstrdup(const char *s) __attribute__((malloc, returns_nonnull));
char *mp_xstrndup(const char *s, size_t n) __attribute__((malloc, returns_nonnull));
char *mp_xasprintf(const char *fmt, ...)
	__attribute__((malloc, returns_nonnull, format(printf, 1, 2)));

void mp_cleanup_free(void *pp); /* pp: address of a pointer from the functions above */
void mp_cleanup_close(int *fd); /* closes a descriptor >= 0; errno is kept */

#define mp_auto_free __attribute__((cleanup(mp_cleanup_free)))
#define mp_auto_close __attribute__((cleanup(mp_cleanup_close)))

/* Hands a pointer over and leaves NULL behind: `return mp_steal(&buf);` */
#define mp_steal(pp)                                                                               \
	({                                                                                         \
		__typeof__(*(pp)) mp_stolen_ = *(pp);                                              \
		*(pp) = NULL;                                                                      \
		mp_stolen_;                                                                        \
	})

#define MP_N_ELEMS(a) (sizeof(a) / sizeof((a)[0]))

#endif
