"""What every engine of sessions does alike: a session as rows, and answers out of rows.

The index of this machine is one engine, a fleet's database another. Nothing here knows SQL's
dialects, connections or files.
"""
