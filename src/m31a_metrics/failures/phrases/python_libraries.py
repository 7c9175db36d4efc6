"""What libraries and command lines of Python say."""

from __future__ import annotations

LIBRARIES = """
HTTPConnectionPool(...
HTTPSConnectionPool(...
Max retries exceeded with url: ...
# Client Error: ... for url: *
# Client Error: Bad Request for url: *
# Client Error: Unauthorized for url: *
# Client Error: Forbidden for url: *
# Client Error: Not Found for url: *
# Client Error: Too Many Requests for url: *
# Server Error: Internal Server Error for url: *
# Server Error: Bad Gateway for url: *
# Server Error: Service Unavailable for url: *
Connection aborted.
Remote end closed connection without response
Server disconnected without sending a response.
Server disconnected
Read timed out.
Read timed out. (read timeout=#)
[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: ...
[SSL: WRONG_VERSION_NUMBER] wrong version number ...
All connection attempts failed
Session is closed
Invalid URL *: No scheme supplied. Perhaps you meant ...
No connection adapters were found for *
# validation error for *
# validation errors for *
Field required
Input should be a valid string
Input should be a valid integer
Input should be a valid dictionary
Extra inputs are not permitted
no such table: *
no such column: *
no such function: *
no such module: *
near *: syntax error
database is locked
database disk image is malformed
database or disk is full
unable to open database file
attempt to write a readonly database
file is not a database
disk I/O error
cannot operate on a closed database.
Cannot operate on a closed database.
UNIQUE constraint failed: ...
NOT NULL constraint failed: ...
FOREIGN KEY constraint failed
CHECK constraint failed: ...
datatype mismatch
table * already exists
index * already exists
table * has no column named *
table * has # columns but # values were supplied
Incorrect number of bindings supplied. The current statement uses #, and there are # supplied.
You can only execute one statement at a time.
incomplete input
SQLite objects created in a thread can only be used in that same thread. ...
Apps aren't loaded yet.
No installed app with label *
Requested setting * but settings are not configured. ...
settings are not configured
The SECRET_KEY setting must not be empty.
Reverse for * not found. * is not a valid view function or pattern name.
* matching query does not exist.
No changes detected
Working outside of application context.
Working outside of request context.
expected <block end>, but found *
mapping values are not allowed here
mapping values are not allowed in this context
could not find expected *
could not determine a constructor for the tag *
found character * that cannot start any token
found undefined alias *
while scanning a simple key
while parsing a block mapping
while parsing a flow mapping
Invalid value at line # column #
Expected <text> after a key in a <path> pair (at line #, column #)
Cannot overwrite a value (at line #, column #)
Invalid statement (at line #, column #)
Unclosed array (at line #, column #)
Object missing required field * ...
JSON is malformed: ...
Expected *, got *
Input data was truncated
"""

USAGE = """
the following arguments are required: ...
unrecognized arguments: ...
argument *: expected one argument
argument *: expected at least one argument
argument *: invalid int value: *
argument *: invalid float value: *
argument *: invalid choice: * (choose from ...
argument *: not allowed with argument *
ambiguous option: * could match ...
one of the arguments ... is required
No such option: *
No such option: * Did you mean *
No such option * Did you mean *
No such command *
Missing argument *
Missing option *
Missing command.
Invalid value for *: ...
Got unexpected extra argument *
Got unexpected extra arguments ...
Error loading ASGI app. Could not import module *
can't open file *: [Errno #] No such file or directory
can't find <text> module in *
No module named *; * is a package and cannot be directly executed
Error while finding module specification for * ...
Unknown option: *
Could not find platform independent libraries *
Fatal Python error: ...
"""

TABLES = (LIBRARIES, USAGE)
