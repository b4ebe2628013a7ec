# Liberty to Newton: 150 s without a new low of what is left, disk and all
policy nova
set nova.release 14
at 1 iteration=1 left=1G disk=1G
-> set-downtime 46 ladder
at 100000 left=1000M
at 200001 left=1001M
-> set-downtime 47 ladder
at 249000 disk=1000M
at 398999 left=1010M disk=1000M
-> set-downtime 48 ladder
at 399000
at 399001
-> abort aborting
text Live migration stuck for 150 sec
