# before Stein there is no timeout action but abort
policy nova
set nova.release 18
set nova.force 1
at 1500001 iteration=1 left=1G
-> set-downtime 500 top-rung
at 1600001
-> abort aborting
