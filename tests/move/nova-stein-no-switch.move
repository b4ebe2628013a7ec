# Stein took that switch away
policy nova
set nova.release 19
set postcopy 1
ground postcopy-works 1
at 1 iteration=1 left=1000m
-> set-downtime 50 ladder
at 501 iteration=2 left=999m
at 1001 left=998m
