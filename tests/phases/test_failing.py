from __future__ import annotations

import pytest

from m31a_metrics.phases.failing import shows_failure

SHOWN = """\
FAIL src/a.test.ts
  FAILED
--- FAIL: TestFoo (0.01s)
not ok 3 - adds
  ✗ adds
✘ adds
✖ adds
❌ adds
3 failed
1 test failed
2 specs failing
Found 3 errors in 1 file
✖ 12 problems
1 issue
FAILED tests/test_a.py::test_b
> Task :test FAILED [1s]
BUILD FAILED in 3s
Build failed after 3 s
Tests failed: 1
Test failed
[t] ERROR task failed
error: no such thing
error[E0425]: cannot find
ERROR: nothing
Error: nothing
a.c: error: undeclared
a.cs(3,4): error CS0103: The name
src/app.ts(10,5): error TS2304: Cannot find name
E   assert 1 == 2; and an error
Traceback (most recent call last):
panic: runtime
thread 'main' panicked at src/main.rs
npm ERR! code 1
npm error code 1
[ERR_MODULE_NOT_FOUND]
make exited with code 2
it failed with exit code 1
Exit code: 1
exit status 1
sh: foo: command not found
cat: a: No such file or directory
Segmentation fault
fatal: not a repository
errors: 3
failure count: 1
src/a.py:3:4: F401 unused
""".splitlines()

FINE = """\
0 failed
0 errors
3 passed
10 errored
2.5 errors
a3 errors
no failures
✖ 0 problems
src/a.py:3:4: warning: unused
FAILED_TESTS=
errors: 0
XERR_FOO
nonfatal: x
Exit code: 0
exit status 0
prefailed with it
""".splitlines()


@pytest.mark.parametrize("line", SHOWN)
def test_a_sign_of_failure_is_seen_wherever_it_stands(line: str) -> None:
    """What tools print when they are not content is seen as first, middle and last line."""
    for printed in (line, f"a\n{line}\nb", f"a\n\n{line}"):
        assert shows_failure(printed)


@pytest.mark.parametrize("line", FINE)
def test_what_only_looks_like_a_sign_is_none(line: str) -> None:
    """Counts of nothing, warnings, and words that hold a sign show no failure."""
    for printed in (line, f"a\n{line}\nb"):
        assert not shows_failure(printed)


def test_colours_do_not_hide_a_failure() -> None:
    """A count that is coloured, in bytes or as JSON writes them, is seen."""
    assert shows_failure("\x1b[31m3\x1b[0m failed")
    assert shows_failure(r"\u001b[31m3\u001b[0m failed")


@pytest.mark.parametrize(
    "fine", ["3 passed", "ALL CHECKS PASSED", "no issue\u017f found", "0 errors"]
)
def test_a_check_that_says_that_it_is_content_did_not_fail(fine: str) -> None:
    """Signs that are no counts of failures give way to the word that all is well."""
    assert shows_failure("error: in a log")
    assert not shows_failure(f"error: in a log\n{fine}")
