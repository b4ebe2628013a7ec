FLEET_SOURCES = \
	src/fleet/bootstrap.c \
	src/fleet/bundle.c \
	src/fleet/pool.c \
	src/fleet/session.c
