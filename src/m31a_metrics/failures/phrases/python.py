"""What the Python interpreter and its standard library say."""

from __future__ import annotations

BUILT_IN = """
KeyError: ...
AssertionError
* object has no attribute *
* object has no attribute * and no __dict__ for setting new attributes
module * has no attribute *
partially initialized module * has no attribute * (most likely due to a circular import)
partially initialized module * has no attribute *
type object * has no attribute *
function object has no attribute *
* object is not callable
* object is not iterable
* object is not subscriptable
* object is not an iterator
* object is not reversible
* object is not a mapping
* object is not bytes
* object does not support item assignment
* object does not support item deletion
* object does not support the context manager protocol
* object does not support the context manager protocol (missed __exit__ method)
* object does not support the asynchronous context manager protocol
* object can't be awaited
object * can't be used in <text> expression
object of type * has no len()
object of type * is not JSON serializable
Object of type * is not JSON serializable
can't be used in <text> expression
cannot unpack non-iterable * object
not enough values to unpack (expected #, got #)
not enough values to unpack (expected at least #, got #)
too many values to unpack (expected #)
too many values to unpack (expected #, got #)
unhashable type: *
unsupported operand type(s) for *: * and *
unsupported operand type(s) for ** or pow(): * and *
bad operand type for unary *: *
bad operand type for abs(): *
unorderable types: * *
* not supported between instances of * and *
must be str, not *
must be real number, not *
must be *, not *
can only concatenate str (not *) to str
can only concatenate list (not *) to list
can only concatenate tuple (not *) to tuple
can only join an iterable
can't concat * to *
sequence item #: expected str instance, * found
expected string or bytes-like object
expected string or bytes-like object, got *
expected str, bytes or os.PathLike object, not *
a bytes-like object is required, not *
an integer is required (got type *)
string indices must be integers
string indices must be integers, not *
list indices must be integers or slices, not *
tuple indices must be integers or slices, not *
byte indices must be integers or slices, not *
slice indices must be integers or None or have an __index__ method
list index out of range
list assignment index out of range
pop from empty list
pop from an empty deque
pop from an empty set
pop index out of range
string index out of range
tuple index out of range
range object index out of range
bytearray index out of range
deque mutated during iteration
list.remove(x): x not in list
dictionary changed size during iteration
dictionary keys changed during iteration
Set changed size during iteration
substring not found
empty separator
float division by zero
integer division or modulo by zero
integer modulo by zero
math domain error
math range error
int too large to convert to float
integer division result too large for a float
cannot convert float infinity to integer
cannot convert float NaN to integer
could not convert string to float: ...
invalid literal for int() with base #: ...
int() argument must be a string, a bytes-like object or a real number, not *
float() argument must be a string or a real number, not *
int() can't convert non-string with explicit base
complex() arg is a malformed string
min() arg is an empty sequence
max() arg is an empty sequence
min() iterable argument is empty
max() iterable argument is empty
arg # must be a type or tuple of types
isinstance() arg # must be a type, a tuple of types, or a union
issubclass() arg # must be a class
chr() arg not in range(#)
ord() expected a character, but string of length # found
maximum recursion depth exceeded
maximum recursion depth exceeded while calling a Python object
maximum recursion depth exceeded in comparison
Maximum recursion depth exceeded
name * is not defined
name * is not defined. Did you mean: *
free variable * referenced before assignment in enclosing scope
cannot access free variable * where it is not associated with a value in enclosing scope
local variable * referenced before assignment
cannot access local variable * where it is not associated with a value
No module named *
No module named * * is not a package
No module named *; * is not a package
cannot import name * from *
cannot import name * from partially initialized module * (most likely due to a circular import)
cannot import name *
attempted relative import with no known parent package
attempted relative import beyond top-level package
dynamic module does not define module export function *
* missing # required positional argument: *
* missing # required positional argument: * and *
* missing # required positional arguments: ...
* missing # required keyword-only argument: *
* missing # required keyword-only arguments: ...
* missing required argument * (pos #)
* takes # positional argument but # were given
* takes # positional arguments but # was given
* takes # positional arguments but # were given
* takes from # to # positional arguments but # were given
* takes no arguments
* takes no arguments (# given)
* takes no keyword arguments
* takes exactly one argument (# given)
* takes exactly # arguments (# given)
* takes at most # arguments (# given)
* takes at least # argument (# given)
* takes at least # arguments (# given)
* expected # argument, got #
* expected # arguments, got #
* expected at least # argument, got #
* expected at most # argument, got #
* expected at most # arguments, got #
* got an unexpected keyword argument *
* got an unexpected keyword argument * Did you mean *
* got multiple values for argument *
* got multiple values for keyword argument *
* got some positional-only arguments passed as keyword arguments: *
* argument after * must be a mapping, not *
* argument after * must be an iterable, not *
* argument * must be *, not *
* argument # must be *, not *
Can't instantiate abstract class * with abstract method *
Can't instantiate abstract class * with abstract methods ...
Can't instantiate abstract class * without an implementation for abstract method *
Can't instantiate abstract class * without an implementation for abstract methods ...
can't set attribute
can't set attribute *
property * of * object has no setter
property * of * object has no getter
property * of * object has no deleter
cannot assign to field *
cannot delete field *
super(type, obj): obj must be an instance or subtype of type
metaclass conflict: the metaclass of a derived class must be a (non-strict) subclass of \
the metaclasses of all its bases
Cannot create a consistent method resolution order (MRO) for bases ...
generator raised StopIteration
generator already executing
generator didn't yield
generator didn't stop after throw()
coroutine * was never awaited
cannot reuse already awaited coroutine
asyncio.run() cannot be called from a running event loop
no running event loop
Event loop is closed
Event loop stopped before Future completed.
This event loop is already running
There is no current event loop in thread *
Task was destroyed but it is pending!
Future attached to a different loop
can't start new thread
threads can only be started once
cannot join thread before it is started
cannot join current thread
cannot schedule new futures after shutdown
cannot schedule new futures after interpreter shutdown
A process in the process pool was terminated abruptly while the future was running or pending.
A child process terminated abruptly, the process pool is not usable anymore
release unlocked lock
cannot release un-acquired lock
I/O operation on closed file
I/O operation on closed file.
not readable
not writable
read of closed file
write to closed file
underlying stream is not seekable
EOF when reading a line
EOF while scanning triple-quoted string literal
pickle data was truncated
Ran out of input
Can't pickle *: attribute lookup * on * failed
Can't pickle *: it's not the same object as *
cannot pickle * object
buffer size must be a multiple of element size
unpack requires a buffer of # bytes
source code string cannot contain null bytes
embedded null byte
embedded null character
* codec can't decode byte * in position #: invalid start byte
* codec can't decode byte * in position #: invalid continuation byte
* codec can't decode byte * in position #: ordinal not in range(#)
* codec can't decode byte * in position #: unexpected end of data
* codec can't decode byte * in position #: character maps to <undefined>
* codec can't decode byte * in position #: ...
* codec can't decode bytes in position #: ...
* codec can't encode character * in position #: ...
* codec can't encode characters in position #: ...
unknown encoding: *
Incorrect padding
Invalid base<n>-encoded string: number of data characters (#) cannot be # more than a multiple of #
Non-hexadecimal digit found
non-hexadecimal number found in fromhex() arg at position #
Expecting value: line # column # (char #)
Expecting property name enclosed in double quotes: line # column # (char #)
Expecting <text> delimiter: line # column # (char #)
Extra data: line # column # (char #)
Unterminated string starting at: line # column # (char #)
Invalid control character at: line # column # (char #)
Invalid <path>: line # column # (char #)
Illegal trailing comma before end of object: line # column # (char #)
Out of range float values are not JSON compliant
Circular reference detected
time data * does not match format *
unconverted data remains: *
Invalid isoformat string: *
day is out of range for month
month must be in #
hour must be in #
year # is out of range
can't compare offset-naive and offset-aware datetimes
can't subtract offset-naive and offset-aware datetimes
No time zone found with key *
Command * returned non-zero exit status #.
Command * died with *
Command * timed out after # seconds
Exceeds the limit (# digits) for integer string conversion; ...
The read operation timed out
not a valid *
* is not a valid *
* is not in list
* is not in deque
tuple.index(x): x not in tuple
too many values
unknown format code * for object of type *
Invalid format specifier
Invalid format specifier * for object of type *
Replacement index # out of range for positional args tuple
not all arguments converted during string formatting
not enough arguments for format string
%d format: a real number is required, not *
unsupported format string passed to *.__format__
unterminated character set at position #
nothing to repeat at position #
missing ), unterminated subpattern at position #
unbalanced parenthesis at position #
bad escape * at position #
multiple repeat at position #
look-behind requires fixed-width pattern
invalid group reference # at position #
no such group
bad file descriptor
No active exception to reraise
exceptions must derive from BaseException
catching classes that do not inherit from BaseException is not allowed
The truth value of an array with more than one element is ambiguous. Use a.any() or a.all()
The truth value of a Series is ambiguous. Use a.empty, a.bool(), a.item(), a.any() or a.all().
operands could not be broadcast together with shapes ...
shapes * and * not aligned: ...
setting an array element with a sequence.
cannot reshape array of size # into shape *
index # is out of bounds for axis # with size #
all the input array dimensions except for the concatenation axis must match exactly ...
singular matrix
Singular matrix
single positional indexer is out-of-bounds
cannot reindex on an axis with duplicate labels
Length of values (#) does not match length of index (#)
No columns to parse from file
CUDA out of memory. ...
CUDA error: ...
mat<n> and mat<n> shapes cannot be multiplied ...
(# sub-exception)
(# sub-exceptions)
many (# sub-exceptions)
unhandled errors in a TaskGroup (# sub-exception)
unhandled errors in a TaskGroup (# sub-exceptions)
"""

