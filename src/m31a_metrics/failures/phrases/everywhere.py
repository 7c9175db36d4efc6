"""What most programs say, and what stands before what they say."""

from __future__ import annotations

EVERYWHERE = """
error: ~
fatal: ~
warning: ~
panic: ~
note: ~
hint: ~
critical: ~
failure: ~
exception: ~
caused by: ~
reason: ~
details: ~
fatal error: ~
internal error: ~
internal compiler error: ~
runtime error: ~
compile error: ~
compilation error: ~
build error: ~
link error: ~
network error: ~
server error: ~
unexpected error: ~
unknown error: ~
unhandled error: ~
unhandled exception: ~
unhandled rejection: ~
unhandled promise rejection: ~
uncaught exception: ~
uncaught error: ~
error code: ~
error message: ~
system error: ~
stderr: ~
stdout: ~
output: ~
error: error: ~
[error]: ~
[fatal] ~
[err] ~
[warn] ~
[warning] ~
[* error]: ~
error in *: ~
error at *: ~
error in * on line #: ~
error on line #: ~
line #: ~
line #, column #: ~
at line #: ~
Traceback (most recent call last):
During handling of the above exception, another exception occurred:
The above exception was the direct cause of the following exception:
Exit code #
Exit code: #
Error: Exit code #
exit code #
exit code: #
exit status #
exited with code #
exited with status #
exited with exit code #
exited with #
returned exit code #
exited with non-zero code #
failed with exit code #
failed with code #
failed with status #
failed with exit status #
finished with exit code #
Process exited with code #
Process exited with code #.
Process exited with status #
Process finished with exit code #
Process terminated with signal *
Command exited with code #
Command exited with exit code #
Command exited with non-zero status #
Command exited with status #
Command failed with exit code #
Command failed with exit code #.
Command failed with code #
Command failed with status #
Command failed with no output
Command failed
Command failed.
Command failed: ...
Command returned non-zero exit status #
Command aborted
Command aborted.
Command cancelled
Command canceled
Command interrupted
Command was killed
Command was aborted
Command was interrupted
Command not found
Command not found: %
Command timed out
Command timed out.
Command timed out after *
Command timed out after * *
Command timed out after # milliseconds
Command timed out after # seconds
Command timed out after # minutes
Command timed out after # ms
Command execution timed out
command timed out
command timed out after *
command timed out after # milliseconds
command timed out after # seconds
command failed
Shell command failed
Shell command exited with code #
Script exited with code #
Child process exited with code #
Script execution failed
Execution failed
Execution failed: ~
Execution timed out
Operation timed out
Operation cancelled
Operation aborted
Operation aborted.
Operation was aborted
Operation was cancelled
Operation failed
Timed out
Timed out after *
Timed out after # seconds
Timed out waiting for *
Timeout
Timeout exceeded
Timeout after *
timeout after *
timeout exceeded
timed out after *
timed out after # seconds
Aborted
Aborted by user
aborted by user
aborted by user after *
Aborted!
Cancelled
Canceled
canceled
cancelled
Cancelled by user
Interrupted
Interrupted by user
Killed by signal *
killed
killed by signal
Terminated
Failed
Failed.
Build failed
Build failed.
Build failed: ~
Build failed in *
Compilation failed
Compilation failed.
Test failed
Test failed.
Tests failed
Tests failed.
Deployment failed
Installation failed
Validation failed
Validation failed: ~
Validation error: ~
Verification failed
Initialization failed
Assertion failed
Request failed
Request failed.
Connection failed
Download failed
Upload failed
Task failed
Something went wrong
Something went wrong.
An error occurred
An error occurred.
An error occurred: ~
An unexpected error occurred
An unexpected error occurred.
An unknown error occurred
Unknown error
Unknown error.
Unexpected error
Internal error
Internal error.
Not found
Not found.
Not implemented
Not implemented yet
not implemented
Not supported
Not available
Already exists
already exists
File not found
File not found.
File not found: *
File does not exist
File already exists
File already exists.
Directory not found
Directory not found: *
Directory does not exist
Path does not exist
Path not found
Resource not found
No results found
No matches found
Permission denied
Permission denied.
Access denied
Access denied.
Invalid argument
Invalid arguments
Invalid input
Invalid request
Invalid response
Invalid parameter
Invalid parameters
Invalid JSON
Invalid JSON: ...
Invalid syntax
Invalid path
Invalid value
Invalid option
Unexpected token
Unexpected end of file
Unexpected response
Out of memory
No output
no output
(no output)
(no content)
null pointer dereference
"""

TABLES = (EVERYWHERE,)
