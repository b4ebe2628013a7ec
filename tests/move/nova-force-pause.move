# without post-copy the guest is paused on the source, once
policy nova
set nova.release 29
set nova.force 1
at 1500001 iteration=9 left=1G
-> set-downtime 500 top-rung
at 1600001
at 1600501 sent=1M
-> pause paused
at 1601001 paused=1 sent=2M
-> finish-wait paused
# a dead link does not keep the guest standing for ever (ours: Nova would)
at 1631001
-> finish-wait paused
at 1631002
-> abort aborting
