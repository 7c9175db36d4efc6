"""What JavaScript's engines, Node, Bun and bundlers say."""

from __future__ import annotations

ENGINES = """
(in promise) ~
ReferenceError: * is not defined
* is not defined
* is not a function
* is not a function or its return value is not iterable
* is not a constructor
* is not iterable
* is not an object
* is not a string
* is undefined
* is null
undefined is not an object (evaluating *)
undefined is not a function (near *)
null is not an object (evaluating *)
Cannot read properties of undefined (reading *)
Cannot read properties of null (reading *)
Cannot read property * of undefined
Cannot read property * of null
Cannot set properties of undefined (setting *)
Cannot set properties of null (setting *)
Cannot set property * of undefined
Cannot set property * of null
Cannot set property * of * which has only a getter
Cannot assign to read only property * of object *
Cannot add property *, object is not extensible
Cannot delete property * of *
Cannot redefine property: *
Cannot convert undefined or null to object
Cannot convert a BigInt value to a number
Cannot convert a Symbol value to a string
Cannot mix BigInt and other types, use explicit conversions
Cannot destructure property * of * as it is undefined.
Cannot destructure property * of * as it is null.
Cannot access * before initialization
Can't find variable: *
Class constructor * cannot be invoked without <text>
Class extends value * is not a constructor or null
Must call super constructor in derived class before accessing <text> or returning from \
derived constructor
Assignment to constant variable.
Identifier * has already been declared
Invalid left-hand side in assignment
Invalid destructuring assignment target
Invalid or unexpected token
Invalid array length
Invalid time value
Invalid regular expression: ...
Invalid regular expression flags
Invalid string length
Invalid count value: *
Invalid URL
Invalid shorthand property initializer
Illegal return statement
Illegal break statement
Illegal invocation
Unexpected token *
Unexpected token *, * is not valid JSON
Unexpected token * in JSON at position #
Unexpected token * in JSON at position # (line # column #)
Unexpected end of input
Unexpected end of JSON input
Unexpected EOF
Unexpected identifier
Unexpected identifier *
Unexpected number
Unexpected string
Unexpected template string
Unexpected reserved word
Unexpected eval or arguments in strict mode
Unexpected strict mode reserved word
Unexpected non-whitespace character after JSON at position #
Unexpected non-whitespace character after JSON at position # (line # column #)
Expected property name or <text> in JSON at position #
Expected property name or <text> in JSON at position # (line # column #)
Expected double-quoted property name in JSON at position #
Expected double-quoted property name in JSON at position # (line # column #)
Expected <text> or <text> after property value in JSON at position #
Expected <text> or <text> after array element in JSON at position #
Bad control character in string literal in JSON at position #
Bad escaped character in JSON at position #
Unterminated string in JSON at position #
Unterminated string literal
Unterminated template
Unterminated regular expression
JSON Parse error: ...
missing ) after argument list
missing } after property list
Missing initializer in const declaration
Missing catch or finally after try
await is only valid in async functions and the top level bodies of modules
await is only valid in async function
Top-level await is not available in the current environment
super() is only valid inside a class constructor
Octal literals are not allowed in strict mode.
Delete of an unqualified identifier in strict mode.
Duplicate parameter name not allowed in this context
Maximum call stack size exceeded
Maximum call stack size exceeded.
Converting circular structure to JSON
Reduce of empty array with no initial value
Reduced of empty array with no initial value
Division by zero
Do not know how to serialize a BigInt
Export named * not found in module *
Import named * not found in module *
The requested module * does not provide an export named *
The requested module * does not provide an export named * at ...
Named export * not found. The requested module * is a CommonJS module, ...
Missing <text> export in module *
Module not found
Cannot use import statement outside a module
Cannot use <text> outside a module
Cannot use <text> statement outside a module
require is not defined in ES module scope, you can use import instead
exports is not defined in ES module scope
require() of ES Module * from * not supported.
require() of ES Module * not supported.
require() cannot be used on an ESM graph with top-level await.
Failed to fetch
fetch failed
Load failed
NetworkError when attempting to fetch resource.
The operation was aborted
The operation was aborted.
The operation was aborted due to timeout
This operation was aborted
signal is aborted without reason
The user aborted a request.
Body is unusable
Body has already been read
Network Error
Network request failed
socket hang up
Client network socket disconnected before secure TLS connection was established
timeout of #ms exceeded
AggregateError
All promises were rejected
"""

