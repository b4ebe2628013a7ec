/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ssh-agent: the two requests needed of draft-miller-ssh-agent, sections 4.4 and 4.5. */
#include "config.h"
#include "transport/ssh-agent.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/limits.h"
#include "transport/ssh-key.h"
#include "transport/wait.h"

enum {
	REQUEST_IDENTITIES = 11,
	IDENTITIES_ANSWER = 12,
	SIGN_REQUEST = 13,
	SIGN_RESPONSE = 14,
};

static int agent_connect(const char *path, mp_ms deadline, const atomic_bool *cancel,
			 struct mp_err *err)
{
	mp_auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int ret;

	if (fd < 0)
		return mp_err_sys(err, errno, "socket");
	if (strlen(path) >= sizeof(sa.sun_path))
		return mp_err_set(err, MP_E_INPUT, "the path of the agent's socket is too long");
	memcpy(sa.sun_path, path, strlen(path) + 1);
	/* EAGAIN: its queue is full, since all workers come at once. */
	while (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		if (errno != EAGAIN && errno != EINTR)
			return mp_err_sys(err, errno, "connect to ssh-agent at %s", path);
		if (mp_wait_cancelled(cancel, err) < 0)
			return -1;
		if (mp_ms_left(deadline) == 0)
			return mp_err_set(err, MP_E_TIMEOUT, "ssh-agent at %s does not answer",
					  path);
		nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
	}
	ret = fd;
	fd = -1;
	return ret;
}

static int agent_io(int fd, bool writing, void *data, size_t size, mp_ms deadline,
		    const atomic_bool *cancel, struct mp_err *err)
{
	unsigned char *p = data;

	while (size) {
		struct pollfd pfd = { .fd = fd, .events = writing ? POLLOUT : POLLIN };
		ssize_t n = writing ? send(fd, p, size, MSG_NOSIGNAL) : recv(fd, p, size, 0);

		if (n > 0) {
			p += n;
			size -= (size_t)n;
			continue;
		}
		if (n == 0)
			return mp_err_set(err, MP_E_GONE, "ssh-agent closed the connection");
		if (errno != EAGAIN && errno != EINTR)
			return mp_err_sys(err, errno, "talk to ssh-agent");
		if (mp_wait_fds(&pfd, 1, deadline, cancel, err) < 0)
			return mp_err_wrap(err, "ssh-agent");
	}
	return 0;
}

/* One request and its answer; the answer's first byte, its type, must be want. */
static int agent_ask(struct mp_ssh_agent *a, struct mp_buf *request, unsigned char want,
		     struct mp_buf *answer, mp_ms deadline, const atomic_bool *cancel,
		     struct mp_err *err)
{
	uint32_t n = htonl((uint32_t)request->size);
	mp_auto_free char *body = NULL;

	if (agent_io(a->fd, true, &n, sizeof(n), deadline, cancel, err) < 0 ||
	    agent_io(a->fd, true, request->data, request->size, deadline, cancel, err) < 0 ||
	    agent_io(a->fd, false, &n, sizeof(n), deadline, cancel, err) < 0)
		return -1;
	n = ntohl(n);
	if (n < 1 || n > MP_MAX_AGENT_REPLY_BYTES)
		return mp_err_set(err, MP_E_PROTO, "ssh-agent sent a message of %u bytes", n);
	body = mp_xmalloc(n);
	if (agent_io(a->fd, false, body, n, deadline, cancel, err) < 0)
		return -1;
	if ((unsigned char)body[0] != want)
		return mp_err_set(err, MP_E_DENIED, "ssh-agent refused");
	mp_buf_add(answer, body + 1, n - 1);
	return 0;
}

static bool take_u32(const char **p, size_t *left, uint32_t *ret)
{
	if (*left < 4)
		return false;
	memcpy(ret, *p, 4);
	*ret = ntohl(*ret);
	*p += 4;
	*left -= 4;
	return true;
}

static bool take_bytes(const char **p, size_t *left, const char **ret, uint32_t *ret_size)
{
	if (!take_u32(p, left, ret_size) || *ret_size > *left)
		return false;
	*ret = *p;
	*p += *ret_size;
	*left -= *ret_size;
	return true;
}

