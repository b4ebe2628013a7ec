# 800 s for each of 2 GiB; strictly later; one abort, and then the end is awaited
policy nova
set nova.release 29
at 1 iteration=1 left=1G
-> set-downtime 50 ladder
at 1600000
-> set-downtime 500 top-rung
at 1600000 left=900M
at 1600001
-> abort aborting
text Live migration not completed after 1600 sec
# there was nothing to abort yet
at 1600501 event=refused
-> abort aborting
at 1601001
-> finish-wait aborting
