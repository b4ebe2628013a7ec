# One row per report format.
REPORT_SOURCES =
REPORT_SHARED =
