# One row per resource; the order is the order of application. libvirt-restart stays last.
RESOURCE_SOURCES = \
	src/resource/nova-shell.c \
	src/resource/ssh-keys.c \
	src/resource/ssh-authorized.c \
	src/resource/ssh-known-hosts.c \
	src/resource/nova-conf.c \
	src/resource/instances-dir.c \
	src/resource/nfs-export.c \
	src/resource/nfs-mount.c \
	src/resource/idmapd-conf.c \
	src/resource/qemu-conf.c \
	src/resource/reserved-ports.c \
	src/resource/migration-ports.c \
	src/resource/selinux-contexts.c \
	src/resource/libvirt-restart.c
# What resources share.
RESOURCE_SHARED = \
	src/resource/edit-ini.c \
	src/resource/edit-lines.c \
	src/resource/mount-table.c \
	src/resource/port-set.c \
	src/resource/ports-boot.c \
	src/resource/ports-kernel.c \
	src/resource/want.c \
	src/resource/ssh-pair.c \
	src/resource/ssh-user.c
