"""Names that are kept: of exceptions, tests and rules, and only such as look like one."""

from __future__ import annotations

import pytest

from m31a_metrics.failures import failure_line

NAMES = {
    # Exceptions
    "KeyError: 'x'": "KeyError: <text>",
    "PaymentDeclinedError: zzz": "PaymentDeclinedError: <text>",
    "shop.errors.PaymentDeclinedError: zzz": "PaymentDeclinedError: <text>",
    "sqlalchemy.exc.OperationalError: zzz": "sqlalchemy.exc.OperationalError: <text>",
    "java.lang.NullPointerException": "java.lang.NullPointerException",
    "SessionNotFound: zzz": "SessionNotFound: <text>",
    "KeyboardInterrupt": "KeyboardInterrupt",
    "TypeError [ERR_INVALID_ARG_TYPE]: zzz": "TypeError [ERR_INVALID_ARG_TYPE]: <text>",
    "Uncaught TypeError: x is not a function": "Uncaught TypeError: <text> is not a function",
    "QwErTyUiOpAsDfGhJkLzError: zzz": "<text>",
    "XKCDPWQZRTBNMLKError: zzz": "<text>",
    "hunterError: zzz": "<text>",
    "Tr0ub4dorError: zzz": "<id>: <text>",
    "Gone: zzz": "<text>",
    "he had a ValueError: zzz": "<text>",
    # Tests
    "FAILED tests/a.py::test_sum - assert 1 == 2": "FAILED <path>::test_sum - assert <n> == <n>",
    "FAILED tests/a.py::TestA::test_b[my secret key] - zzz": (
        "FAILED <path>::TestA::test_b[<text>] - <text>"
    ),
    "FAILED tests/a.py::test_hf_QwErTyUiOpAsDfGhJkLzXcVbNm": "FAILED <path>::<text>",
    "FAILED tests/a.py::my_secret_diary - zzz": "FAILED <path>::<text> - <text>",
    "ERROR tests/a.py - KeyError: 'x'": "ERROR <path> - KeyError: <text>",
    "--- FAIL: TestLogin/her_name (0.01s)": "--- FAIL: TestLogin/<text> (<n>s)",
    "FAIL: test_login (tests.test_a.LoginTest)": "FAIL: test_login (<text>)",
    "test shop::tests::adds_up ... FAILED": "test adds_up ... FAILED",
    "test sesame-open ... FAILED": "test <text> ... FAILED",
    "● shop \u203a my secret": "● <text>",
    # Rules
    "  1:2  error  'x' is never used  no-unused-vars": (
        "<n> error <text> is never used no-unused-vars"
    ),
    "  1:2  error  zzz  @typescript-eslint/no-explicit-any": (
        "<n> error <text> @typescript-eslint/no-explicit-any"
    ),
    "  1:2  error  zzz  acme/no-secrets": "<n> error <text>",
    "  1:2  error  zzz sesame-open-now": "<n> error <text>",
    "a.py:3: error: zzz  [arg-type]": "<path>:<n>: error: <text> [arg-type]",
    "a.py:3: error: zzz  [sesame]": "<path>:<n>: error: <text>",
    "a.go:3:1: zzz (errcheck)": "<path>:<n>: <text> (errcheck)",
    "a.rb:1:2: C: Style/StringLiterals: zzz": "<path>:<n>: <text>: Style/StringLiterals: <text>",
    "a.md:1:2:my-style.Wordiness:zzz": "<path>:<n>:my-style.Wordiness: <text>",
    "Error: no-unused-vars": "Error: <text>",
}


@pytest.mark.parametrize(("text", "line"), NAMES.items())
def test_names_are_kept_where_runners_put_them(text: str, line: str) -> None:
    """Exceptions before a colon, tests behind their files, rules behind places; no others."""
    assert failure_line(text) == line
