/* SPDX-License-Identifier: GPL-3.0-or-later */
/* vm: see vm.h. */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/str.h"
#include "vm.h"

#define QEMU "qemu-system-x86_64"

int64_t vm_now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static bool have_qemu(void)
{
	mp_auto_free char *path = mp_xstrdup(getenv("PATH") ? getenv("PATH") : "");
	char *save = NULL;

	for (char *d = strtok_r(path, ":", &save); d; d = strtok_r(NULL, ":", &save)) {
		mp_auto_free char *file = mp_xasprintf("%s/" QEMU, d);

		if (access(file, X_OK) == 0)
			return true;
	}
	return false;
}

bool vm_lab_start(struct vm_lab *lab)
{
	FILE *f;

	memset(lab, 0, sizeof(*lab));
	if (!have_qemu())
		return false;
	snprintf(lab->dir, sizeof(lab->dir), "/tmp/migprep-probe-XXXXXX");
	assert_non_null(mkdtemp(lab->dir));
	lab->image = mp_xasprintf("%s/probe.elf", lab->dir);
	f = fopen(lab->image, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(mp_probe_image, mp_probe_image_size(), 1, f), 1);
	assert_int_equal(fclose(f), 0);
	return true;
}

void vm_lab_end(struct vm_lab *lab)
{
	for (size_t i = 0; i < MP_N_ELEMS(lab->vms); i++)
		if (lab->vms[i])
			vm_end(lab->vms[i]);
	if (lab->dir[0]) {
		DIR *d = opendir(lab->dir);

		for (struct dirent *e; d && (e = readdir(d));)
			unlinkat(dirfd(d), e->d_name, 0); /* "." and ".." refuse */
		if (d)
			closedir(d);
		rmdir(lab->dir);
	}
	free(lab->image);
}

/* ---- one machine ---- */

static int dial(struct vm *vm, const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int64_t until = vm_now_us() + 30000000;
	int fd;

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	for (;;) {
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_true(fd >= 0);
		if (connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0)
			break;
		close(fd);
		if (vm_ended(vm))
			fail_msg(QEMU " ended before it could be reached; see %s/log",
				 vm->lab->dir);
		if (vm_now_us() > until)
			fail_msg("no connection to %s: %s", path, strerror(errno));
		poll(NULL, 0, 5);
	}
	unlink(path);
	return fd;
}

