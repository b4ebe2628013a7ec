BASE_SOURCES = \
	src/base/alloc.c \
	src/base/buf.c \
	src/base/clock.c \
	src/base/err.c \
	src/base/range.c \
	src/base/str.c
