# no byte for 30 s; a link that comes back in time does no harm
policy static
at 1 iteration=1 left=1G sent=1M
at 1000 sent=2M
at 31000
at 31001 sent=3M
at 61001
at 61002
-> abort aborting
text no byte got through for 30 s, 1.0 GiB are left
