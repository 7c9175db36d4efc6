"""What test runners and assertions say."""

from __future__ import annotations

RUNNERS = """
FAILED ~
FAIL ~
FAIL: ~
ERROR ~
[ERROR] ~
[error] ~
[FAIL] ~
[FAILED] ~
(fail) ~
✗ ~
✘ ~
✖ ~
<path> ~
❌ ~
● ~
not ok # ~
not ok # - ~
--- FAIL: ~
test failed
tests failed
# failed
# failed, # passed
# failed, # passed in *
# failed, # passed, # skipped
# failed, # passed, # skipped in *
# failed, # passed, # skipped, # warning in *
# failed, # passed, # skipped, # warnings in *
# failed, # passed, # warning in *
# failed, # passed, # warnings in *
# failed, # passed, # deselected in *
# failed, # error
# failed, # errors
# failed, # passed, # error in *
# failed, # passed, # errors in *
# failed in *
# error
# errors
# error in *
# errors in *
# passed, # error in *
# passed, # errors in *
# failing
# pending
# failed (#)
# failed | # passed (#)
# failed | # passed | # skipped (#)
# fail
# test failed
# tests failed
# test failed:
# tests failed:
# tests failed, # passed
# of # tests failed
# tests, # failures
# tests, # failure
# examples, # failures
# examples, # failure
# examples, # failures, # pending
# example, # failure
# specs, # failures
# tests completed, # failed
# test completed, # failed
# runs, # assertions, # failures, # errors, # skips
Tests: # failed, # passed, # total
Tests: # failed, # total
Tests: # failed, # skipped, # passed, # total
Tests # failed (#)
Tests # failed | # passed (#)
Tests # failed | # passed | # skipped (#)
Test Files # failed (#)
Test Files # failed | # passed (#)
Test Suites: # failed, # total
Test Suites: # failed, # passed, # total
Tests run: #, Failures: #, Errors: #, Skipped: #
Tests run: #, Failures: #, Errors: #, Skipped: #, Time elapsed: # s <<< FAILURE!
Tests run: #, Failures: #, Errors: #, Skipped: #, Time elapsed: # s <<< ERROR!
FAILED (failures=#)
FAILED (errors=#)
FAILED (failures=#, errors=#)
FAILED (failures=#, skipped=#)
FAILED (failures=#, errors=#, skipped=#)
(failures=#)
(errors=#)
(failures=#, errors=#)
test result: FAILED. # passed; # failed; # ignored; # measured; # filtered out; finished in *
There was # failure:
There were # failures:
There was # error:
There were # errors:
Failures: #
Failed tests: #
Failed: #, Passed: #, Skipped: #, Total: #, Duration: *
Test Run Failed.
Your test suite must contain at least one test.
No test files found, exiting with code #
No test suite found in file *
No tests found
No tests found, exiting with code #
No tests found related to files changed since last commit.
No tests found for given includes: ...
No tests ran
no tests ran
no tests ran in *
no tests collected
no tests collected, # error in *
collected # items
collected # items / # error
collected # items / # errors
Test suite failed to run
Interrupted: # error during collection
Interrupted: # errors during collection
stopping after # failures
ERROR collecting *
found no collectors for *
file or directory not found: *
not found: *
import file mismatch:
fixture * not found
recursive dependency involving fixture * detected
duplicate parametrization of *
in * the parameter * has # names but the value has # values
function uses no argument *
usage: ... [options] [file_or_dir] [file_or_dir] [...]
Unknown config option: *
no such option: *
While importing test module *
error while loading conftest *
ImportError while importing test module *
ImportError while loading conftest *
Failed: DID NOT RAISE <class *
DID NOT RAISE <class *
DID NOT RAISE *
DID NOT WARN. ...
Failed: Timeout (># s) from pytest-timeout.
Timeout >#s
Test timed out in #ms.
Exceeded timeout of # ms for a test.
Exceeded timeout of # ms for a hook.
thrown: ~
Timeout of #ms exceeded. For async tests and hooks, ensure <text> is called; ...
Test timeout of #ms exceeded.
Test timeout of #ms exceeded while running *
expect(received).toBe(expected) <path> Object.is equality
expect(received).toBe(expected)
expect(received).toEqual(expected) <path> deep equality
expect(received).toEqual(expected)
expect(received).toStrictEqual(expected) <path> deep equality
expect(received).toStrictEqual(expected)
expect(received).toContain(expected) <path> indexOf
expect(received).toContain(expected)
expect(received).not.toContain(expected)
expect(received).toMatch(expected)
expect(received).toMatchObject(expected)
expect(received).toMatchSnapshot()
expect(received).toMatchInlineSnapshot(snapshot)
expect(received).toMatchInlineSnapshot(expected)
expect(received).toHaveLength(expected)
expect(received).toHaveProperty(path)
expect(received).toHaveProperty(path, value)
expect(received).toBeGreaterThan(expected)
expect(received).toBeGreaterThanOrEqual(expected)
expect(received).toBeLessThan(expected)
expect(received).toBeLessThanOrEqual(expected)
expect(received).toBeCloseTo(expected)
expect(received).toBeDefined()
expect(received).toBeUndefined()
expect(received).toBeTruthy()
expect(received).toBeFalsy()
expect(received).toBeNull()
expect(received).not.toBeNull()
expect(received).toBeInstanceOf(expected)
expect(received).toThrow(expected)
expect(received).toThrow()
expect(received).not.toThrow()
expect(received).toThrowError(expected)
expect(received).rejects.toThrow()
expect(received).resolves.toBe()
expect(jest.fn()).toHaveBeenCalled()
expect(jest.fn()).toHaveBeenCalledTimes(expected)
expect(jest.fn()).toHaveBeenCalledWith(...expected)
expect(jest.fn()).not.toHaveBeenCalled()
expect(element).toBeInTheDocument()
expect(locator).toBeVisible() failed
expect(locator).toHaveText(expected) failed
locator.click: ...
locator.fill: ...
page.goto: ...
expected * to be *
expected * to be * <path> Object.is equality
expected * to equal *
expected * to deeply equal *
expected * to strictly equal *
expected * to include *
expected * to match *
expected * to match object *
expected * to have property *
expected * to have a length of # but got #
expected * to be truthy
expected * to be falsy
expected * to be defined
expected * to be called # times, but got # times
expected * not to be *
expected * to throw an error
expected * to throw error including * but got *
Expected: * Received: *
Expected values to be strictly equal: ...
Expected values to be strictly deep-equal: ...
Expected values to be loosely deep-equal: ...
Expected values to be strictly equal:
Expected values to be strictly deep-equal:
The expression evaluated to a falsy value: ...
Missing expected exception.
Missing expected rejection.
Got unwanted exception.
Got unwanted rejection.
Unable to find an element with the text: ...
Unable to find an element by: ...
Unable to find an accessible element with the role * and name *
Unable to find role=*
Found multiple elements with the text: ...
Found multiple elements with the role * and name *
Snapshot * mismatched
# snapshot failed.
# snapshots failed.
# snapshot obsolete.
New snapshot was not written. The update flag must be explicitly passed to write a new snapshot. ...
browserType.launch: ...
Executable doesn't exist at *
Target page, context or browser has been closed
assertion failed
assert False
assert None
# != #
* != *
assert # == #
assert # != #
assert # < #
assert # > #
assert # <= #
assert # >= #
assert * == *
assert * != *
assert * in *
assert not *
assert * is None
assert * is not None
* is not true
* is not false
* not found in *
* unexpectedly found in *
* unexpectedly None
Lists differ: ...
Dict differ: ...
Tuples differ: ...
Sets differ: ...
False is not true
True is not false
* not raised
* not raised by *
Expected <text> to have been called once. Called # times.
Expected <text> to be called once. Called # times.
expected call not found.
Expected call: ...
# tests failed out of #
# - * (Failed)
Errors while running CTest
"""

TABLES = (RUNNERS,)
