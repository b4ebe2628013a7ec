# the API's force_complete, and a second one in post-copy, which is ignored
policy nova
set nova.release 29
set postcopy 1
ground postcopy-works 1
at 1 iteration=1 left=1G
-> set-downtime 50 ladder
at 501 event=ask-force
-> start-postcopy post-copy
at 1001 postcopy=1 event=ask-force
-> finish-wait post-copy
# and it cannot be aborted any more
at 1501 event=ask-abort
-> finish-wait post-copy
text cannot be aborted
