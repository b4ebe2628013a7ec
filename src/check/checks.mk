# One row per check; the order is the order of reports.
CHECK_SOURCES = \
	src/check/libvirt-running.c \
	src/check/versions-minimum.c \
	src/check/versions.c \
	src/check/machine-types.c \
	src/check/host-uuid-unique.c \
	src/check/hostnames-unique.c \
	src/check/migration-address.c \
	src/check/names-equal.c \
	src/check/nova-ids-equal.c \
	src/check/ssh-key-shared.c \
	src/check/ssh-host-keys.c \
	src/check/ssh-stale-grant.c \
	src/check/port-free.c
# What checks share.
CHECK_SHARED = \
	src/check/tally.c \
	src/check/version-text.c
