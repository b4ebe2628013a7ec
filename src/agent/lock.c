/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"
#include "agent/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/str.h"

/* Opens dir below parent, making it when it is missing. */
static int enter(int parent, const char *name, int *ret)
{
	if (mkdirat(parent, name, 0700) < 0 && errno != EEXIST)
		return -1;
	*ret = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return *ret < 0 ? -1 : 0;
}

static int open_dir(const char *root, struct mp_err *err)
{
	mp_auto_strv struct mp_strv parts = { 0 };
	int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	mp_str_split(MP_LOCK_DIR, "/", &parts);
	for (size_t i = 0; i < parts.n && fd >= 0; i++) {
		mp_auto_close int parent = fd;

		fd = -1;
		if (enter(parent, parts.v[i], &fd) < 0)
			break;
	}
	return fd >= 0 ? fd : mp_err_sys(err, errno, "open " MP_LOCK_DIR);
}

/*
 * fcntl(2) and not flock(2): a lock of flock would live on in a forked child that hangs, and would
 * not name its holder.
 */
int mp_lock_take(const char *root, int *ret, struct mp_err *err)
{
	mp_auto_close int dir = open_dir(root, err);
	mp_auto_close int fd = -1;
	struct flock want = { .l_type = F_WRLCK, .l_whence = SEEK_SET }, held = want;

	if (dir < 0)
		return -1;
	fd = openat(dir, MP_LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return mp_err_sys(err, errno, "open " MP_LOCK_DIR "/" MP_LOCK_NAME);
	if (fcntl(fd, F_SETLK, &want) < 0) {
		if (errno != EAGAIN && errno != EACCES)
			return mp_err_sys(err, errno, "lock " MP_LOCK_DIR "/" MP_LOCK_NAME);
		if (fcntl(fd, F_GETLK, &held) < 0 || held.l_type == F_UNLCK)
			held.l_pid = 0;
		return mp_err_set(
			err, MP_E_DENIED,
			"another migprep changes this host now (process %ld holds " MP_LOCK_DIR
			"/" MP_LOCK_NAME "); wait for its end, then try again",
			(long)held.l_pid);
	}
	*ret = fd;
	fd = -1;
	return 0;
}
