policy adaptive
set max 60000
ground total 8G
ground link 117m
ground curve 1 0
plan refuse 1
plan text 73 s by the forecast, where 60 s are permitted
