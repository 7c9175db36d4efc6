"""What operating systems and shells say."""

from __future__ import annotations

SYSTEM = """
Operation not permitted
No such file or directory
No such process
Interrupted system call
Input/output error
No such device or address
Argument list too long
Exec format error
Bad file descriptor
No child processes
Resource temporarily unavailable
Cannot allocate memory
Bad address
Block device required
Device or resource busy
File exists
Invalid cross-device link
No such device
Not a directory
Is a directory
Too many open files in system
Too many open files
Inappropriate ioctl for device
Text file busy
File too large
No space left on device
Illegal seek
Read-only file system
Too many links
Broken pipe
Numerical argument out of domain
Numerical result out of range
Resource deadlock avoided
Resource deadlock would occur
File name too long
No locks available
Function not implemented
Directory not empty
Too many levels of symbolic links
No message of desired type
Value too large for defined data type
Invalid or incomplete multibyte or wide character
Streams pipe error
Socket operation on non-socket
Destination address required
Message too long
Protocol wrong type for socket
Protocol not available
Protocol not supported
Operation not supported
Protocol family not supported
Address family not supported by protocol
Address family not supported by protocol family
Address already in use
Cannot assign requested address
Can't assign requested address
Network is down
Network is unreachable
Network dropped connection on reset
Software caused connection abort
Connection reset by peer
No buffer space available
Transport endpoint is not connected
Socket is not connected
Connection timed out
Connection refused
Host is down
No route to host
Operation already in progress
Operation now in progress
Stale file handle
Disk quota exceeded
Quota exceeded
Operation canceled
Owner died
Required key not available
Key has expired
Remote I/O error
Structure needs cleaning
Success
The system cannot find the file specified
The system cannot find the file specified.
The system cannot find the path specified.
Access is denied
Access is denied.
The process cannot access the file because it is being used by another process
The process cannot access the file because it is being used by another process.
The directory is not empty.
The directory name is invalid.
The filename, directory name, or volume label syntax is incorrect.
The parameter is incorrect.
No connection could be made because the target machine actively refused it.
(os error #)
[Errno #] ~
[Errno -#] ~
[WinError #] ~
(code: #)
(code #)
(errno #)
ENOENT
ENOENT: no such file or directory, %
ENOENT: no such file or directory, % *
ENOENT: no such file or directory, % * -> *
EACCES: permission denied, %
EACCES: permission denied, % *
EACCES: permission denied, % * -> *
EPERM: operation not permitted, %
EPERM: operation not permitted, % *
EPERM: operation not permitted, % * -> *
EISDIR: illegal operation on a directory, %
EISDIR: illegal operation on a directory, % *
ENOTDIR: not a directory, %
ENOTDIR: not a directory, % *
ENOTEMPTY: directory not empty, %
ENOTEMPTY: directory not empty, % *
EEXIST: file already exists, %
EEXIST: file already exists, % *
EMFILE: too many open files, %
EMFILE: too many open files, % *
ENOSPC: no space left on device, %
ENOSPC: no space left on device, % *
ENOSPC: System limit for number of file watchers reached, watch *
EBUSY: resource busy or locked, %
EBUSY: resource busy or locked, % *
EROFS: read-only file system, %
EROFS: read-only file system, % *
EXDEV: cross-device link not permitted, %
EXDEV: cross-device link not permitted, % * -> *
ELOOP: too many symbolic links encountered, % *
ENAMETOOLONG: name too long, % *
EBADF: bad file descriptor, %
EINVAL: invalid argument, %
EINVAL: invalid argument, % *
EPIPE: broken pipe, %
EAGAIN: resource temporarily unavailable, %
ETXTBSY: text file is busy, % *
ESRCH
EPIPE
EPERM
EACCES
EEXIST
EISDIR
ENOTDIR
ENOTEMPTY
EMFILE
ENOSPC
EBUSY
EADDRINUSE
ECONNREFUSED
ECONNRESET
ECONNABORTED
EHOSTUNREACH
ENETUNREACH
ENOTFOUND
ETIMEDOUT
EAI_AGAIN
Segmentation fault
Segmentation fault (core dumped)
(core dumped)
Aborted (core dumped)
Killed
Hangup
Bus error
Bus error (core dumped)
Illegal instruction
Illegal instruction (core dumped)
Floating point exception
Floating point exception (core dumped)
<path> trap
out of memory
signal: killed
signal: aborted
signal: segmentation fault
signal: #
signal #
(signal: #, SIGKILL: kill)
(signal: #, SIGABRT: process abort signal)
(signal: #, SIGSEGV: invalid memory reference)
(signal: #, SIGTERM: termination signal)
(exit status: #)
(exit code: #)
(exit code #)
(exit status #)
killed by signal #
terminated by signal *
stack smashing detected
double free or corruption (out)
double free or corruption (!prev)
free(): invalid pointer
malloc(): corrupted top size
munmap_chunk(): invalid pointer
terminate called after throwing an instance of *
terminate called without an active exception
pure virtual method called
"""

