"""What a million rows to Parquet cost, beside pyarrow alone writing the same rows as they are.

Each in a process of its own, in turns. An index of invented sessions is read again and again
until there are a million rows of it; pyarrow alone is given the same rows and makes the same
number of columns of them, without units, percentiles and kinds.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import chain, islice, repeat
from pathlib import Path

from bench.invented import records
from bench.measure import Row

ROWS = 1_000_000
_SESSIONS = 3_000
_ROUNDS = 3
DATASETS = ("tools", "llms", "sessions")


def rows(directory: Path) -> Iterator[Row]:
    """CPU time beside pyarrow alone, and peak memory, for three datasets."""
    from m31a_metrics.history import History

    path = directory / "index.db"
    with History(str(path)) as index, index.batch():
        for record in records(_SESSIONS):
            index.put(record)
    for name in DATASETS:
        told = {
            side: [_run(side, name, path, directory) for _ in range(_ROUNDS)]
            for side in ("ours", "alone")
        }
        ours, alone = (min(cpu_s for cpu_s, _ in told[side]) for side in ("ours", "alone"))
        peak_mb = max(mb for _, mb in told["ours"])
        note = f"{ours:.1f} s of CPU against {alone:.1f}"
        yield Row(f"a million rows of {name} to Parquet", ours / alone, 1.5, note=note)
        yield Row(f"the same, peak memory of {name}", peak_mb, 200, "MB")


def _run(side: str, name: str, path: Path, directory: Path) -> tuple[float, float]:
    command = [sys.executable, "-m", "bench.parquet", side, name, str(path), str(directory / "o")]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(told[0]), float(told[1])


def _write(side: str, name: str, path: str, into: str) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from m31a_metrics.answers import Slice
    from m31a_metrics.exports.arrow import BATCH_ROWS, ROW_GROUP_ROWS, parquet_pieces
    from m31a_metrics.history import History
    from m31a_metrics.tables import datasets

    dataset = datasets.DATASETS[name]
    with History(path) as index:
        details = islice(
            chain.from_iterable(
                index.details(dataset.table, Slice(), datasets.FACTS, dataset.columns)
                for _ in repeat(None)
            ),
            ROWS,
        )
        if side == "ours":
            with open(into, "wb") as file:
                file.writelines(parquet_pieces(dataset, datasets.rows(dataset, details)))
            return
        writer = None
        while some := list(islice(details, BATCH_ROWS)):
            columns = [pa.array(column) for column in zip(*some, strict=True)]
            batch = pa.record_batch(columns, names=[str(at) for at in range(len(columns))])
            if writer is None:
                writer = pq.ParquetWriter(into, batch.schema, compression="zstd")
            writer.write_batch(batch, row_group_size=ROW_GROUP_ROWS)
        if writer is not None:
            writer.close()


def _told() -> None:
    _write(*sys.argv[1:])
    cpu = os.times()
    status = Path("/proc/self/status").read_text()
    peak_kb = int(status.partition("VmHWM:")[2].split()[0])
    print(cpu.user + cpu.system, peak_kb / 1024)


if __name__ == "__main__":
    _told()
