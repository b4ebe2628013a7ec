# before, it had the flag, and libvirt refused the move
policy nova
set nova.release 28
set postcopy 1
ground postcopy-works 1
ground paused 1
plan postcopy 1
