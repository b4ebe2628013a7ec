# Nova, the example in its own source: 400 ms, 30 s, 3 GiB
policy nova
set nova.release 33
set nova.downtime 400
set nova.steps 10
set nova.delay 30
set nova.memory 3072
set nova.completion 0
plan limit -1
at 0 iteration=1 left=1G rate=100m limit=300
at 1
-> set-downtime 40 ladder
at 500
# strictly later, not at the second itself
at 90000
at 90001
-> set-downtime 76 ladder
at 90500
# strictly later, not at the second itself
at 180000
at 180001
-> set-downtime 112 ladder
at 180500
# strictly later, not at the second itself
at 270000
at 270001
-> set-downtime 148 ladder
at 270500
# strictly later, not at the second itself
at 360000
at 360001
-> set-downtime 184 ladder
at 360500
# strictly later, not at the second itself
at 450000
at 450001
-> set-downtime 220 ladder
at 450500
# strictly later, not at the second itself
at 540000
at 540001
-> set-downtime 256 ladder
at 540500
# strictly later, not at the second itself
at 630000
at 630001
-> set-downtime 292 ladder
at 630500
# strictly later, not at the second itself
at 720000
at 720001
-> set-downtime 328 ladder
at 720500
# strictly later, not at the second itself
at 810000
at 810001
-> set-downtime 364 ladder
at 810500
# strictly later, not at the second itself
at 900000
at 900001
-> set-downtime 400 top-rung
at 900500
at 10989999
