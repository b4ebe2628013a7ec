# One row per verb of the agent.
VERB_SOURCES =
