# Newton to Rocky: from the second pass on, less than 10 percent in half a second is too little
policy nova
set nova.release 14
set postcopy 1
ground postcopy-works 1
at 1 iteration=1 left=1000m
-> set-downtime 46 ladder
# the first pass does not count
at 501 left=999m
at 1001 iteration=2 left=800m
at 1501 left=720m
at 2001 left=649m
-> start-postcopy post-copy
text less than 10 %
# refused: tried again at the next look that is as bad
at 2501 event=refused left=649m
-> start-postcopy post-copy
