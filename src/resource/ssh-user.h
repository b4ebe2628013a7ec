/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ssh-user: what the SSH resources share: whose files, where they are, who owns the shared key
 * pair.
 *
 * Shared key pair (profile ssh.keys = shared): mp_ssh_shared_owner() is the host that generates it.
 * The controller calls the agent verb "ssh-key-read" there once its ssh-keys is applied, and puts
 * the reply into that host's facts as MP_SSH_SHARED_FACT: {USER: {"private": TEXT, "public": "TYPE
 * BASE64"}}. That fact is a secret: it goes into the want of ssh-keys for the other hosts, and
 * nowhere else.
 */
#ifndef MP_RESOURCE_SSH_USER_H
#define MP_RESOURCE_SSH_USER_H

#include <jansson.h>

#include <sys/stat.h>

#include "host/host.h"
#include "model/finding.h"
#include "model/world.h"

#define MP_SSH_SHARED_FACT "ssh-shared-key"
#define MP_SSH_SHARED_COMMENT "migprep@shared"

/*
 * Inventory index of the host whose pair is shared: of the compute hosts that were reached, the one
 * whose key the most hosts let in as migprep@shared, then the one whose key the most others have
 * too, then the first. -1 if there is none, or each host has its own pair. A host that comes back
 * with a new key does not take the place of the key that is in use.
 */
ssize_t mp_ssh_shared_owner(const struct mp_world *w);

/* ["root", NOVA]: the users of a compute host that log in to its peers. New reference. */
json_t *mp_ssh_users(const struct mp_world *w);

/*
 * Looks a user and the home directory up. When one is missing, *ret_fact is {"fail": REASON,
 * "remedy": TEXT} (new reference); otherwise {"home": DIR}.
 */
int mp_ssh_user_look(struct mp_sys *sys, const char *name, struct mp_user *ret, json_t **ret_fact,
		     struct mp_err *err);

/*
 * The observe() of an SSH resource: the fact {"users": {USER: FACT}} for params {"users":
 * [USER...]}. look() adds what the resource needs to the fact of a user who is there.
 */
int mp_ssh_users_observe(struct mp_sys *sys, const json_t *params,
			 int (*look)(struct mp_sys *sys, const struct mp_user *u,
				     const json_t *params, json_t *fact, struct mp_err *err),
			 json_t **ret, struct mp_err *err);

/* mp_ssh_user_look() for apply: a missing user or home directory is an error. */
int mp_ssh_user_get(struct mp_sys *sys, const char *name, struct mp_user *ret, struct mp_err *err);

/* HOME/.ssh or HOME/.ssh/FILE (heap). */
char *mp_ssh_path(const struct mp_user *u, const char *file);

/* "mode 0666, owner nova" (heap), as it is told of a file or directory of the user. */
char *mp_ssh_attr_text(const struct mp_user *u, const struct stat *st);

/*
 * Whether owner and mode of a file or directory in a directory of the user must be left to a
 * person: it is not the user's (who may have moved it there), it has other names, or it is no file.
 * Then fact receives "fail" and "remedy".
 */
bool mp_ssh_file_refuse(const struct mp_user *u, const char *path, const struct stat *st,
			json_t *fact);

/*
 * Reads a text file in ~/.ssh (NULL: absent) and says in fact what sshd's StrictModes or the user
 * would stumble over: "attr": "mode 0666, owner nova", or "fail" where that may not be mended.
 * Bytes that are no text are an error.
 */
int mp_ssh_file_look(struct mp_sys *sys, const struct mp_user *u, const char *file, char **ret,
		     json_t *fact, struct mp_err *err);

/*
 * Writes it, with ~/.ssh made if it is missing, and mends its mode. The text must come from one
 * mp_sys_read() of the file since mp_sys_open().
 */
int mp_ssh_file_write(struct mp_sys *sys, const struct mp_user *u, const char *file,
		      const char *text, mode_t mode, struct mp_err *err);

/* Gives a file or directory of the user its mode; what mp_ssh_file_refuse() refuses is an error. */
int mp_ssh_attr_mend(struct mp_sys *sys, const struct mp_user *u, const char *path, mode_t mode,
		     struct mp_err *err);

/* Makes ~/.ssh if it is missing. */
int mp_ssh_dir_make(struct mp_sys *sys, const struct mp_user *u, struct mp_err *err);

/* The common part of a diff: "fail" and "attr" of a user's fact. True if there is more to compare.
 */
bool mp_ssh_user_diff(const json_t *fact, const char *user, const char *path, struct mp_diff *ret);

#endif
