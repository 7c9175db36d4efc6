"""What recording and reviewing cost, beside other libraries, as ratios of one run.

`make bench` runs it; `docs/performance.md` keeps the last figures. Ratios, because a
shared machine drifts: the two sides of each are timed in turn, round after round.
"""
