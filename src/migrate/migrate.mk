MIGRATE_SOURCES = \
	src/migrate/engine.c \
	src/migrate/errors.c \
	src/migrate/proof.c \
	src/migrate/ring.c \
	src/migrate/uri.c \
	src/migrate/verify.c \
	src/migrate/verify-run.c \
	src/migrate/virt.c
