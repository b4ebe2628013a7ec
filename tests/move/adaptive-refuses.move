# 6 GiB written at 2 GB/s, 10 Gbit/s: no pause within the budget will do, and the plan says what would
policy adaptive
ground total 16G
ground link 1170m
ground curve 1 2000m
ground curve 4 6G
plan refuse 1
plan text where 500 ms are permitted
plan text it needs a link of 1.9 GiB/s (here are 1.1 GiB/s)
