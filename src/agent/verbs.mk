# One row per verb of the agent.
VERB_SOURCES = \
	src/agent/verb-observe.c \
	src/agent/verb-apply.c \
	src/agent/verb-ssh-key-read.c \
	src/agent/verb-listen.c \
	src/agent/verb-try.c \
	src/agent/verb-leftovers.c
VERB_SHARED = \
	src/agent/agent.c \
	src/agent/lock.c \
	src/agent/port-holders.c
