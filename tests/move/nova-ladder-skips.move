# Looks that come late take the last rung that is due, and none between.
policy nova
set nova.release 29
at 700001 iteration=9 left=1G
-> set-downtime 230 ladder
at 1500001
-> set-downtime 500 top-rung
