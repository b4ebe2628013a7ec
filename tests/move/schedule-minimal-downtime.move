# oVirt's "Minimal downtime": vdsm counts the passes begun anew, and takes the head of the list when its number is below
policy schedule
plan limit 100
at 0 iteration=1 boundary=1 start=1G left=1G
at 10000 iteration=2 boundary=1 start=400M left=400M sent=1
at 20000 iteration=3 boundary=1 start=300M left=300M sent=2
-> set-downtime 150 waiting
# nothing between two passes
at 25000 left=20M sent=3
at 30000 iteration=4 boundary=1 sent=4
-> set-downtime 200 waiting
at 40000 iteration=5 boundary=1 sent=5
-> set-downtime 300 waiting
at 50000 iteration=6 boundary=1 sent=6
-> set-downtime 400 waiting
at 60000 iteration=7 boundary=1 sent=7
at 70000 iteration=8 boundary=1 sent=8
-> set-downtime 500 waiting
at 80000 iteration=9 boundary=1 sent=9
-> abort aborting
text step 6 of 6
