# the pause that memory has no part in is taken from the budget
policy adaptive
set budget 60
ground total 1G
ground link 117m
ground curve 1 0
ground handover 40
plan limit 20
