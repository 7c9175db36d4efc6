"""The query texts that an index on one machine and a fleet's database share.

`tables` names what both keep, `slices` says in SQL which sessions a Slice means, `texts`
are the questions. The SQL is what SQLite and ClickHouse (from 18.16) both understand: no
common table expressions, no window functions, no function that only one of them has.
Parameters are written `:name`. DDL and writing are each engine's own.
"""

from m31a_metrics.queries.slices import Chosen, Dialect, choose, grouped, is_of_project, only
from m31a_metrics.queries.texts import Query

__all__ = ["Chosen", "Dialect", "Query", "choose", "grouped", "is_of_project", "only"]
