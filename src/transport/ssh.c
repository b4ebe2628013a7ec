/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ssh: the stream over libssh2. Its calls never block; all waiting is done in mp_ssh_wait(). */
#include "config.h"
#include "transport/ssh-link.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "transport/connect.h"
#include "transport/openssh.h"
#include "transport/wait.h"

struct ssh_stream {
	struct mp_stream base;
	struct mp_ssh_link link;
	LIBSSH2_CHANNEL *channel;
	struct mp_buf ahead;   /* read while writing */
	struct mp_buf errtext; /* the remote side's standard error */
	bool eof;
};

static pthread_once_t init_once = PTHREAD_ONCE_INIT;

static void init_libssh2(void)
{
	libssh2_init(0);
}

bool mp_ssh_has_rsa_sha2(void)
{
	return libssh2_version(0x010b00) != NULL;
}

int mp_ssh_wait(struct mp_ssh_link *l, struct mp_err *err)
{
	int dir = libssh2_session_block_directions(l->session);
	struct pollfd p[2] = { { .fd = l->fd }, { .fd = l->proxy.errfd, .events = POLLIN } };
	bool has_err = l->proxied && l->proxy.errfd >= 0;

	if (dir & LIBSSH2_SESSION_BLOCK_OUTBOUND)
		p[0].events |= POLLOUT;
	if (dir & LIBSSH2_SESSION_BLOCK_INBOUND || !dir)
		p[0].events |= POLLIN;
	if (mp_wait_fds(p, has_err ? 2 : 1, l->deadline, l->cancel, err) < 0)
		return -1;
	if (has_err && p[1].revents)
		mp_child_pump(&l->proxy);
	return 0;
}

static int gone(struct mp_ssh_link *l, const char *doing, struct mp_err *err)
{
	if (l->proxied) {
		int status = l->proxy.pid > 0 ? mp_child_reap(&l->proxy, mp_now() + 300) : 255;

		mp_child_pump(&l->proxy);
		if (status > 0) {
			mp_openssh_explain(status, mp_errtext_clean(&l->proxy.errtext), err);
			return mp_err_wrap(err, "proxy");
		}
	}
	return mp_err_set(
		err, MP_E_GONE,
		"%s port %ld closed the connection during %s; look at sshd's log on the host "
		"(MaxStartups, AllowUsers, no SSH server on that port)",
		l->config.hostname, l->config.port, doing);
}