static void add(struct mp_strv *argv, const char *option, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static void add(struct mp_strv *argv, const char *option, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	mp_strv_add(argv, option);
	mp_strv_add(argv, text);
}

static void become_qemu(const struct vm_lab *lab, const struct vm_opts *o)
{
	mp_auto_free char *log = mp_xasprintf("%s/log", lab->dir);
	struct mp_strv argv = { 0 };

	mp_strv_add(&argv, QEMU);
	mp_strv_add(&argv, "-nodefaults");
	mp_strv_add(&argv, "-no-user-config");
	add(&argv, "-display", "none");
	add(&argv, "-machine", "%s,accel=tcg%s", o->machine, o->no_hpet ? ",hpet=off" : "");
	add(&argv, "-cpu", "qemu64");
	add(&argv, "-m", "%u", o->mib);
	add(&argv, "-kernel", "%s", lab->image);
	add(&argv, "-append", "%s", o->cmdline);
	if (o->pty)
		add(&argv, "-chardev", "pty,id=s");
	else
		add(&argv, "-chardev", "socket,id=s,path=%s/serial,server=on,wait=on", lab->dir);
	add(&argv, "-serial", "chardev:s");
	add(&argv, "-qmp", "unix:%s/qmp,server=on,wait=off", lab->dir);
	if (o->incoming)
		add(&argv, "-incoming", "defer");
	if (o->more_device)
		add(&argv, "-device", "%s", o->more_device);
	if (o->disk) {
		add(&argv, "-drive", "file=%s,if=none,id=d,format=raw", o->disk);
		add(&argv, "-device", "virtio-blk-pci,drive=d%s",
		    o->disk_where ? o->disk_where : "");
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that dies leaves no machine behind */
	dup2(open("/dev/null", O_RDWR), 0);
	dup2(open(log, O_WRONLY | O_CREAT | O_APPEND, 0600), 1);
	dup2(1, 2);
	execvp(QEMU, argv.v);
	_exit(127);
}

/* The other end of QEMU's pty, as libvirt's console has it. */
static int open_pty(struct vm *vm)
{
	json_t *all = vm_qmp(vm, "{\"execute\":\"query-chardev\"}"), *one;
	size_t i;
	int fd = -1;

	json_array_foreach(all, i, one)
	{
		const char *name = json_string_value(json_object_get(one, "filename"));

		if (name && strncmp(name, "pty:", 4) == 0)
			fd = open(name + 4, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	}
	json_decref(all);
	assert_true(fd >= 0);
	return fd;
}

struct vm *vm_start(struct vm_lab *lab, const struct vm_opts *o)
{
	struct vm *vm = mp_xcalloc(1, sizeof(*vm));
	mp_auto_free char *serial = mp_xasprintf("%s/serial", lab->dir);
	mp_auto_free char *qmp = mp_xasprintf("%s/qmp", lab->dir);
	size_t slot = lab->vms[0] ? 1 : 0;

	assert_null(lab->vms[slot]);
	lab->vms[slot] = vm;
	vm->lab = lab;
	vm->serial = vm->qmp = -1;
	mp_probe_track_init(&vm->track);
	vm->pid = fork();
	assert_true(vm->pid >= 0);
	if (vm->pid == 0)
		become_qemu(lab, o);
	if (!o->pty)
		vm->serial = dial(vm, serial);
	vm->qmp = dial(vm, qmp);
	json_decref(vm_qmp(vm, "{\"execute\":\"qmp_capabilities\"}"));
	if (o->pty)
		vm->serial = open_pty(vm);
	return vm;
}

bool vm_ended(struct vm *vm)
{
	if (vm->pid > 0 && waitpid(vm->pid, &vm->status, WNOHANG) == vm->pid)
		vm->pid = 0;
	return vm->pid == 0;
}

void vm_end(struct vm *vm)
{
	if (!vm_ended(vm)) {
		kill(vm->pid, SIGKILL);
		waitpid(vm->pid, &vm->status, 0);
	}
	if (vm->serial >= 0)
		close(vm->serial);
	if (vm->qmp >= 0)
		close(vm->qmp);
	for (size_t i = 0; i < MP_N_ELEMS(vm->lab->vms); i++)
		if (vm->lab->vms[i] == vm)
			vm->lab->vms[i] = NULL;
	json_decref(vm->reply);
	mp_probe_track_fini(&vm->track);
	free(vm->input);
	free(vm);
}

/* ---- listening ---- */

static void hear_serial(struct vm *vm)
{
	char data[4096];
	ssize_t n = read(vm->serial, data, sizeof(data));
	int64_t now = vm_now_us();

	if (n > 0) {
		mp_probe_track_feed(&vm->track, data, (size_t)n, now);
	} else if (n == 0 || errno != EAGAIN) {
		close(vm->serial);
		vm->serial = -1;
	}
}

/* Events are passed over; an answer is kept until vm_qmp() takes it. */
static void hear_line(struct vm *vm, const char *line)
{
	json_t *m = json_loads(line, 0, NULL);

	assert_non_null(m);
	if (json_object_get(m, "error"))
		fail_msg("QEMU: %s", line);
	if (json_object_get(m, "return"))
		vm->reply = json_incref(json_object_get(m, "return"));
	json_decref(m);
}

static void hear_qmp(struct vm *vm)
{
	char data[4096], *end;
	ssize_t n = read(vm->qmp, data, sizeof(data));

	if (n <= 0) {
		close(vm->qmp);
		vm->qmp = -1;
		return;
	}
	vm->input = mp_xreallocarray(vm->input, vm->input_size + (size_t)n + 1, 1);
	memcpy(vm->input + vm->input_size, data, (size_t)n);
	vm->input_size += (size_t)n;
	vm->input[vm->input_size] = '\0';
	while ((end = strchr(vm->input, '\n'))) {
		size_t used = (size_t)(end - vm->input) + 1;

		*end = '\0';
		hear_line(vm, vm->input);
		vm->input_size -= used;
		memmove(vm->input, vm->input + used, vm->input_size + 1);
	}
}

void vm_listen(struct vm_lab *lab, int ms)
{
	struct pollfd p[4];

	for (size_t i = 0; i < 4; i++) {
		struct vm *vm = lab->vms[i / 2];

		p[i] = (struct pollfd){ .fd = -1, .events = POLLIN };
		if (vm)
			p[i].fd = i % 2 ? vm->qmp : vm->deaf ? -1 : vm->serial;
	}
	if (poll(p, 4, ms) <= 0)
		return;
	for (size_t i = 0; i < 4; i++) {
		if (!p[i].revents)
			continue;
		if (i % 2)
			hear_qmp(lab->vms[i / 2]);
		else
			hear_serial(lab->vms[i / 2]);
	}
}

/* ---- talking ---- */

void vm_send(struct vm *vm, const char *text)
{
	assert_int_equal(write(vm->serial, text, strlen(text)), strlen(text));
}

bool vm_tell(struct vm *vm, enum mp_probe_command command, uint32_t number)
{
	size_t before = vm->track.n_others;
	const struct mp_probe_record *answer = NULL;
	char line[MP_PROBE_LINE];

	mp_probe_command_line(command, number, line);
	vm_send(vm, line);
	VM_AWAIT(vm->lab, ({
			 for (; before < vm->track.n_others; before++) {
				 const struct mp_probe_record *r = &vm->track.others[before];

				 if (r->type == MP_PT_ACK && r->a == command && r->c == number)
					 answer = r;
			 }
			 answer;
		 }));
	return answer->b == 1;
}

json_t *vm_qmp(struct vm *vm, const char *text)
{
	json_t *reply;

	assert_null(vm->reply);
	assert_int_equal(send(vm->qmp, text, strlen(text), MSG_NOSIGNAL), strlen(text));
	VM_AWAIT(vm->lab, vm->reply || vm->qmp < 0);
	assert_non_null(vm->reply);
	reply = vm->reply;
	vm->reply = NULL;
	return reply;
}
