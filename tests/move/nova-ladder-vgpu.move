# Nova, what its documents advise for vGPU, 8 GiB
policy nova
set nova.release 31
set nova.downtime 500000
set nova.steps 3
set nova.delay 3
set nova.memory 8192
set nova.completion 0
plan limit -1
at 0 iteration=1 left=1G rate=100m limit=300
at 1
-> set-downtime 166666 ladder
at 500
# strictly later, not at the second itself
at 24000
at 24001
-> set-downtime 277777 ladder
at 24500
# strictly later, not at the second itself
at 48000
at 48001
-> set-downtime 388888 ladder
at 48500
# strictly later, not at the second itself
at 72000
at 72001
-> set-downtime 500000 top-rung
at 72500
at 10095999
