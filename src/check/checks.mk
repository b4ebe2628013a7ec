# One row per check; the order is the order of reports.
CHECK_SOURCES =
