# One row per policy; the order is the order of choice in messages.
POLICY_SOURCES = \
	src/migrate/policy-adaptive.c \
	src/migrate/policy-nova.c \
	src/migrate/policy-static.c \
	src/migrate/policy-schedule.c
# What policies share.
POLICY_SHARED = \
	src/migrate/policy.c \
	src/migrate/policy-forecast.c
# What stands against a move: one file per group of predicates.
PRECHECK_SOURCES = \
	src/migrate/precheck.c \
	src/migrate/precheck-guest.c \
	src/migrate/precheck-modes.c \
	src/migrate/precheck-nova.c
