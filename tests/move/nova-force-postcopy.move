# timeout action force_complete: queued by the look that sees the timeout, done by the next
policy nova
set nova.release 29
set nova.force 1
set postcopy 1
ground postcopy-works 1
plan postcopy 1
plan auto-converge 0
at 1500001 iteration=9 left=1G
-> set-downtime 500 top-rung
at 1600001
at 1600501
-> start-postcopy post-copy
text force-complete
at 1601001 postcopy=1
-> finish-wait post-copy
