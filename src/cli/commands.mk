# One row per command; the order is the order of --help.
COMMAND_SOURCES =
