# Nova of Newton: the exponential ladder, 2 GiB (facts/nova.md 2.2)
policy nova
set nova.release 14
set nova.downtime 500
set nova.steps 10
set nova.delay 75
set nova.memory 2048
set nova.completion 0
set nova.progress 0
plan limit -1
at 0 iteration=1 left=1G rate=100m limit=300
at 1
-> set-downtime 46 ladder
at 500
# strictly later, not at the second itself
at 150000
at 150001
-> set-downtime 47 ladder
at 150500
# strictly later, not at the second itself
at 300000
at 300001
-> set-downtime 48 ladder
at 300500
# strictly later, not at the second itself
at 450000
at 450001
-> set-downtime 51 ladder
at 450500
# strictly later, not at the second itself
at 600000
at 600001
-> set-downtime 57 ladder
at 600500
# strictly later, not at the second itself
at 750000
at 750001
-> set-downtime 66 ladder
at 750500
# strictly later, not at the second itself
at 900000
at 900001
-> set-downtime 84 ladder
at 900500
# strictly later, not at the second itself
at 1050000
at 1050001
-> set-downtime 117 ladder
at 1050500
# strictly later, not at the second itself
at 1200000
at 1200001
-> set-downtime 179 ladder
at 1200500
# strictly later, not at the second itself
at 1350000
at 1350001
-> set-downtime 291 ladder
at 1350500
# strictly later, not at the second itself
at 1500000
at 1500001
-> set-downtime 500 top-rung
at 1500500
at 11649999
