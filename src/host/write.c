/* SPDX-License-Identifier: GPL-3.0-or-later */
/* write: changing files and directories, atomically and after the journal. */
#include "config.h"
#include "host/host.h"

#include <errno.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <selinux/label.h>
#include <selinux/selinux.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "host/internal.h"
#include "host/journal.h"

#define PERMISSIONS 07777

/* One replacement under way. */
struct job {
	struct mp_sys *sys;
	struct mp_place at;
	const void *data;
	size_t size;
	bool secret;
	struct mp_attr attr; /* of the new file */
	char *old;           /* old bytes; NULL: there was no file */
	size_t old_size;
	char tmp[NAME_MAX + 1];
	int fd; /* of the temporary file */
};

static json_t *digest(const void *data, size_t size)
{
	uint8_t sum[SHA256_DIGEST_SIZE];
	char hex[2 * SHA256_DIGEST_SIZE + 1];
	struct sha256_ctx ctx;

	sha256_init(&ctx);
	sha256_update(&ctx, size, data);
	sha256_digest(&ctx, sizeof(sum), sum);
	for (size_t i = 0; i < sizeof(sum); i++)
		snprintf(hex + 2 * i, 3, "%02x", sum[i]);
	return json_string(hex);
}

static int name_temporary(const struct mp_place *at, char *ret, size_t size, struct mp_err *err)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz012345";
	unsigned char r[6];
	char suffix[7] = "";
	int n;

	if (getrandom(r, sizeof(r), 0) != sizeof(r))
		return mp_err_sys(err, errno, "get random bytes");
	for (size_t i = 0; i < sizeof(r); i++)
		suffix[i] = letters[r[i] % 32];
	n = snprintf(ret, size, ".%s.migprep-%s", at->name, suffix);
	if (n < 0 || (size_t)n >= size)
		return mp_err_sys(err, ENAMETOOLONG, "temporary name for %s", at->path);
	return 0;
}

static void put_attr(json_t *entry, const struct stat *st)
{
	json_object_set_new(entry, "mode", json_sprintf("%04o", st->st_mode & PERMISSIONS));
	json_object_set_new(entry, "uid", json_integer(st->st_uid));
	json_object_set_new(entry, "gid", json_integer(st->st_gid));
}

static int journal_write(const struct job *j, int *ret_n, struct mp_err *err)
{
	json_t *e = json_pack("{s:s,s:s,s:s,s:b,s:b}", "op", "write", "path", j->at.path, "tmp",
			      j->tmp, "existed", j->at.exists, "secret", j->secret);

	if (!j->secret)
		json_object_set_new(e, "new_sha256", digest(j->data, j->size));
	if (j->at.exists) {
		if (!j->secret)
			json_object_set_new(e, "old_sha256", digest(j->old, j->old_size));
		put_attr(e, &j->at.st);
		json_object_set_new(e, "mtime",
				    json_sprintf("%lld.%09ld", (long long)j->at.st.st_mtim.tv_sec,
						 j->at.st.st_mtim.tv_nsec));
	}
	return mp_journal_entry(j->sys, e, j->secret ? NULL : j->old, j->old_size, ret_n, err);
}

/* ---- attributes ---- */

/* Integrity signatures belong to the old bytes; everything else is carried over. */
static bool carried(const struct job *j, const char *name)
{
	if (strcmp(name, "security.ima") == 0 || strcmp(name, "security.evm") == 0)
		return false;
	/* An access list could open a secret to others. */
	return !j->secret || strncmp(name, "system.posix_acl", 16) != 0;
}

static int copy_xattr(const struct job *j, int from, const char *name, struct mp_err *err)
{
	ssize_t size = fgetxattr(from, name, NULL, 0);
	mp_auto_free void *value = size >= 0 ? mp_xmalloc((size_t)size) : NULL;

	if (size >= 0)
		size = fgetxattr(from, name, value, (size_t)size);
	if (size < 0)
		return mp_err_sys(err, errno, "read attribute %s of %s", name, j->at.path);
	if (fsetxattr(j->fd, name, value, (size_t)size, 0) < 0)
		return mp_err_sys(err, errno, "set attribute %s of %s", name, j->at.path);
	return 0;
}

