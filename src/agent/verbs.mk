# One row per verb of the agent.
VERB_SOURCES = \
	src/agent/verb-listen.c \
	src/agent/verb-try.c
VERB_SHARED = \
	src/agent/port-holders.c
