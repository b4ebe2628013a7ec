WIRE_SOURCES = \
	src/wire/greeting.c \
	src/wire/wire.c
