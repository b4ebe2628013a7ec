# Mitaka had neither flag as an option
policy nova
set nova.release 13
set postcopy 1
set converge 1
ground postcopy-works 1
plan postcopy 0
plan auto-converge 0
