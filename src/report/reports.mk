# One row per report format.
REPORT_SOURCES = \
	src/report/text.c \
	src/report/json.c \
	src/report/junit.c
REPORT_SHARED = \
	src/report/fold.c \
	src/report/words.c
