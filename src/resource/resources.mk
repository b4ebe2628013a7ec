# One row per resource; the order is the order of application.
RESOURCE_SOURCES = \
	src/resource/ssh-keys.c \
	src/resource/ssh-authorized.c \
	src/resource/ssh-known-hosts.c
# What resources share.
RESOURCE_SHARED = \
	src/resource/ssh-pair.c \
	src/resource/ssh-user.c
