# One row per command; the order is the order of --help.
COMMAND_SOURCES = \
	src/cli/cmd-check.c \
	src/cli/cmd-apply.c \
	src/cli/cmd-mesh.c \
	src/cli/cmd-verify.c \
	src/cli/cmd-run.c \
	src/cli/cmd-facts.c \
	src/cli/cmd-explain.c \
	src/cli/cmd-help.c
CLI_SHARED = \
	src/cli/change.c \
	src/cli/context.c \
	src/cli/judge.c \
	src/cli/look.c \
	src/cli/options.c \
	src/cli/phases.c \
	src/cli/progress.c \
	src/cli/usage.c
