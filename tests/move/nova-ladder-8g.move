# Nova, defaults, 8 GiB (facts/nova.md 2.2)
policy nova
set nova.release 15
set nova.downtime 500
set nova.steps 10
set nova.delay 75
set nova.memory 8192
set nova.completion 0
plan limit -1
at 0 iteration=1 left=1G rate=100m limit=300
at 1
-> set-downtime 50 ladder
at 500
# strictly later, not at the second itself
at 600000
at 600001
-> set-downtime 95 ladder
at 600500
# strictly later, not at the second itself
at 1200000
at 1200001
-> set-downtime 140 ladder
at 1200500
# strictly later, not at the second itself
at 1800000
at 1800001
-> set-downtime 185 ladder
at 1800500
# strictly later, not at the second itself
at 2400000
at 2400001
-> set-downtime 230 ladder
at 2400500
# strictly later, not at the second itself
at 3000000
at 3000001
-> set-downtime 275 ladder
at 3000500
# strictly later, not at the second itself
at 3600000
at 3600001
-> set-downtime 320 ladder
at 3600500
# strictly later, not at the second itself
at 4200000
at 4200001
-> set-downtime 365 ladder
at 4200500
# strictly later, not at the second itself
at 4800000
at 4800001
-> set-downtime 410 ladder
at 4800500
# strictly later, not at the second itself
at 5400000
at 5400001
-> set-downtime 455 ladder
at 5400500
# strictly later, not at the second itself
at 6000000
at 6000001
-> set-downtime 500 top-rung
at 6000500
at 16599999
