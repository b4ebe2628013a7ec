# a completion timeout of 0 is none
policy nova
set nova.release 29
set nova.completion 0
at 1 iteration=1 left=1G
-> set-downtime 50 ladder
at 99999999
-> set-downtime 500 top-rung
at 999999999
