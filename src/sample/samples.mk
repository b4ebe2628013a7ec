# One row per sample.
SAMPLE_SOURCES =
SAMPLE_SHARED =
