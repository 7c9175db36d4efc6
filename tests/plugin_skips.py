"""Where M31_REQUIRE_ALL=1 (CI), a skipped test is a failed one.

A skip is a kindness to a developer whose machine lacks a part. In CI the parts are
installed, so a skip there means that nobody runs the test any more. An expected failure
(`xfail`) is no skip and stays what it is; nor is a part that no script can install (the right
to mount a file system, a kernel that knows it), whose reason begins with `optional:`.
"""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

REQUIRE_ALL = "M31_REQUIRE_ALL"
OPTIONAL = "optional:"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that skipped itself, by a mark, a fixture or a call."""
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Fail a whole file that skipped itself, as `importorskip` at its top does."""
    report = yield
    _refuse_skip(report)
    return report


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if os.environ.get(REQUIRE_ALL) != "1" or not report.skipped or hasattr(report, "wasxfail"):
        return
    where, reason = report.nodeid, str(report.longrepr)
    if isinstance(report.longrepr, tuple):
        path, line, reason = report.longrepr
        where = f"{path}:{line}"
    if reason.removeprefix("Skipped: ").startswith(OPTIONAL):
        return
    report.outcome = "failed"
    report.longrepr = f"{where}: {reason}\n({REQUIRE_ALL}=1: nothing may be skipped here)"
