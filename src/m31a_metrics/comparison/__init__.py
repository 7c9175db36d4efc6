"""Whether one lot of sessions is better or worse than another, and limits on that.

Pure: sides in, Tables out. `metrics` says what is compared, `noise` what chance alone
would do, `compare` and `gate` what that amounts to.
"""