NODE = """
Cannot find module *
Cannot find module * imported from *
Cannot find module * from *
Cannot find package * imported from *
Cannot find package * from *
Cannot find type definition file for *
Package subpath * is not defined by <text> in *
Package subpath * is not defined by <path> in *
No <text> main defined in *
Unknown file extension * for *
Directory import * is not supported resolving ES modules imported from *
Only URLs with a scheme in: file, data, and node are supported by the default ESM loader. ...
Module did not self-register: *
The module * was compiled against a different <path> version using ...
The <text> argument must be of type string. Received *
The <text> argument must be of type string. Received type ...
The <text> argument must be of type string or an instance of Buffer ...
The <text> argument must be of type function. Received *
The <text> argument must be of type *. Received *
The argument * must be *. Received *
The property * must be *. Received *
The value of <text> is out of range. It must be ...
Callback must be a function. Received *
Unhandled error. (...
Unhandled <text> event
This error originated either by throwing inside of an async function without a catch block, ...
Cannot set headers after they are sent to the client
Cannot write headers after they are sent to the client
write after end
stream.push() after EOF
Premature close
Invalid character in header content *
Parse Error: ...
Reached heap limit Allocation failed - JavaScript heap out of memory
FATAL ERROR: ...
Ineffective mark-compacts near heap limit Allocation failed - JavaScript heap out of memory
invalid array length Allocation failed - JavaScript heap out of memory
spawn * ENOENT
spawn * EACCES
spawn * ENOTDIR
spawn ENOTDIR
spawn E<n>BIG
spawn ENOMEM
connect ECONNREFUSED *
connect ECONNREFUSED
connect ETIMEDOUT *
connect ETIMEDOUT
connect EHOSTUNREACH *
connect ENOENT *
connect EACCES *
read ECONNRESET
write ECONNRESET
write EPIPE
read EIO
write EIO
read EOF
getaddrinfo ENOTFOUND *
getaddrinfo ENOTFOUND
getaddrinfo EAI_AGAIN *
getaddrinfo EAI_AGAIN
queryA ENOTFOUND *
listen EADDRINUSE: ...
listen EACCES: ...
listen EPERM: ...
kill ESRCH
kill EPERM
stdout maxBuffer length exceeded
Command failed with exit code #: ...
Command failed with exit code # (*): ...
Process completed with exit code #.
Could not resolve: *
Could not resolve entry module *
No matching export in * for import *
Transform failed with # error:
Transform failed with # errors:
Build failed with # error:
Build failed with # errors:
Failed to resolve import * from * Does the file exist?
Failed to resolve entry for package * The package may have incorrect <path> ...
Failed to load config from *
Failed to load url * (resolved id: *) in * Does the file exist?
Failed to compile.
Unable to build website for locale *
Failed to parse source for import analysis because the content contains invalid JS syntax. ...
Rollup failed to resolve import * from *
Module parse failed: ...
Module build failed (from *):
Can't resolve * in *
Missing script: *
Script not found *
Debugger attached.
Waiting for the debugger to disconnect...
script * exited with code #
script * was terminated by signal *
script * exited with code # (*)
Module not found *
self-signed certificate
self-signed certificate in certificate chain
self signed certificate in certificate chain
unable to get local issuer certificate
unable to verify the first certificate
<path> does not match certificate's altnames: ...
error:<n>:digital envelope routines::unsupported
digital envelope routines::unsupported
Minified React error *
Invalid hook call. Hooks can only be called inside of the body of a function component. ...
Rendered more hooks than during the previous render.
Objects are not valid as a React child ...
Element type is invalid: ...
Hydration failed because ...
Text content does not match server-rendered HTML.
window is not defined
document is not defined
localStorage is not defined
Not implemented: ...
"""

TABLES = (ENGINES, NODE)
