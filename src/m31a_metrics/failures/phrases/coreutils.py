"""What the small programs that come with a system say: cp, find, sed, grep, jq, tar."""

from __future__ import annotations

PROGRAMS = """
can't read *
cannot access *
cannot open * for reading
cannot open directory *
cannot stat *
cannot remove *
cannot remove directory *
cannot move * to *
cannot move * to a subdirectory of itself, *
cannot copy a directory, *, into itself, *
cannot create directory *
cannot create regular file *
cannot create symbolic link *
cannot create hard link *
cannot touch *
cannot unlink *
cannot overwrite directory * with non-directory
cannot overwrite non-directory * with directory *
cannot change owner and permissions of *
changing permissions of *
changing ownership of *
preserving times for *
error reading *
error writing *
write error
read error
standard output
failed to create symbolic link *
failed to create hard link *
failed to remove *
failed to access *
failed to open *
failed to run command *
failed to preserve ownership for *
omitting directory *
-r not specified; omitting directory *
target * is not a directory
* and * are the same file
missing destination
not replacing *
setting times of *
refusing to remove <text> or <text> directory: skipping *
it is dangerous to operate recursively on <text>
invalid option -- *
invalid option: *
illegal option -- *
unrecognized option *
unrecognized option: *
unknown option *
unknown option -- *
unknown option to <text>
unknown command: *
unknown predicate *
unknown primary or operator
option requires an argument -- *
option requires an argument: *
option * requires an argument
option * is ambiguous; possibilities: ...
option * doesn't allow an argument
missing argument to *
paths must precede expression: ...
possible unquoted pattern after predicate *
invalid argument * for *
invalid number of lines: *
invalid number of bytes: *
invalid number *
invalid mode: *
invalid user: *
invalid group: *
invalid date *
invalid time interval *
invalid signal *
invalid character in input
invalid input
invalid regular expression
Invalid regular expression
Invalid range end
Invalid preceding regular expression
Invalid back reference
Invalid content of \\{\\}
Unmatched [, [^, [:, [., or [=
Unmatched ( or \\(
Unmatched ) or \\)
Trailing backslash
stray \\ before *
the -P option only supports a single pattern
support for the -P option is not compiled into this --disable-perl-regexp binary
unmatched parentheses
missing terminating ] for character class
conflicting matchers specified
binary file matches
Binary file * matches
input file * is also the output
regex parse error
regex parse error:
unclosed group
unclosed character class
unopened group
repetition operator missing expression
unrecognized escape sequence
look-around, including look-ahead and look-behind, is not supported
backreferences are not supported
unrecognized file type: *
No files were searched, which means ripgrep probably applied a filter you didn't expect.
-e expression #, char #: ~
unterminated <text> command
unterminated address regex
unknown command: <text>
unmatched <text>
extra characters after command
missing command
comments don't accept any addresses
couldn't open file *
couldn't edit *: not a regular file
no input files
no previous regular expression
undefined label *
invalid command code *
bad flag in substitute command: *
RE error: ...
cmd. line:#: ~
(FILENAME=- FNR=#) fatal: ~
non-terminated string *
unterminated regexp at source line #
unterminated string at source line #
syntax error at source line #
bailing out at source line #
illegal statement at source line #
can't open file *
parse error (Invalid numeric literal at line #, column #)
parse error: Invalid numeric literal at line #, column #
parse error: Unfinished JSON term at EOF at line #, column #
Cannot index array with *
Cannot index array with string *
Cannot index string with string *
Cannot index string with *
Cannot index object with number
Cannot index number with *
Cannot iterate over null
Cannot iterate over null (null)
Cannot iterate over string
Cannot iterate over string (*)
Cannot iterate over number (*)
Cannot use * (*) as object key
# compile error
# compile errors
This does not look like a tar archive
Exiting with failure status due to previous errors
Error is not recoverable: exiting now
Error exit delayed from previous errors
Cannot open: No such file or directory
Unexpected EOF in archive
Not found in archive
not in gzip format
End-of-central-directory signature not found. ...
cannot find or open ...
cannot find zipfile directory in one of ...
No such user
user * does not exist
Sorry, try again.
a password is required
a terminal is required to read the password; ...
no tty present and no askpass program specified
# incorrect password attempts
must be run from a terminal
kill: (#) - No such process
(#) - No such process
arguments must be process or job IDs
no process found
Too many arguments.
No manual entry for *
cannot connect to X server
cannot open display: *
no crontab for *
Failed to connect to bus: ...
Unit * not found.
Unit * could not be found.
Failed to start *: Unit * not found.
Failed to restart *: Unit * not found.
System has not been booted with systemd as init system (PID #). Can't operate.
no such file or directory
is a directory
is not a directory
not a directory
permission denied
access denied
invalid option
aborted
timed out
"""

TABLES = (PROGRAMS,)
