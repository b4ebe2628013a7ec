/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * profile: what a host must look like. A profile is a value for each row of mp_params; the rows
 * carry type, bounds, default and the sentence for the man page. A profile file is an INI file
 * whose sections and keys are those rows; it may say `extends = NAME` in [profile].
 */
#ifndef MP_MODEL_PROFILE_H
#define MP_MODEL_PROFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum mp_param_type {
	MP_PARAM_STR,    /* any text; may be empty */
	MP_PARAM_PATH,   /* absolute path without .. */
	MP_PARAM_INT,    /* min..max */
	MP_PARAM_BOOL,   /* yes/no/true/false/on/off */
	MP_PARAM_CHOICE, /* one of choices, separated by | */
	MP_PARAM_PORTS,  /* "FROM-TO" */
	MP_PARAM_USER,   /* a POSIX user or group name */
	/* Texts with a form; like MP_PARAM_STR for who reads them. */
	MP_PARAM_ADDRESS, /* an IP literal, 0.0.0.0 and :: included, or empty */
	MP_PARAM_NUMBER,  /* min..max, or empty for "leave it alone" */
	MP_PARAM_URI,     /* a migration URI template with one %s, or empty */
	MP_PARAM_OPTIONS, /* words between commas, as in exports(5) and fstab(5); not empty */
	MP_PARAM_DOMAIN,  /* a DNS domain, or empty */
};

struct mp_param {
	const char *section, *key;
	enum mp_param_type type;
	const char *def;     /* default text */
	const char *choices; /* MP_PARAM_CHOICE; MP_PARAM_INT: what some values stand for */
	long min, max;       /* MP_PARAM_INT, MP_PARAM_NUMBER */
	const char *help;    /* one sentence, for man page and explain */
	const char *source;  /* the document or option that it comes from */
};

extern const struct mp_param mp_params[];
extern const size_t mp_n_params;

/* The row of "section.key", or NULL. */
const struct mp_param *mp_param_find(const char *name);

/* The nearest "section.key" to a word that is none, or NULL; the heap string belongs to the caller.
 */
char *mp_param_nearest(const char *name);

struct mp_profile;

/* The built-in defaults, without any file. */
struct mp_profile *mp_profile_new(void);
void mp_profile_free(struct mp_profile *p);

/*
 * Loads a profile by path (contains a '/') or by name: NAME.ini looked up in dirs (n_dirs of them,
 * in order), following `extends`. A relative path after `extends` starts at the file that says it.
 * On error -1 with place and remedy.
 */
int mp_profile_load(const char *name_or_path, const char *const *dirs, size_t n_dirs,
		    struct mp_profile **ret, struct mp_err *err);

/*
 * Overrides one value: "section.key=value"; place says where from ("--set", "FILE:LINE"). On error
 * the profile is as before.
 */
int mp_profile_set(struct mp_profile *p, const char *assignment, const char *place,
		   struct mp_err *err);

/* Rules between values (port range not empty, ...). Called once, after all overrides. */
int mp_profile_validate(const struct mp_profile *p, struct mp_err *err);

const char *mp_profile_name(const struct mp_profile *p);

/*
 * The value of a row. Asking for a row that does not exist, or by the wrong type, is a bug (abort):
 * _str reads every type but INT, BOOL and PORTS, which have their own. Strings live as long as the
 * profile.
 */
const char *mp_profile_str(const struct mp_profile *p, const char *section, const char *key);
long mp_profile_int(const struct mp_profile *p, const char *section, const char *key);
bool mp_profile_bool(const struct mp_profile *p, const char *section, const char *key);
void mp_profile_ports(const struct mp_profile *p, const char *section, const char *key,
		      int *ret_from, int *ret_to);

/* The text of any row, as it was written; for reports and explain. */
const char *mp_profile_text(const struct mp_profile *p, const struct mp_param *row);

/* Where the value came from: "default", "FILE:LINE" or "--set". */
const char *mp_profile_origin(const struct mp_profile *p, const struct mp_param *row);

#endif
