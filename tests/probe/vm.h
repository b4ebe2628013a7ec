/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * vm: the probe guest in a QEMU of our own: emulated CPU, no libvirt, serial port and monitor on
 * Unix sockets in a private directory. One thread reads all of them, so that both ends of a
 * migration are heard by one clock. Failures end the test.
 */
#ifndef MP_TESTS_PROBE_VM_H
#define MP_TESTS_PROBE_VM_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "probe/probe.h"
#include "probe/record.h"

struct vm_lab {
	char dir[64];
	char *image; /* path of the guest */
	struct vm *vms[2];
};

struct vm {
	struct vm_lab *lab;
	pid_t pid;
	int status; /* of waitpid, once pid is 0 */
	int serial, qmp;
	char *input; /* of the monitor, unfinished line */
	size_t input_size;
	json_t *reply;
	struct mp_probe_track track;
	bool deaf; /* the serial port is not read */
};

/* false: no QEMU here. */
bool vm_lab_start(struct vm_lab *lab);
void vm_lab_end(struct vm_lab *lab); /* ends what still runs, removes the directory */

struct vm_opts {
	const char *machine, *cmdline;
	unsigned mib;
	bool incoming;           /* waits for "migrate-incoming" */
	const char *disk;        /* path of a raw image, or NULL */
	const char *disk_where;  /* ",bus=..." or NULL */
	const char *more_device; /* before the disk; or NULL */
	bool no_hpet;
	bool pty; /* the serial port is a pty, as under libvirt; what it says first is lost */
};

struct vm *vm_start(struct vm_lab *lab, const struct vm_opts *o);
void vm_end(struct vm *vm); /* SIGKILL by pid, unless it has ended; frees it */

int64_t vm_now_us(void); /* the observer's clock */

/* Reads whatever comes on all machines of the lab, for at most so long. */
void vm_listen(struct vm_lab *lab, int ms);

/* Listens until the condition holds; fails the test after 30 s. */
#define VM_AWAIT(lab, condition)                                                                   \
	do {                                                                                       \
		int64_t vm_until_ = vm_now_us() + 30000000;                                        \
		while (!(condition)) {                                                             \
			if (vm_now_us() > vm_until_)                                               \
				fail_msg("%s:%d: waited in vain for %s", __FILE__, __LINE__,       \
					 #condition);                                              \
			vm_listen(lab, 20);                                                        \
		}                                                                                  \
	} while (0)

/* Sends a command to the guest and waits for its answer; whether the guest did it. */
bool vm_tell(struct vm *vm, enum mp_probe_command command, uint32_t number);
void vm_send(struct vm *vm, const char *text); /* raw */

/* The value of "return"; a new reference. Formats as json_pack does not: text is JSON. */
json_t *vm_qmp(struct vm *vm, const char *text);

/* Whether the machine has ended by itself; status is filled then. */
bool vm_ended(struct vm *vm);

#endif
