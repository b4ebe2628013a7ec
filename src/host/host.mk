HOST_SOURCES = \
	src/host/child.c \
	src/host/journal.c \
	src/host/libvirt.c \
	src/host/place.c \
	src/host/run.c \
	src/host/service.c \
	src/host/sys.c \
	src/host/user.c \
	src/host/write.c
