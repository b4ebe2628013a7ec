# 900 MiB at 400 MB/s, 50 MiB/s of 10 Gbit/s. A soft limit goes up to the link, but first the downtime limit that was scaled
# for it comes down: it would let 20 times the budget through.
policy adaptive
set soft-cap 1
ground total 2G
ground link 1170m
ground cap 50M
ground curve 1 400m
ground curve 4 900M
plan refuse 0
# (500 - 25) ms * 1170e6 / (50 * 2^20) = 10600.1
plan limit 10601
plan text the bandwidth limit of 50 MiB/s will be raised