static int copy_xattrs(const struct job *j, int from, struct mp_err *err)
{
	ssize_t size = flistxattr(from, NULL, 0);
	mp_auto_free char *names = NULL;

	if (size < 0)
		return errno == ENOTSUP
			       ? 0
			       : mp_err_sys(err, errno, "list attributes of %s", j->at.path);
	names = mp_xcalloc(1, (size_t)size + 1);
	size = flistxattr(from, names, (size_t)size);
	if (size < 0)
		return mp_err_sys(err, errno, "list attributes of %s", j->at.path);
	for (const char *n = names; n < names + size; n += strlen(n) + 1)
		if (carried(j, n) && copy_xattr(j, from, n, err) < 0)
			return -1;
	return 0;
}

/* The label that the host's policy wants for a new file or directory; nothing where SELinux is off.
 */
static int label_by_policy(const struct mp_sys *sys, const char *path, mode_t type, int fd,
			   struct mp_err *err)
{
	struct selabel_handle *h;
	char *con = NULL;
	int r = 0;

	if (!sys->real || is_selinux_enabled() <= 0)
		return 0;
	h = selabel_open(SELABEL_CTX_FILE, NULL, 0);
	if (!h)
		return mp_err_sys(err, errno, "read the SELinux file contexts");
	if (selabel_lookup_raw(h, &con, path, (int)type) == 0 && fsetfilecon_raw(fd, con) < 0)
		r = mp_err_sys(err, errno, "label %s as %s", path, con);
	freecon(con);
	selabel_close(h);
	return r;
}

static int dress(const struct job *j, int from, struct mp_err *err)
{
	/* Owner first: chown(2) takes set-id bits and capabilities away. */
	if (fchown(j->fd, j->attr.uid, j->attr.gid) < 0)
		return mp_err_sys(err, errno, "set the owner of %s", j->at.path);
	if (fchmod(j->fd, j->attr.mode & PERMISSIONS) < 0)
		return mp_err_sys(err, errno, "set the mode of %s", j->at.path);
	if (from >= 0)
		return copy_xattrs(j, from, err);
	return label_by_policy(j->sys, j->at.path, S_IFREG, j->fd, err);
}

/* ---- replacing ---- */

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int meanwhile(const struct mp_place *at, struct mp_err *err)
{
	return mp_err_set(err, MP_E_INPUT,
			  "%s was changed by somebody else meanwhile; run apply again", at->path);
}

static int changed_meanwhile(const struct job *j, struct mp_err *err)
{
	const struct mp_seen *s = mp_seen_get(j->sys, j->at.path);

	if (!s || (s->exists == j->at.exists && (!s->exists || same_file(&s->st, &j->at.st))))
		return 0;
	return meanwhile(&j->at, err);
}

/*
 * The last look before the old file goes: what was written to it while the new one was made would
 * be lost.
 */
