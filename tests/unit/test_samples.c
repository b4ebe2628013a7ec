/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_samples: what the samples say of a pretended host. */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/str.h"
#include "fake-root.h"
#include "model/world.h"
#include "sample/sample.h"

extern const struct mp_sample mp_sample_names, mp_sample_identity, mp_sample_ports,
	mp_sample_kernel, mp_sample_users;

static json_t *look(struct mp_sys *sys, const struct mp_sample *s, const json_t *params)
{
	struct mp_err err = { 0 };
	json_t *fact = NULL;

	if (s->observe(sys, params, &fact, &err) < 0)
		fail_msg("%s: %s", s->id, err.text);
	return fact;
}

static void identity_reads_sshd_config(void **state)
{
	struct env *e = *state;
	mp_auto_free char *key = NULL, *only = NULL;
	json_t *fact, *keys;

	put(e->root, "/etc/hosts", "127.0.0.1 localhost\n127.0.1.1 c1.example.org c1 # own\n");
	run("mkdir -p %s/proc/sys/kernel", e->root);
	put(e->root, "/proc/sys/kernel/hostname", "c1\n");
	put(e->root, "/etc/os-release", "NAME=\"Debian\"\nID=debian\nVERSION_ID=\"12\"\n");
	put(e->root, "/etc/ssh/sshd_config",
	    "Include /etc/ssh/sshd_config.d/*.conf\n#Port 7\nPort 22\n"
	    "Match User git\n Port 9\n");
	put(e->root, "/etc/ssh/sshd_config.d/10-port.conf", "port=2222\nHostKey /etc/ssh/mine\n");
	put(e->root, "/etc/ssh/sshd_config.d/20.disabled", "Port 3333\n");
	put(e->root, "/etc/ssh/sshd_config.d/30-keys.conf", "HostKey \"/etc/ssh/bare\"\n");
	key = new_key(e->root, "ecdsa", "etc/ssh/mine");
	only = new_key(e->root, "ed25519", "etc/ssh/bare");
	run("rm %s/etc/ssh/bare.pub", e->root);
	fact = look(e->sys, &mp_sample_identity, NULL);
	assert_string_equal(mp_json_str(fact, "hostname", ""), "c1");
	assert_string_equal(mp_json_str(fact, "fqdn", ""), "c1.example.org");
	assert_string_equal(mp_json_str(fact, "os", ""), "debian");
	assert_string_equal(mp_json_str(fact, "os_version", ""), "12");
	assert_int_equal(mp_json_int(fact, "sshd_port", 0), 2222);
	assert_int_equal(json_array_size(json_object_get(fact, "sshd_ports")), 2);
	keys = json_object_get(fact, "host_keys");
	assert_int_equal(json_array_size(keys), 2);
	assert_string_equal(mp_json_str(json_array_get(keys, 0), "line", ""), key);
	assert_string_equal(mp_json_str(json_array_get(keys, 1), "line", ""), only);
	json_decref(fact);
}

static void ports_reads_the_kernels_table(void **state)
{
	/* 49152 is 0xC000; 0A is LISTEN, 01 is ESTABLISHED. Lines as a kernel printed them. */
	static const char tcp[] =
		"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid "
		" "
		"timeout inode\n"
		"   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0"
		"        0 20123 1 0000000000000000 100 0 0 10 0\n"
		"   1: 0100007F:C000 00000000:0000 0A 00000000:00000000 00:00000000 00000000   107"
		"        0 20124 1 0000000000000000 100 0 0 10 0\n"
		"   2: 0100007F:C001 0100007F:8000 01 00000000:00000000 00:00000000 00000000   107"
		"        0 20125 1 0000000000000000 100 0 0 10 0\n";
	static const char tcp6[] = "  sl  local_address                         remote_address     "
				   "                   st "
				   "tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
				   "   0: 00000000000000000000000000000000:C06D "
				   "00000000000000000000000000000000:0000 0A "
				   "00000000:00000000 00:00000000 00000000     0        0 31337 1 "
				   "0000000000000000 100 0 "
				   "0 10 0\n"
				   "   1: 00000000000000000000000000000000:C06E "
				   "00000000000000000000000000000000:0000 0A "
				   "00000000:00000000 00:00000000 00000000     0        0 31338 1 "
				   "0000000000000000 100 0 "
				   "0 10 0\n";
	json_t *params = json_pack("{s:i,s:i}", "from", 49152, "to", 49261), *fact, *expected;
	struct env *e = *state;

	put(e->root, "/proc/net/tcp", tcp);
	put(e->root, "/proc/net/tcp6", tcp6);
	fact = look(e->sys, &mp_sample_ports, params);
	expected = json_pack("{s:[{s:i,s:i},{s:i,s:i}]}", "listeners", "port", 49152, "uid", 107,
			     "port", 49261, "uid", 0);
	assert_true(json_equal(fact, expected));
	json_decref(params);
	json_decref(fact);
	json_decref(expected);
}

