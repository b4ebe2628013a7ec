/* SPDX-License-Identifier: GPL-3.0-or-later */
/* kernel: what the running kernel allows: SELinux, AppArmor, KVM, userfaultfd, ports. */
#include "config.h"
#include "sample/sample.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"

/* The text of a small kernel file without its newline; NULL: absent. */
static char *knob(struct mp_sys *sys, const char *path)
{
	mp_auto_free char *text = NULL;

	if (mp_sys_read(sys, path, &text, NULL, NULL, NULL) < 0 || !text)
		return NULL;
	text[strcspn(text, "\n")] = '\0';
	return mp_steal(&text);
}

/* "disabled", "permissive" or "enforcing"; selinuxfs is there only where SELinux is on. */
static const char *selinux_mode(struct mp_sys *sys)
{
	mp_auto_free char *enforce = knob(sys, "/sys/fs/selinux/enforce");

	if (!enforce)
		return "disabled";
	return strcmp(enforce, "1") == 0 ? "enforcing" : "permissive";
}

/*
 * The first bytes of /proc/cpuinfo: they hold the flags of the first processor. The kernel makes
 * the rest only when it is read, and on a large host that is slow.
 */
static char *first_cpu(struct mp_sys *sys)
{
	mp_auto_close int fd = -1;
	char text[8192], *all = NULL;
	ssize_t n;

	if (!mp_sys_is_real(sys))
		return mp_sys_read(sys, "/proc/cpuinfo", &all, NULL, NULL, NULL) < 0 ? NULL : all;
	fd = open("/proc/cpuinfo", O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	return n < 0 ? NULL : mp_xstrndup(text, (size_t)n);
}

/* The flags svm or vmx: hardware virtualisation that is offered to us. Always true where there are
 * no such flags. */
static bool cpu_virtualises(struct mp_sys *sys)
{
	mp_auto_free char *text = first_cpu(sys), *line = NULL;
	const char *flags;

	flags = text ? strstr(text, "\nflags") : NULL;
	if (!flags)
		return text && !strstr(text, "vendor_id");
	line = mp_xasprintf("%.*s ", (int)strcspn(flags + 1, "\n"), flags + 1);
	return strstr(line, " svm ") || strstr(line, " vmx ");
}

static json_t *integer(struct mp_sys *sys, const char *path)
{
	mp_auto_free char *text = knob(sys, path);

	return text ? json_integer(strtoll(text, NULL, 10)) : json_null();
}

static json_t *local_ports(struct mp_sys *sys)
{
	mp_auto_free char *text = knob(sys, "/proc/sys/net/ipv4/ip_local_port_range");
	char *end;
	long from, to;

	if (!text)
		return json_null();
	from = strtol(text, &end, 10);
	to = strtol(end, NULL, 10);
	return json_pack("[i,i]", (int)from, (int)to);
}

static int observe(struct mp_sys *sys, const json_t *p, json_t **ret, struct mp_err *err)
{
	mp_auto_free char *apparmor = knob(sys, "/sys/module/apparmor/parameters/enabled");
	mp_auto_free char *reserved = knob(sys, "/proc/sys/net/ipv4/ip_local_reserved_ports");
	bool device = false;

	(void)p;
	if (mp_sys_stat(sys, "/dev/kvm", &device, NULL, err) < 0)
		return -1;
	*ret = json_pack("{s:s,s:b,s:b,s:o,s:o,s:s}", "selinux", selinux_mode(sys), "apparmor",
			 apparmor && apparmor[0] == 'Y', "kvm_usable",
			 device && cpu_virtualises(sys), "userfaultfd",
			 integer(sys, "/proc/sys/vm/unprivileged_userfaultfd"), "local_ports",
			 local_ports(sys), "reserved_ports", reserved ? reserved : "");
	return 0;
}

const struct mp_sample mp_sample_kernel = {
	.id = "kernel",
	.summary = "SELinux, AppArmor, KVM, userfaultfd and the local port range",
	.observe = observe,
};
