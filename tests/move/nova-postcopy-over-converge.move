# post-copy wins over auto-converge (libvirt/driver.py, _parse_migration_flags)
policy nova
set nova.release 29
set postcopy 1
set converge 1
ground postcopy-works 1
plan postcopy 1
plan auto-converge 0