static int still_old(const struct job *j, struct mp_err *err)
{
	struct stat st;

	if (fstatat(j->at.dir, j->at.name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			return mp_err_sys(err, errno, "stat %s", j->at.path);
		return j->at.exists ? meanwhile(&j->at, err) : 0;
	}
	return j->at.exists && same_file(&st, &j->at.st) ? 0 : meanwhile(&j->at, err);
}

/* A new file takes no name that somebody else has taken; not every file system can say so. */
static int take_name(const struct job *j)
{
	if (!j->at.exists) {
		if (renameat2(j->at.dir, j->tmp, j->at.dir, j->at.name, RENAME_NOREPLACE) == 0)
			return 0;
		if (errno != EINVAL && errno != ENOSYS)
			return -1;
	}
	return renameat(j->at.dir, j->tmp, j->at.dir, j->at.name);
}

static int put_new(const struct job *j, int from, struct mp_err *err)
{
	if (dress(j, from, err) < 0)
		return -1;
	if (mp_fd_write(j->fd, j->data, j->size) < 0 || fsync(j->fd) < 0)
		return mp_err_sys(err, errno, "write %s beside %s", j->tmp, j->at.path);
	if (still_old(j, err) < 0)
		return -1;
	if (take_name(j) < 0) {
		int e = errno;

		if (e == EEXIST)
			return meanwhile(&j->at, err);
		if (e == EPERM || e == EBUSY)
			return mp_err_sys(err, e,
					  "replace %s (see lsattr and findmnt: it may be "
					  "immutable or a mount point)",
					  j->at.path);
		return mp_err_sys(err, e, "replace %s", j->at.path);
	}
	return 0;
}

/* Directories are opened by path: a place only holds an O_PATH descriptor, which cannot be synced.
 */
static int sync_dir(const struct mp_place *at, struct mp_err *err)
{
	mp_auto_close int fd = openat(at->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return mp_err_sys(err, errno, "sync the directory of %s", at->path);
	return 0;
}

static int replace(struct job *j, int from, struct mp_err *err)
{
	struct stat st;
	int n;

	if (name_temporary(&j->at, j->tmp, sizeof(j->tmp), err) < 0 ||
	    journal_write(j, &n, err) < 0)
		return -1;
	/* 0600 whatever the umask: a secret is never readable, and nothing else is before it is
	 * whole. */
	j->fd = openat(j->at.dir, j->tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		       0600);
	if (j->fd < 0)
		return mp_err_sys(err, errno, "make %s beside %s", j->tmp, j->at.path);
	if (put_new(j, from, err) < 0) {
		unlinkat(j->at.dir, j->tmp, 0);
		return -1;
	}
	if (sync_dir(&j->at, err) < 0)
		return -1;
	if (fstat(j->fd, &st) < 0)
		return mp_err_sys(err, errno, "stat %s", j->at.path);
	mp_seen_set(j->sys, j->at.path, &st);
	return mp_journal_did(j->sys, n, &st, err);
}

/* The old file: its bytes, and the attributes that the new one takes over. */
static int take_old(struct job *j, int *ret_from, struct mp_err *err)
{
	struct stat st;
	int fd;

	if (!S_ISREG(j->at.st.st_mode))
		return mp_err_set(err, MP_E_INPUT, "%s is not a regular file; move it away",
				  j->at.path);
	fd = openat(j->at.dir, j->at.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return mp_err_sys(err, errno, "open %s", j->at.path);
	*ret_from = fd;
	if (fstat(fd, &st) < 0)
		return mp_err_sys(err, errno, "stat %s", j->at.path);
	/* What was looked up is what is read, and whose attributes the new file gets. */
	if (!S_ISREG(st.st_mode) || !same_file(&st, &j->at.st) || st.st_uid != j->at.st.st_uid ||
	    st.st_gid != j->at.st.st_gid || st.st_mode != j->at.st.st_mode)
		return meanwhile(&j->at, err);
	j->attr = (struct mp_attr){ .mode = j->at.st.st_mode & PERMISSIONS,
				    .uid = j->at.st.st_uid,
				    .gid = j->at.st.st_gid };
	return mp_fd_read(fd, j->at.path, MP_MAX_FILE_BYTES, &j->old, &j->old_size, err);
}

static int write_job(struct job *j, const struct mp_attr *fresh, struct mp_err *err)
{
	mp_auto_close int from = -1;

	if (j->at.exists) {
		if (take_old(j, &from, err) < 0 || changed_meanwhile(j, err) < 0)
			return -1;
		if (j->old_size == j->size && memcmp(j->old, j->data, j->size) == 0)
			return 0;
	} else if (!fresh) {
		return mp_err_set(err, MP_E_INPUT, "%s does not exist", j->at.path);
	} else {
		if (changed_meanwhile(j, err) < 0)
			return -1;
		j->attr = *fresh;
	}
	if (j->secret)
		j->attr.mode &= S_IRWXU;
	return replace(j, from, err);
}

int mp_sys_write(struct mp_sys *sys, const char *path, const void *data, size_t size,
		 const struct mp_attr *fresh, bool secret, struct mp_err *err)
{
	struct job j = { .sys = sys,
			 .at = MP_PLACE_INIT,
			 .data = data,
			 .size = size,
			 .secret = secret,
			 .fd = -1 };
	int r = -1;

	if (mp_place_find(sys, path, true, NULL, &j.at, err) == 0)
		r = write_job(&j, fresh, err);
	if (j.old && secret)
		explicit_bzero(j.old, j.old_size);
	free(j.old);
	if (j.fd >= 0)
		close(j.fd);
	mp_place_fini(&j.at);
	return r;
}

/* ---- directories, owners and modes ---- */

/*
 * What is opened is what was looked up. Where users may write, a name can lead elsewhere a moment
 * later, and a second name of a file can lead to one that they should never get.
 */
static int same_owner(const struct mp_place *at, int fd, const struct mp_attr *attr,
		      struct mp_err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return mp_err_sys(err, errno, "stat %s", at->path);
	if (st.st_ino != at->st.st_ino || st.st_dev != at->st.st_dev ||
	    st.st_uid != at->st.st_uid || (st.st_mode & S_IFMT) != (at->st.st_mode & S_IFMT))
		return meanwhile(at, err);
	if (S_ISREG(st.st_mode) && st.st_nlink > 1 && st.st_uid != attr->uid)
		return mp_err_set(err, MP_E_DENIED,
				  "%s has %lu names (hard links), and its owner is not changed for "
				  "that reason; replace it with a copy of its own",
				  at->path, (unsigned long)st.st_nlink);
	return 0;
}

static int set_attr(struct mp_sys *sys, const struct mp_place *at, const struct mp_attr *attr,
		    struct mp_err *err)
{
	mp_auto_close int fd = -1;
	json_t *entry;
	int n;

	if (at->st.st_uid == attr->uid && at->st.st_gid == attr->gid &&
	    (at->st.st_mode & PERMISSIONS) == (attr->mode & PERMISSIONS))
		return 0;
	fd = openat(at->dir, at->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return mp_err_sys(err, errno, "open %s", at->path);
	if (same_owner(at, fd, attr, err) < 0)
		return -1;
	entry = json_pack("{s:s,s:s,s:b}", "op", "attr", "path", at->path, "existed", 1);
	put_attr(entry, &at->st);
	if (mp_journal_entry(sys, entry, NULL, 0, &n, err) < 0)
		return -1;
	if ((at->st.st_uid != attr->uid || at->st.st_gid != attr->gid) &&
	    fchown(fd, attr->uid, attr->gid) < 0)
		return mp_err_sys(err, errno, "set the owner of %s", at->path);
	if (fchmod(fd, attr->mode & PERMISSIONS) < 0)
		return mp_err_sys(err, errno, "set the mode of %s", at->path);
	return mp_journal_did(sys, n, NULL, err);
}

/* Gives the new directory its owner, mode and label, and then its name. */
static int finish_dir(struct mp_sys *sys, const struct mp_place *at, const char *tmp,
		      const struct mp_attr *attr, struct mp_err *err)
{
	mp_auto_close int fd =
		openat(at->dir, tmp, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return mp_err_sys(err, errno, "open the new directory %s", at->path);
	if (fchown(fd, attr->uid, attr->gid) < 0 || fchmod(fd, attr->mode & PERMISSIONS) < 0)
		return mp_err_sys(err, errno, "set owner and mode of %s", at->path);
	if (label_by_policy(sys, at->path, S_IFDIR, fd, err) < 0)
		return -1;
	if (renameat(at->dir, tmp, at->dir, at->name) < 0)
		return mp_err_sys(err, errno, "make directory %s", at->path);
	return sync_dir(at, err);
}

static int make_dir(struct mp_sys *sys, const struct mp_place *at, const struct mp_attr *attr,
		    struct mp_err *err)
{
	char tmp[NAME_MAX + 1];
	json_t *entry;
	int n;

	if (name_temporary(at, tmp, sizeof(tmp), err) < 0)
		return -1;
	entry = json_pack("{s:s,s:s,s:s,s:b}", "op", "mkdir", "path", at->path, "tmp", tmp,
			  "existed", 0);
	if (mp_journal_entry(sys, entry, NULL, 0, &n, err) < 0)
		return -1;
	if (mkdirat(at->dir, tmp, 0700) < 0)
		return mp_err_sys(err, errno, "make directory %s", at->path);
	if (finish_dir(sys, at, tmp, attr, err) < 0) {
		unlinkat(at->dir, tmp, AT_REMOVEDIR);
		return -1;
	}
	return mp_journal_did(sys, n, NULL, err);
}

int mp_sys_mkdir(struct mp_sys *sys, const char *path, const struct mp_attr *attr,
		 struct mp_err *err)
{
	mp_auto_place struct mp_place at = MP_PLACE_INIT;

	if (mp_place_find(sys, path, true, NULL, &at, err) < 0)
		return -1;
	if (!at.exists)
		return make_dir(sys, &at, attr, err);
	if (!S_ISDIR(at.st.st_mode))
		return mp_err_set(err, MP_E_INPUT, "%s is not a directory; move it away", path);
	return set_attr(sys, &at, attr, err);
}

int mp_sys_chattr(struct mp_sys *sys, const char *path, const struct mp_attr *attr,
		  struct mp_err *err)
{
	mp_auto_place struct mp_place at = MP_PLACE_INIT;

	if (mp_place_find(sys, path, true, NULL, &at, err) < 0)
		return -1;
	if (!at.exists)
		return mp_err_sys(err, ENOENT, "set owner and mode of %s", path);
	return set_attr(sys, &at, attr, err);
}

int mp_sys_poke(struct mp_sys *sys, const char *path, const char *text, struct mp_err *err)
{
	mp_auto_place struct mp_place at = MP_PLACE_INIT;
	mp_auto_free char *old = NULL;
	mp_auto_close int fd = -1;
	json_t *entry;
	int n;

	if (mp_place_find(sys, path, true, NULL, &at, err) < 0 ||
	    mp_sys_read(sys, path, &old, NULL, NULL, err) < 0)
		return -1;
	if (!old)
		return mp_err_sys(err, ENOENT, "write %s", path);
	entry = json_pack("{s:s,s:s,s:s,s:s}", "op", "note", "what", path, "before", old, "after",
			  text);
	if (mp_journal_entry(sys, entry, NULL, 0, &n, err) < 0)
		return -1;
	fd = openat(at.dir, at.name, O_WRONLY | O_TRUNC | O_NOFOLLOW | O_CLOEXEC);
	/* One write(2): the kernel takes each as a whole value. */
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		return mp_err_sys(err, errno, "write %s", path);
	return mp_journal_did(sys, n, NULL, err);
}

int mp_sys_label(struct mp_sys *sys, const char *path, const char *context, struct mp_err *err)
{
	mp_auto_place struct mp_place at = MP_PLACE_INIT;
	mp_auto_close int fd = -1;
	char *old = NULL;
	json_t *entry;
	int n;

	if (mp_place_find(sys, path, true, NULL, &at, err) < 0)
		return -1;
	fd = at.exists ? openat(at.dir, at.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
		       : -1;
	if (fd < 0)
		return mp_err_sys(err, at.exists ? errno : ENOENT, "open %s", path);
	if (fgetfilecon_raw(fd, &old) < 0)
		return mp_err_sys(err, errno, "read the SELinux context of %s", path);
	entry = json_pack("{s:s,s:s,s:s,s:s}", "op", "label", "path", at.path, "before", old,
			  "after", context);
	freecon(old);
	if (mp_journal_entry(sys, entry, NULL, 0, &n, err) < 0)
		return -1;
	if (fsetfilecon_raw(fd, context) < 0)
		return mp_err_sys(err, errno, "set the SELinux context of %s to %s", path, context);
	return mp_journal_did(sys, n, NULL, err);
}
