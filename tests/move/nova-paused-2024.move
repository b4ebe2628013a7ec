# since 2024.1 (29) a paused guest goes without the post-copy flag; the monitor still believes in it
policy nova
set nova.release 29
set postcopy 1
set converge 1
ground postcopy-works 1
ground paused 1
plan postcopy 0
plan auto-converge 0
at 1 iteration=1 left=1G event=ask-force
-> start-postcopy post-copy
