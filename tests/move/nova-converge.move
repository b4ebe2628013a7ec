policy nova
set nova.release 29
set postcopy 1
set converge 1
ground postcopy-works 0
plan postcopy 0
plan auto-converge 1
