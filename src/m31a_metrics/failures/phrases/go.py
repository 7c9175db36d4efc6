"""What the Go compiler, its checks and programs written in Go say."""

from __future__ import annotations

GO = """
<path>:<n>: undefined: *
undefined: * (but have *)
declared and not used: *
* declared and not used
* imported and not used
* imported as * and not used
* redeclared in this block
* is not in std
* is not in std (*)
package * is not in std (*)
package * is not in std
package * is not in GOROOT (*)
no required module provides package *; to add it:
no required module provides package *
no required module provides package *: ...
cannot find module providing package *
cannot find module providing package *: ...
cannot find package
cannot find package *
cannot find package * in any of:
cannot find main module
cannot find main module, but found * in *
cannot find main module; see <text>
cannot write multiple packages to non-directory *
<path> file not found in current directory or any parent directory
<path> file not found in current directory or any parent directory; see <text>
<path> requires go >= # (running go #; GOTOOLCHAIN=local)
updates to <path> needed
updates to <path> needed; to update it:
updates to <path> needed, disabled by -mod=readonly
missing <path> entry for module providing package *
missing <path> entry for <path> file
missing <path> entry; to add it:
inconsistent vendoring in *
malformed module path *: ...
module * found (*), but does not contain package *
module * found, but does not contain package *
module declares its path as: *
module lookup disabled by GOPROXY=off
invalid version: ...
unknown revision *
unrecognized import path *: ...
import cycle not allowed
import cycle not allowed in test
imports * from *: import cycle not allowed
use of internal package * not allowed
build constraints exclude all Go files in *
no Go files in *
no non-test Go files in *
no test files
no buildable Go source files in *
found packages * (*) and * (*) in *
pattern *: no matching files found
pattern *: directory prefix * does not contain main module or its selected dependencies
pattern *: directory prefix * does not contain modules listed in go.work ...
directory not found
malformed import path *: ...
expected <text>, found *
expected declaration, found *
expected operand, found *
expected statement, found *
expected type, found *
syntax error: unexpected * at end of statement
syntax error: unexpected *, expected *
syntax error: unexpected *, expected * or *
syntax error: unexpected keyword *, expected *
syntax error: unexpected keyword *, expected field name or embedded type
syntax error: unexpected keyword *, expected expression
syntax error: unexpected keyword * at end of statement
syntax error: unexpected keyword * after top level declaration
syntax error: unexpected name * at end of statement
syntax error: unexpected name *, expected *
syntax error: unexpected newline, expected *
syntax error: unexpected newline in composite literal; possibly missing comma or *
syntax error: unexpected newline in argument list; possibly missing comma or *
syntax error: unexpected EOF, expected *
syntax error: unexpected EOF, expecting *
syntax error: non-declaration statement outside function body
syntax error: missing condition in if statement
syntax error: else must be followed by if or statement block
syntax error: cannot use * as value
syntax error: unexpected ...
missing return
missing return at end of function
missing <text> in composite literal
not enough arguments in call to *
too many arguments in call to *
not enough return values
too many return values
not enough arguments to return
too many arguments to return
assignment mismatch: # variable but * returns # values
assignment mismatch: # variables but * returns # value
assignment mismatch: # variables but * returns # values
assignment mismatch: # variable but # values
assignment mismatch: # variables but # value
assignment mismatch: # variables but # values
non-boolean condition in if statement
non-name * on left side of :=
no new variables on left side of :=
cannot use * as * value in assignment
cannot use * as * value in assignment: ...
cannot use * as * value in argument to *
cannot use * as * value in argument to *: ...
cannot use * (...
cannot use generic type * without instantiation
cannot use generic function * without instantiation
cannot assign to *
cannot convert * (...
cannot infer *
cannot range over *
cannot range over * (...
cannot call non-function *
cannot call pointer method * on *
cannot refer to unexported field *
cannot refer to unexported name *
cannot refer to unexported method *
cannot import package as init - init must be a func
cannot take address of *
cannot take the address of *
cannot define new methods on non-local type *
cannot have type parameters
invalid operation: ...
invalid argument: ...
invalid recursive type *
invalid receiver type *
invalid composite literal type *
invalid use of <text> in call to *
invalid indirect of *
impossible type assertion: ...
impossible type switch case: ...
duplicate case * in expression switch
duplicate case * in type switch
duplicate key * in map literal
duplicate field name * in struct literal
duplicate method *
method redeclared *
field and method with the same name *
unknown field * in struct literal
unknown field * in struct literal of type *
mixture of field:value and value elements in struct literal
too few values in struct literal
too few values in struct literal of type *
too many values in struct literal
missing type constraint
* does not implement *
* does not implement * (missing method *)
* does not satisfy *
* (type) is not an expression
* (value of type *) is not a type
* (untyped string constant) is not used
label * defined and not used
label * not defined
unreachable code
self-assignment of * to *
result of * call not used
should not use basic type * as key in context.WithValue
composite literal uses unkeyed fields
struct field tag * not compatible with reflect.StructTag.Get: ...
possible misuse of unsafe.Pointer
possible formatting directive in *
the cancel function is not used on all paths (possible context leak)
the cancel function returned by context.WithCancel should be called, not discarded, ...
call to * but current function doesn't return
missing cases in switch of type *: ...
Error return value is not checked
Error return value of * is not checked
ineffectual assignment to *
cyclomatic complexity # of func * is high (> #)
File is not <text>
File is not properly formatted
runtime error: index out of range [#] with length #
runtime error: index out of range [-#]
runtime error: slice bounds out of range [:#] with capacity #
runtime error: slice bounds out of range [:#] with length #
runtime error: slice bounds out of range [#:#]
runtime error: slice bounds out of range ...
runtime error: invalid memory address or nil pointer dereference
runtime error: integer divide by zero
runtime error: makeslice: len out of range
runtime error: hash of unhashable type *
runtime error: growslice: len out of range
[signal SIGSEGV: segmentation violation ...
assignment to entry in nil map
send on closed channel
close of closed channel
close of nil channel
all goroutines are asleep - deadlock!
interface conversion: ...
concurrent map writes
concurrent map read and map write
concurrent map iteration and map write
stack overflow
goroutine stack exceeds #-byte limit
negative WaitGroup counter
sync: negative WaitGroup counter
sync: unlock of unlocked mutex
strconv.Atoi: parsing *: invalid syntax
strconv.Atoi: parsing *: value out of range
strconv.ParseInt: parsing *: invalid syntax
strconv.ParseFloat: parsing *: invalid syntax
strconv.ParseBool: parsing *: invalid syntax
test timed out after *
context deadline exceeded
context deadline exceeded (Client.Timeout exceeded while awaiting headers)
context canceled
i/o timeout
use of closed network connection
unexpected EOF
file already exists
file does not exist
executable file not found in $PATH
exec: *: executable file not found in $PATH
<path> *: ~
connect: connection refused
dial tcp *: ...
dial tcp: lookup *: ...
read tcp *: ...
bind: address already in use
listen tcp *: ...
tls: failed to verify certificate: ...
x<n>: certificate signed by unknown authority
json: cannot unmarshal * into Go value of type *
json: cannot unmarshal * into Go struct field * of type *
json: unsupported type: *
invalid character * looking for beginning of value
invalid character * looking for beginning of object key string
invalid character * after top-level value
invalid character * after object key:value pair
invalid character * in literal * (expecting *)
invalid character * in string literal
parsing time * as *: cannot parse * as *
parse *: invalid control character in URL
EOF
[build failed]
[setup failed]
[no test files]
[no tests to run]
Not equal: ~
Not equal
Should be true
Should be false
Should be empty, but was *
Should not be nil
Should NOT be empty, but was *
Expected nil, but got: ...
Expected value not to be nil.
Received unexpected error: ...
An error is expected but got nil.
Error message not equal: ...
* does not contain *
* should not contain *
Object expected to be of type *, but was *
Target error should be in err chain: ...
Condition never satisfied
lists don't match
Max difference between * and * allowed is *, but difference was *
"""

TABLES = (GO,)
