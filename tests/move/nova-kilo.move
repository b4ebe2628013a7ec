# Kilo had neither ladder nor timeout
policy nova
set nova.release 11
at 1 iteration=1 left=1G
at 9999999