/* A listener of our own on the running system is found with its owner and program, and nothing else
 * is. */
static void ports_finds_a_real_listener(void **state)
{
	static const int families[] = { AF_INET, AF_INET6 };
	struct mp_err err = { 0 };
	struct mp_sys *sys;

	(void)state;
	assert_int_equal(mp_sys_open("/", &sys, &err), 0);
	for (size_t i = 0; i < MP_N_ELEMS(families); i++) {
		struct sockaddr_in6 a6 = { .sin6_family = AF_INET6,
					   .sin6_addr = IN6ADDR_LOOPBACK_INIT };
		struct sockaddr_in a4 = { .sin_family = AF_INET,
					  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		struct sockaddr *a = i ? (struct sockaddr *)&a6 : (struct sockaddr *)&a4;
		socklen_t size = i ? sizeof(a6) : sizeof(a4);
		mp_auto_close int fd = socket(families[i], SOCK_STREAM, 0);
		json_t *params, *fact, *expected;
		int port;

		if (fd < 0 || bind(fd, a, size) < 0 || listen(fd, 1) < 0) {
			assert_int_equal(families[i], AF_INET6); /* a machine without IPv6 */
			continue;
		}
		assert_int_equal(getsockname(fd, a, &size), 0);
		port = ntohs(i ? a6.sin6_port : a4.sin_port);
		params = json_pack("{s:i,s:i}", "from", port, "to", port);
		fact = look(sys, &mp_sample_ports, params);
		expected = json_pack("{s:[{s:i,s:i,s:s}]}", "listeners", "port", port, "uid",
				     (int)geteuid(), "process", program_invocation_short_name);
		if (!json_equal(fact, expected))
			fail_msg("%s", json_dumps(fact, 0));
		json_decref(params);
		json_decref(fact);
		json_decref(expected);
	}
	mp_sys_close(sys);
}

static void kernel_and_users(void **state)
{
	json_t *params = json_pack("{s:s}", "nova", "nova"), *fact, *expected;
	struct env *e = *state;

	run("cd %s && mkdir -p dev proc/sys/net/ipv4 proc/sys/vm sys/fs/selinux && touch dev/kvm",
	    e->root);
	put(e->root, "/proc/cpuinfo",
	    "processor\t: 0\nvendor_id\t: AuthenticAMD\nflags\t\t: fpu svm sse\n");
	put(e->root, "/proc/sys/vm/unprivileged_userfaultfd", "0\n");
	put(e->root, "/proc/sys/net/ipv4/ip_local_port_range", "32768\t60999\n");
	put(e->root, "/proc/sys/net/ipv4/ip_local_reserved_ports", "49152-49261\n");
	put(e->root, "/sys/fs/selinux/enforce", "1");
	fact = look(e->sys, &mp_sample_kernel, NULL);
	expected = json_pack("{s:s,s:b,s:b,s:i,s:[i,i],s:s}", "selinux", "enforcing", "apparmor", 0,
			     "kvm_usable", 1, "userfaultfd", 0, "local_ports", 32768, 60999,
			     "reserved_ports", "49152-49261");
	assert_true(json_equal(fact, expected));
	json_decref(fact);
	json_decref(expected);
	/* A node without the flag proves nothing. */
	put(e->root, "/proc/cpuinfo",
	    "processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: fpu sse\n");
	fact = look(e->sys, &mp_sample_kernel, NULL);
	assert_false(mp_json_bool(fact, "kvm_usable", true));
	json_decref(fact);
	fact = look(e->sys, &mp_sample_users, params);
	expected = json_pack("{s:{s:s,s:i,s:i},s:n,s:i,s:n}", "nova", "name", "nova", "uid", 64060,
			     "gid", 64060, "qemu", "kvm", 104, "libvirt");
	assert_true(json_equal(fact, expected));
	json_decref(fact);
	json_decref(expected);
	json_decref(params);
}

/* Against ip(8), in a network namespace of our own, where it stays: the last test. */
static void identity_tells_own_addresses(void **state)
{
	mp_auto_strv struct mp_strv expected = { 0 };
	struct mp_err err = { 0 };
	const json_t *addresses;
	struct mp_sys *sys;
	char line[128];
	json_t *fact;
	FILE *p;

	(void)state;
	if (unshare(CLONE_NEWNET) < 0) {
		print_message("# skipped: needs a network namespace of its own (run it as root)\n");
		skip();
	}
	run("ip link set lo up && ip addr add 10.9.8.7/24 dev lo && "
	    "ip addr add 2001:db8::7/64 dev lo && ip addr add fe80::7/64 dev lo && "
	    "ip link add d0 type bridge && ip addr add 10.9.8.10/24 dev d0 && "
	    "ip link set d0 up && ip link add d1 type bridge && ip addr add 10.9.7.1/24 dev d1");
	p = popen("ip -o addr show up | awk '{ print $4 }' | cut -d/ -f1 | "
		  "grep -vE '^(127[.]|::1$|fe80:)' | sort -V",
		  "r");
	assert_non_null(p);
	while (fgets(line, sizeof(line), p)) {
		line[strcspn(line, "\n")] = '\0';
		mp_strv_add(&expected, line);
	}
	assert_int_equal(pclose(p), 0);
	assert_int_equal(expected.n, 3);
	if (mp_sys_open("/", &sys, &err) < 0)
		fail_msg("%s", err.text);
	fact = look(sys, &mp_sample_identity, NULL);
	addresses = json_object_get(fact, "addresses");
	assert_int_equal(json_array_size(addresses), expected.n);
	for (size_t i = 0; i < expected.n; i++)
		assert_string_equal(json_string_value(json_array_get(addresses, i)), expected.v[i]);
	json_decref(fact);
	mp_sys_close(sys);
}

/* In the order in which programs try the addresses: as getent(1) prints them. */
static void names_keeps_the_order(void **state)
{
	json_t *params = json_pack("{s:[s]}", "names", "two.example.org"), *fact;
	mp_auto_free char *told = NULL;
	struct env *e = *state;
	struct mp_err err = { 0 };
	struct mp_sys *sys;

	put(e->root, "/etc/hosts", "10.99.0.9 two.example.org\n10.99.0.1 two.example.org\n");
	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		print_message("skipped: no mount namespace can be made here\n");
		json_decref(params);
		skip();
	}
	run("mount --bind %s/etc/hosts /etc/hosts", e->root);
	told = sh(
		"getent ahosts two.example.org | awk '$2 == \"STREAM\" { printf \"%%s%%s\", n++ ? "
		"\" \" : \"\", $1 }'");
	assert_string_equal(told, "10.99.0.9 10.99.0.1"); /* else this test would show nothing */
	assert_int_equal(mp_sys_open("/", &sys, &err), 0);
	fact = look(sys, &mp_sample_names, params);
	assert_string_equal(mp_json_str(json_object_get(fact, "addresses"), "two.example.org", ""),
			    told);
	run("umount /etc/hosts");
	mp_sys_close(sys);
	json_decref(fact);
	json_decref(params);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(identity_reads_sshd_config),   T(ports_reads_the_kernels_table),
		T(ports_finds_a_real_listener),  T(kernel_and_users),
		T(identity_tells_own_addresses), T(names_keeps_the_order),
	};

	return cmocka_run_group_tests_name("samples", tests, NULL, NULL);
}
