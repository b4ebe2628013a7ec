# libvirt refuses the limit: Nova remembers it as set, and tries the next rung only.
policy nova
set nova.release 29
at 1 iteration=1 left=1G limit=300
-> set-downtime 50 ladder
at 501 event=refused limit=300
at 1001
at 150001
-> set-downtime 95 ladder
