/* SPDX-License-Identifier: GPL-3.0-or-later */
/* names: what a host's name service answers for every name of the inventory. */
#include "config.h"
#include "sample/sample.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "model/name.h"

#define BUDGET_MS 8000 /* a dead name server costs 10 s per name: the rest is then not asked */
#define MAX_ADDRESSES 16

/* The names of all hosts that are no addresses; equal for all hosts. */
static json_t *params(const struct mp_world *w, const struct mp_host *h)
{
	json_t *seen = json_object(), *list = json_array(), *value;
	const char *name;

	(void)h;
	for (size_t i = 0; i < w->inv->n_hosts; i++) {
		const struct mp_host *o = &w->inv->hosts[i];

		json_object_set_new(seen, o->name, json_true());
		json_object_set_new(seen, o->address, json_true());
		for (size_t j = 0; j < o->aliases.n; j++)
			json_object_set_new(seen, o->aliases.v[j], json_true());
	}
	json_object_foreach(seen, name, value) if (!mp_name_is_literal(name))
		json_array_append_new(list, json_string(name));
	json_decref(seen);
	return json_pack("{s:o}", "names", list);
}

/* Adds one answer: the addresses in one text, in the order in which ssh and libvirt try them. */
static void add_answer(const char *name, const struct addrinfo *found, json_t *addresses)
{
	mp_auto_strv struct mp_strv v = { 0 };
	mp_auto_buf struct mp_buf b;
	char host[NI_MAXHOST];

	mp_buf_init(&b, 0);
	for (const struct addrinfo *a = found; a && v.n < MAX_ADDRESSES; a = a->ai_next)
		if (getnameinfo(a->ai_addr, a->ai_addrlen, host, sizeof(host), NULL, 0,
				NI_NUMERICHOST) == 0 &&
		    !mp_strv_has(&v, host))
			mp_strv_add(&v, host);
	for (size_t i = 0; i < v.n; i++)
		mp_buf_printf(&b, "%s%s", i ? " " : "", v.v[i]);
	json_object_set_new(addresses, name, json_string(mp_buf_peek(&b)));
}

static void ask(const char *name, json_t *addresses, json_t *errors)
{
	/* One socket type, so that each address comes once. No AI_ADDRCONFIG: what is told must not
	 * depend on our links. */
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	int rc = getaddrinfo(name, NULL, &hints, &found);

	if (rc != 0) {
		json_object_set_new(errors, name, json_string(gai_strerror(rc)));
		return;
	}
	add_answer(name, found, addresses);
	freeaddrinfo(found);
}

static json_t *hosts_digest(struct mp_sys *sys)
{
	mp_auto_free char *text = NULL;
	uint8_t digest[SHA256_DIGEST_SIZE];
	struct sha256_ctx ctx;
	char hex[17];
	size_t size;

	if (mp_sys_read(sys, "/etc/hosts", &text, &size, NULL, NULL) < 0 || !text)
		return json_null();
	sha256_init(&ctx);
	sha256_update(&ctx, size, (const uint8_t *)text);
	sha256_digest(&ctx, sizeof(digest), digest);
	for (int i = 0; i < 8; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	return json_string(hex);
}

static int observe(struct mp_sys *sys, const json_t *p, json_t **ret, struct mp_err *err)
{
	json_t *addresses, *errors, *name;
	mp_ms deadline = mp_now() + BUDGET_MS;
	size_t i;

	if (!mp_sys_is_real(sys))
		return mp_err_set(err, MP_E_UNSUPPORTED,
				  "names can be resolved on a running system only");
	addresses = json_object();
	errors = json_object();
	json_array_foreach(json_object_get(p, "names"), i, name)
	{
		if (mp_ms_left(deadline))
			ask(json_string_value(name), addresses, errors);
		else
			json_object_set_new(
				errors, json_string_value(name),
				json_string("not asked, because the answers before took "
					    "too long"));
	}
	*ret = json_pack("{s:o,s:o,s:o}", "addresses", addresses, "errors", errors, "hosts_file",
			 hosts_digest(sys));
	return 0;
}

const struct mp_sample mp_sample_names = {
	.id = "names",
	.summary = "addresses that the host finds for the names of all hosts",
	.may_hang = true,
	.params = params,
	.observe = observe,
};
