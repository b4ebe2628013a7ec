# A trace of QEMU 7.2 (facts/engine.md, findings 2 to 4): 64 MiB written over and over, 50 MiB/s. Between two passes what is
# left falls from 60 MiB to 14 MiB and means nothing; at the passes it is 60 MiB each time. The link gives more than
# the limit, so the downtime limit is scaled, and the pause is not: 60 MiB are 60 ms at 1000 MiB/s.
policy adaptive
ground total 256M
ground link 1000M
ground cap 50M
plan limit 1000
at 0 iteration=1 boundary=1 start=256M left=256M total=256M rate=50M cap=50M limit=1000 sent=0
at 2500 left=130M sent=126M
at 5100 iteration=2 boundary=1 start=64M left=64M sent=255M
at 5600 left=14M sent=280M
at 6000 iteration=3 boundary=1 start=60M left=60M sent=300M
# one pass that brought little may be bad luck, two are not: 60 MiB * 1.05 at 50 MiB/s
at 6500 left=14M sent=325M
at 6900 iteration=4 boundary=1 start=60M left=60M sent=345M
-> set-downtime 1260 accept
text this fits the budget
