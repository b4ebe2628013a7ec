# One row per cmocka program: tests/unit/NAME.c becomes tests/unit/NAME.
UNIT_TESTS = \
	tests/unit/test_host \
	tests/unit/test_str \
	tests/unit/test_inventory \
	tests/unit/test_profile \
	tests/unit/test_finding \
	tests/unit/test_world \
	tests/unit/test_run \
	tests/unit/test_report \
	tests/unit/test_mesh \
	tests/unit/test_check_vectors \
	tests/unit/test_ssh_text \
	tests/unit/test_ssh_resources \
	tests/unit/test_samples
