/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ssh-key-read: the key pairs that all hosts shall share (profile ssh.keys = shared). The only
 * request whose reply holds private keys; the controller asks for it only when the profile says so,
 * and only the owner of the pair. body {"users": [USER...], "type": TYPE}; reply {USER: {"private":
 * TEXT, "public": "TYPE BASE64"}}.
 */
#include "config.h"
#include "agent/agent.h"

#include <string.h>

#include "base/alloc.h"
#include "model/world.h"
#include "resource/ssh-pair.h"
#include "resource/ssh-user.h"

static int read_pair(struct mp_sys *sys, const char *user, const char *type, json_t *ret,
		     struct mp_err *err)
{
	json_t *fact = NULL, *key;
	char *private = NULL;
	struct mp_user u;
	int rc;

	if (mp_ssh_user_look(sys, user, &u, &fact, err) < 0)
		return -1;
	if (json_object_get(fact, "fail")) {
		mp_err_set(err, MP_E_INPUT, "%s", mp_json_str(fact, "fail", ""));
		json_decref(fact);
		return -1;
	}
	rc = mp_ssh_pairs_look(sys, &u, type, fact, err);
	key = json_array_get(json_object_get(fact, "keys"), 0);
	if (rc == 0 && key)
		rc = mp_ssh_private_read(sys, &u, mp_json_str(key, "file", ""), &private, err);
	if (rc == 0 && private)
		json_object_set_new(ret, user,
				    json_pack("{s:s,s:s}", "private", private, "public",
					      mp_json_str(key, "line", "")));
	if (private)
		explicit_bzero(private, strlen(private));
	mp_cleanup_free(&private);
	json_decref(fact);
	return rc;
}

static int run(struct mp_agent *a, const json_t *body, json_t **ret, struct mp_err *err)
{
	json_t *reply = json_object(), *user;
	size_t i;

	json_array_foreach(json_object_get(body, "users"), i, user)
	{
		if (read_pair(mp_agent_sys(a), json_string_value(user),
			      mp_json_str(body, "type", "ed25519"), reply, err) < 0) {
			json_decref(reply);
			return mp_err_wrap(err, "read the shared key pair");
		}
	}
	*ret = reply;
	return 0;
}

const struct mp_verb mp_verb_ssh_key_read = {
	.name = "ssh-key-read",
	.summary = "the key pairs that all hosts share",
	.run = run,
};
