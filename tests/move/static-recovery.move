# post-copy breaks: an attempt every 5 s, and after the last the guest is left alone on both hosts
policy static
set postcopy 1
set recoveries 2
ground postcopy-works 1
at 1 iteration=2 left=100M event=ask-force
-> start-postcopy post-copy
at 500 postcopy=1
-> finish-wait post-copy
at 1000 event=broken
-> recover broken
text attempt 1 of 2
at 2000 event=broken
-> finish-wait broken
at 6000 event=broken
-> recover broken
at 7000
-> finish-wait post-copy
at 8000 event=broken
-> finish-wait lost
text destroy the guest on neither host
