policy static
set max 60000
plan limit 300
at 1 iteration=1 boundary=1 left=1G sent=1
at 60000 sent=2
-> none watching
at 60001 sent=3
-> abort aborting
text the time for the move is over
