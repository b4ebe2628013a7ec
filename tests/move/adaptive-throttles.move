# the same, and the guest may be slowed down
policy adaptive
set converge 1
ground total 16G
ground link 1170m
ground curve 1 2000m
ground curve 4 6G
plan refuse 0
plan auto-converge 1
# By hand, without the overlap of what is left and what is dirtied: 475 ms send 556 MB; the guest dirties
# that in 278 ms; 1 - 278 / 475 = 41 %.
plan throttle 40