static int parse_identities(struct mp_ssh_agent *a, const struct mp_buf *answer, struct mp_err *err)
{
	const char *p = mp_buf_peek(answer), *blob, *comment;
	size_t left = answer->size;
	uint32_t n, blob_size, comment_size;

	if (!take_u32(&p, &left, &n) || n > left / 8)
		return mp_err_set(err, MP_E_PROTO, "ssh-agent sent a list that makes no sense");
	a->keys = mp_xcalloc(n, sizeof(*a->keys));
	for (; a->n_keys < n; a->n_keys++) {
		struct mp_agent_key *k = &a->keys[a->n_keys];

		if (!take_bytes(&p, &left, &blob, &blob_size) ||
		    !take_bytes(&p, &left, &comment, &comment_size))
			return mp_err_set(err, MP_E_PROTO, "ssh-agent sent a list cut short");
		k->blob = mp_xmalloc(blob_size);
		memcpy(k->blob, blob, blob_size);
		k->blob_size = blob_size;
		mp_ssh_blob_type(k->blob, k->blob_size, k->type, sizeof(k->type));
	}
	return 0;
}

int mp_ssh_agent_open(const char *path, mp_ms deadline, const atomic_bool *cancel,
		      struct mp_ssh_agent *ret, struct mp_err *err)
{
	struct mp_ssh_agent a = { .fd = agent_connect(path, deadline, cancel, err) };
	mp_auto_buf struct mp_buf request, answer;
	char type = REQUEST_IDENTITIES;

	mp_buf_init(&request, 0);
	mp_buf_init(&answer, 0);
	if (a.fd < 0)
		return -1;
	mp_buf_add(&request, &type, 1);
	if (agent_ask(&a, &request, IDENTITIES_ANSWER, &answer, deadline, cancel, err) < 0 ||
	    parse_identities(&a, &answer, err) < 0) {
		mp_ssh_agent_close(&a);
		return -1;
	}
	*ret = a;
	return 0;
}

static void add_bytes(struct mp_buf *b, const void *data, size_t size)
{
	uint32_t n = htonl((uint32_t)size);

	mp_buf_add(b, &n, sizeof(n));
	mp_buf_add(b, data, size);
}

int mp_ssh_agent_sign(struct mp_ssh_agent *a, const struct mp_agent_key *key,
		      const unsigned char *data, size_t size, mp_ms deadline,
		      const atomic_bool *cancel, unsigned char **ret, size_t *ret_size,
		      struct mp_err *err)
{
	mp_auto_buf struct mp_buf request, answer;
	const char *p, *outer, *type, *sig;
	uint32_t flags = 0, outer_size, type_size, sig_size;
	char kind = SIGN_REQUEST;
	size_t left;

	mp_buf_init(&request, 0);
	mp_buf_init(&answer, 0);
	mp_buf_add(&request, &kind, 1);
	add_bytes(&request, key->blob, key->blob_size);
	add_bytes(&request, data, size);
	mp_buf_add(&request, &flags, sizeof(flags));
	if (agent_ask(a, &request, SIGN_RESPONSE, &answer, deadline, cancel, err) < 0)
		return -1;
	p = mp_buf_peek(&answer);
	left = answer.size;
	if (!take_bytes(&p, &left, &outer, &outer_size))
		return mp_err_set(err, MP_E_PROTO, "ssh-agent sent a bad signature");
	left = outer_size;
	if (!take_bytes(&outer, &left, &type, &type_size) ||
	    !take_bytes(&outer, &left, &sig, &sig_size))
		return mp_err_set(err, MP_E_PROTO, "ssh-agent sent a bad signature");
	*ret = mp_xmalloc(sig_size);
	memcpy(*ret, sig, sig_size);
	*ret_size = sig_size;
	return 0;
}

void mp_ssh_agent_close(struct mp_ssh_agent *a)
{
	for (size_t i = 0; i < a->n_keys; i++)
		free(a->keys[i].blob);
	free(a->keys);
	if (a->fd >= 0)
		close(a->fd);
	*a = (struct mp_ssh_agent){ .fd = -1 };
}
