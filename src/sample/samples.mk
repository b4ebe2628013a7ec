# One row per sample.
SAMPLE_SOURCES = \
	src/sample/identity.c \
	src/sample/kernel.c \
	src/sample/names.c \
	src/sample/ports.c \
	src/sample/users.c \
	src/sample/virt.c
SAMPLE_SHARED = \
	src/sample/listeners.c \
	src/sample/sshd-conf.c
