# One row per cmocka program: tests/unit/NAME.c becomes tests/unit/NAME.
UNIT_TESTS = \
	tests/unit/test_host
