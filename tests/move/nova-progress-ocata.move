# Ocata: that watch is off unless it is configured
policy nova
set nova.release 15
at 1 iteration=1 left=1G
-> set-downtime 50 ladder
at 149000 left=1G
at 151000 left=1G
-> set-downtime 95 ladder
at 299999 left=1G