/* Some steps of libssh2 report a vanished peer as their own failure. */
static bool peer_closed(const struct mp_ssh_link *l)
{
	char byte;
	ssize_t n = recv(l->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

int mp_ssh_error(struct mp_ssh_link *l, int rc, const char *doing, struct mp_err *err)
{
	char *what = NULL;

	switch (rc) {
	case MP_SSH_GAVE_UP:
		if (err && err->code == MP_E_TIMEOUT)
			mp_err_set(err, MP_E_TIMEOUT,
				   "%s port %ld accepted the connection and then did not answer "
				   "during "
				   "%s; look at the load of the host and at its sshd",
				   l->config.hostname, l->config.port, doing);
		return -1;
	case LIBSSH2_ERROR_SOCKET_DISCONNECT:
	case LIBSSH2_ERROR_SOCKET_RECV:
	case LIBSSH2_ERROR_SOCKET_SEND:
	case LIBSSH2_ERROR_BANNER_RECV:
	case LIBSSH2_ERROR_BANNER_SEND:
		return gone(l, doing, err);
	default:
		if (peer_closed(l))
			return gone(l, doing, err);
		libssh2_session_last_error(l->session, &what, NULL, 0);
		return mp_err_set(err, MP_E_PROTO, "%s port %ld: %s failed: %s (libssh2 %d)",
				  l->config.hostname, l->config.port, doing, what ? what : "?", rc);
	}
}

/* ---- opening ---- */

static int link_connect(struct mp_ssh_link *l, struct mp_err *err)
{
	if (l->config.unsupported)
		return mp_err_set(
			err, MP_E_UNSUPPORTED,
			"ssh_config sets %s for this host, which libssh2 cannot serve; set "
			"transport = openssh in the inventory",
			l->config.unsupported);
	if (l->config.proxy_jump || l->config.proxy_command)
		return mp_ssh_proxy_start(l, err);
	return mp_connect_tcp(l->config.hostname, l->config.port, l->config.family, l->deadline,
			      l->cancel, &l->fd, err);
}

static int link_handshake(struct mp_ssh_link *l, struct mp_err *err)
{
	int rc;

	l->session = libssh2_session_init();
	if (!l->session)
		return mp_err_set(err, MP_E_SYS, "libssh2 cannot make a session");
	libssh2_session_set_blocking(l->session, 0);
	if (mp_ssh_hostkey_prepare(l, err) < 0)
		return -1;
	rc = MP_SSH_RETRY(l, err, libssh2_session_handshake(l->session, l->fd));
	if (rc == LIBSSH2_ERROR_KEX_FAILURE || rc == LIBSSH2_ERROR_METHOD_NONE)
		return mp_ssh_hostkey_no_common(l, err);
	if (rc)
		return mp_ssh_error(l, rc, "the SSH handshake", err);
	return mp_ssh_hostkey_check(l, err);
}

static int channel_start(struct ssh_stream *s, const char *command, struct mp_err *err)
{
	struct mp_ssh_link *l = &s->link;
	int rc;

	while (!(s->channel = libssh2_channel_open_session(l->session))) {
		rc = libssh2_session_last_errno(l->session);
		if (rc == LIBSSH2_ERROR_EAGAIN && mp_ssh_wait(l, err) == 0)
			continue;
		return mp_ssh_error(l, rc == LIBSSH2_ERROR_EAGAIN ? MP_SSH_GAVE_UP : rc,
				    "opening a channel", err);
	}
	rc = MP_SSH_RETRY(l, err, libssh2_channel_exec(s->channel, command));
	return rc ? mp_ssh_error(l, rc, "starting a command", err) : 0;
}

static void ssh_close(struct mp_stream *base)
{
	struct ssh_stream *s = (struct ssh_stream *)base;
	struct mp_ssh_link *l = &s->link;

	if (l->session) {
		libssh2_session_disconnect(l->session, "done");
		/* From here nothing can block: libssh2 sees a dead socket and frees what it has. */
		shutdown(l->fd, SHUT_RDWR);
		for (int i = 0; i < 100 && libssh2_session_free(l->session) == LIBSSH2_ERROR_EAGAIN;
		     i++)
			;
	}
	if (l->proxied)
		mp_child_end(&l->proxy);
	else if (l->fd >= 0)
		close(l->fd);
	mp_ssh_config_fini(&l->config);
	mp_known_keys_fini(&l->known);
	free(l->known_name);
	mp_buf_fini(&s->ahead);
	mp_buf_fini(&s->errtext);
	free(s);
}

/* ---- talking ---- */

static ssize_t lost(struct ssh_stream *s, int rc, struct mp_err *err)
{
	char *what = NULL;

	libssh2_session_last_error(s->link.session, &what, NULL, 0);
	return mp_err_set(err, MP_E_GONE, "the SSH connection was lost: %s (libssh2 %d)",
			  what && *what ? what : "no reason given", rc);
}

/*
 * Takes what is there: >0 bytes, 0 end of stream, LIBSSH2_ERROR_EAGAIN nothing yet, other codes
 * lost. Each call of libssh2 may take packets for the other stream from the socket, too; whoever
 * then waits for the socket waits for what has come already.
 */
static ssize_t read_some(struct ssh_stream *s, void *buf, size_t size)
{
	unsigned long queued;
	char text[1024];
	ssize_t n, e;

	do {
		n = libssh2_channel_read(s->channel, buf, size);
		/* Unread standard error would use up the window, and hide the end of the stream. */
		while ((e = libssh2_channel_read_stderr(s->channel, text, sizeof(text))) > 0)
			mp_errtext_add(&s->errtext, text, (size_t)e);
		if (n != 0 && n != LIBSSH2_ERROR_EAGAIN)
			return n;
		if (libssh2_channel_eof(s->channel) == 1)
			return 0;
		libssh2_channel_window_read_ex(s->channel, &queued, NULL);
	} while (queued);
	return LIBSSH2_ERROR_EAGAIN;
}

static ssize_t ssh_read(struct mp_stream *base, void *buf, size_t size, mp_ms deadline,
			struct mp_err *err)
{
	struct ssh_stream *s = (struct ssh_stream *)base;

	if (s->ahead.size) {
		if (size > s->ahead.size)
			size = s->ahead.size;
		memcpy(buf, s->ahead.data, size);
		mp_buf_drop(&s->ahead, size);
		return (ssize_t)size;
	}
	s->link.deadline = deadline;
	while (!s->eof) {
		ssize_t n = read_some(s, buf, size);

		if (n > 0)
			return n;
		if (n == 0)
			s->eof = true;
		else if (n != LIBSSH2_ERROR_EAGAIN)
			return lost(s, (int)n, err);
		else if (mp_ssh_wait(&s->link, err) < 0)
			return -1;
	}
	return 0;
}

/* While the window is closed the remote side may say why, or end. */
static int read_ahead(struct ssh_stream *s, struct mp_err *err)
{
	char chunk[4096];
	ssize_t n = read_some(s, chunk, sizeof(chunk));

	if (n > 0 && !mp_buf_add(&s->ahead, chunk, (size_t)n))
		return mp_err_set(err, MP_E_PROTO, "the remote side talks while it should listen");
	if (n == 0)
		s->eof = true;
	if (s->eof)
		return mp_err_set(err, MP_E_GONE, "the other end went away");
	if (n < 0 && n != LIBSSH2_ERROR_EAGAIN)
		return (int)lost(s, (int)n, err);
	if (n > 0)
		return 0;
	/* The read may have taken the packet that opens the window again. */
	if (libssh2_channel_window_write(s->channel) &&
	    !(libssh2_session_block_directions(s->link.session) & LIBSSH2_SESSION_BLOCK_OUTBOUND))
		return 0;
	return mp_ssh_wait(&s->link, err);
}

static int ssh_write(struct mp_stream *base, const void *buf, size_t size, mp_ms deadline,
		     struct mp_err *err)
{
	struct ssh_stream *s = (struct ssh_stream *)base;
	const char *p = buf;

	s->link.deadline = deadline;
	while (size) {
		ssize_t n = libssh2_channel_write(s->channel, p, size);

		if (n > 0) {
			p += n;
			size -= (size_t)n;
		} else if (n != LIBSSH2_ERROR_EAGAIN && n != 0) {
			return (int)lost(s, (int)n, err);
		} else if (read_ahead(s, err) < 0) {
			return -1;
		}
	}
	return 0;
}

static const char *ssh_errtext(struct mp_stream *base)
{
	struct ssh_stream *s = (struct ssh_stream *)base;

	return mp_errtext_clean(&s->errtext);
}

static const struct mp_stream_ops ssh_ops = {
	.read = ssh_read,
	.write = ssh_write,
	.errtext = ssh_errtext,
	.close = ssh_close,
};

static int ssh_open(const struct mp_dial *dial, const struct mp_host *host, const char *command,
		    struct mp_stream **ret, struct mp_err *err)
{
	struct ssh_stream *s = mp_xcalloc(1, sizeof(*s));
	struct mp_ssh_link *l = &s->link;
	mp_ms start = mp_now();

	pthread_once(&init_once, init_libssh2);
	s->base.ops = &ssh_ops;
	mp_buf_init(&s->ahead, 1u << 20);
	l->dial = dial;
	l->host = host;
	l->fd = l->proxy.errfd = -1;
	l->cancel = dial->cancel;
	l->deadline = start + dial->connect_timeout_ms;
	if (mp_ssh_config_load(dial, host, l->deadline, &l->config, err) < 0)
		goto fail;
	if (l->config.connect_timeout &&
	    l->config.connect_timeout * 1000 < dial->connect_timeout_ms)
		l->deadline = start + l->config.connect_timeout * 1000;
	if (link_connect(l, err) < 0 || link_handshake(l, err) < 0 ||
	    mp_ssh_authenticate(l, err) < 0 || channel_start(s, command, err) < 0)
		goto fail;
	/* Not needed any more, and there may be many sessions; dial and host may not outlive this
	 * call. */
	mp_known_keys_fini(&l->known);
	l->dial = NULL;
	l->host = NULL;
	*ret = &s->base;
	return 0;
fail:
	ssh_close(&s->base);
	return -1;
}

const struct mp_transport mp_transport_libssh2 = {
	.name = "libssh2",
	.open = ssh_open,
};