SHELLS = """
eval: line #:
-c: line #:
<path>: line #: ~
<path>: eval: line #: ~
command not found
command not found: %
command not found...
not found
not a function
not a valid identifier
not a valid option
bad substitution
bad interpreter: ...
cannot execute: required file not found
cannot execute binary file
cannot execute binary file: Exec format error
cannot execute: ...
ambiguous redirect
unbound variable
readonly variable
parameter not set
parameter null or not set
numeric argument required
integer expression expected
unary operator expected
binary operator expected
too many arguments
missing argument
missing operand
missing operand after *
missing file operand
missing destination file operand after *
extra operand *
arithmetic syntax error
division by <n>
division by <n> (error token is *)
syntax error near unexpected token *
syntax error: operand expected (error token is *)
syntax error: invalid arithmetic operator (error token is *)
syntax error in expression (error token is *)
syntax error: unexpected end of file
syntax error: unexpected end of file from * command on line #
syntax error: unterminated quoted string
syntax error: Unterminated quoted string
syntax error: unexpected *
Syntax error: Unterminated quoted string
Syntax error: EOF in backquote substitution
Syntax error: end of file unexpected
Syntax error: end of file unexpected (expecting *)
Syntax error: * unexpected
Syntax error: * unexpected (expecting *)
Syntax error: Bad for loop variable
Bad substitution
Bad function name
unexpected EOF while looking for matching *
unexpected end of file
here-document at line # delimited by end-of-file (wanted *)
warning: here-document at line # delimited by end-of-file (wanted *)
event not found
no matches found: ...
no such file or directory: ...
permission denied: ...
not a directory: ...
is a directory: ...
file exists: ...
bad math expression: ...
bad option: ...
bad pattern: ...
no such job: *
no such user or named directory: *
no such hash table element: *
parse error near *
parse error: ...
zsh:#: unmatched *
job table full or recursion limit exceeded
fork failed: resource temporarily unavailable
fork: retry: Resource temporarily unavailable
fork: Cannot allocate memory
read-only variable: *
no match
No match.
Command not found.
Undefined variable.
Undefined variable
no job control in this shell
cannot set terminal process group (#): ...
cannot create temp file for here-document: ...
cannot overwrite existing file
cannot create *
cannot open *
No such file
command substitution: line #:
restricted: cannot specify <text> in command names
cd: ~
pushd: ~
source: ~
export: ~
usage: ...
Usage: ...
The term * is not recognized as a name of a cmdlet, function, script file, or executable program.
The term * is not recognized as the name of a cmdlet, function, script file, or operable program.
* is not recognized as an internal or external command, operable program or batch file.
* is not recognized as an internal or external command,
operable program or batch file.
Cannot find path * because it does not exist.
A parameter cannot be found that matches parameter name *
Cannot bind argument to parameter * because it is null.
A positional parameter cannot be found that accepts argument *
You cannot call a method on a null-valued expression.
File * cannot be loaded because running scripts is disabled on this system. ...
File * cannot be loaded. ...
Access to the path * is denied.
"""

TABLES = (SYSTEM, SHELLS)