SYNTAX = """
invalid syntax
invalid syntax. Perhaps you forgot a comma?
invalid syntax. Maybe you meant * or * instead of *
invalid decimal literal
invalid character * (U+*)
invalid non-printable character U+*
invalid escape sequence *
invalid token
unexpected indent
unindent does not match any outer indentation level
unexpected unindent
expected an indented block
expected an indented block after * on line #
expected an indented block after * statement on line #
expected an indented block after function definition on line #
expected an indented block after class definition on line #
unexpected EOF while parsing
unexpected character after line continuation character
unterminated string literal (detected at line #)
unterminated triple-quoted string literal (detected at line #)
unterminated f-string literal (detected at line #)
f-string: ...
EOL while scanning string literal
* was never closed
closing parenthesis * does not match opening parenthesis *
closing parenthesis * does not match opening parenthesis * on line #
inconsistent use of tabs and spaces in indentation
positional argument follows keyword argument
positional argument follows keyword argument unpacking
non-default argument follows default argument
parameter without a default follows parameter with a default
keyword argument repeated: *
duplicate argument * in function definition
cannot assign to literal
cannot assign to literal here. Maybe you meant * instead of *
cannot assign to function call
cannot assign to function call here. Maybe you meant * instead of *
cannot assign to expression here. Maybe you meant * instead of *
cannot assign to attribute here. Maybe you meant * instead of *
cannot assign to True
cannot assign to None
cannot delete function call
Missing parentheses in call to * Did you mean *
Generator expression must be parenthesized
leading zeros in decimal integer literals are not permitted; use an <n>o prefix for octal integers
* outside function
* outside async function
* outside loop
* not properly in loop
* only allowed in async functions
import * only allowed at module level
from __future__ imports must occur at the beginning of the file
future feature * is not defined
name * is used prior to global declaration
name * is parameter and global
no binding for nonlocal * found
expression cannot contain assignment, perhaps you meant *
default * must be last
too many statically nested blocks
bytes can only contain ASCII literal characters
(unicode error) ...
"""

TABLES = (BUILT_IN, SYNTAX)
