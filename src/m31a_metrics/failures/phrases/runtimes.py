"""What Java, Kotlin, C#, Swift, Ruby, PHP, Perl, Lua, Elixir and Haskell say."""

from __future__ import annotations

MANAGED = """
cannot find symbol
class * is public, should be declared in a file named *
class, interface, enum, or record expected
class * is already defined in package *
package * does not exist
method * in class * cannot be applied to given types
method does not override or implement a method from a supertype
constructor * in class * cannot be applied to given types
no suitable method found for *
no suitable constructor found for *
incompatible types: * cannot be converted to *
incompatible types: ...
incomparable types: ...
bad operand types for binary operator *
non-static method * cannot be referenced from a static context
non-static variable * cannot be referenced from a static context
missing return statement
unreachable statement
unreported exception *; must be caught or declared to be thrown
variable * is already defined in method *
variable * might not have been initialized
reached end of file while parsing
illegal start of expression
illegal start of type
illegal character: *
unclosed string literal
not a statement
<text> expected
<identifier> expected
* is not abstract and does not override abstract method * in *
* has private access in *
* cannot be resolved to a type
* cannot be resolved
invalid source release: #
invalid target release: #
invalid flag: *
release version # not supported
Exception in thread * ~
Caused by: ~
Java heap space
GC overhead limit exceeded
Metaspace
Index # out of bounds for length #
begin #, end #, length #
Index: #, Size: #
String index out of range: #
Cannot invoke * because * is null
Cannot read field * because * is null
class * cannot be cast to class *
class * cannot be cast to class * (...
For input string: *
No value present
* by zero
Text * could not be parsed at index #
Unresolved reference: *
Unresolved reference *
Type mismatch: inferred type is * but * was expected
Type mismatch.
Argument type mismatch: ...
Return type mismatch: ...
None of the following candidates is applicable: ...
None of the following functions can be called with the arguments supplied: ...
No value passed for parameter *
Only safe (?.) or non-null asserted (!!.) calls are allowed on a nullable receiver of type *
Val cannot be reassigned
* cannot be reassigned
The name * does not exist in the current context
The type or namespace name * could not be found (are you missing a using directive or an \
assembly reference?)
The type or namespace name * does not exist in the namespace * (are you missing an assembly \
reference?)
The type * already contains a definition for *
* does not contain a definition for *
* does not contain a definition for * and no accessible extension method * ...
* is inaccessible due to its protection level
Cannot implicitly convert type * to *
Cannot implicitly convert type * to * An explicit conversion exists (are you missing a cast?)
Cannot convert null literal to non-nullable reference type.
Argument #: cannot convert from * to *
No overload for method * takes # arguments
There is no argument given that corresponds to the required parameter * of *
Not all code paths return a value
not all code paths return a value
Use of unassigned local variable *
; expected
Object reference not set to an instance of an object.
Value cannot be null. (Parameter *)
Index was outside the bounds of the array.
Index was out of range. Must be non-negative and less than the size of the collection. ...
Sequence contains no elements
Sequence contains more than one element
Collection was modified; enumeration operation may not execute.
Input string was not in a correct format.
The input string * was not in a correct format.
Unable to cast object of type * to type *
Could not load file or assembly * ...
Unable to resolve service for type * while attempting to activate *
A task was canceled.
The operation was canceled.
Exception of type * was thrown.
Attempted to divide by zero.
cannot find * in scope
cannot find type * in scope
value of type * has no member *
type * has no member *
type * does not conform to protocol *
cannot convert value of type * to specified type *
cannot convert value of type * to expected argument type *
cannot convert return expression of type * to return type *
cannot assign to value: * is a <text> constant
cannot call value of non-function type *
initializer for conditional binding must have Optional type, not *
value of optional type * must be unwrapped to a value of type *
missing argument for parameter * in call
missing arguments for parameters ... in call
extra argument * in call
extra arguments at positions ... in call
incorrect argument label in call (have *, expected *)
use of unresolved identifier *
no such module *
ambiguous use of *
generic parameter * could not be inferred
expression is <text> but is not marked with <text>
Fatal error: ~
Unexpectedly found nil while unwrapping an Optional value
Unexpectedly found nil while implicitly unwrapping an Optional value
Index out of range
Command SwiftCompile failed with a nonzero exit code
Command CompileSwift failed with a nonzero exit code
Command PhaseScriptExecution failed with a nonzero exit code
"""

SCRIPTED = """
undefined method * for *
undefined method * for * (NoMethodError)
undefined method * for an instance of *
undefined method * for an instance of * (NoMethodError)
undefined local variable or method * for *
undefined local variable or method * for * (NameError)
uninitialized constant *
uninitialized constant * (NameError)
wrong number of arguments (given #, expected #)
wrong number of arguments (given #, expected #) (ArgumentError)
no implicit conversion of * into *
* can't be coerced into *
comparison of * with * failed
nil can't be coerced into *
can't modify frozen *
stack level too deep
divided by <n>
invalid value for Integer(): *
key not found: *
cannot load such file -- *
cannot load such file -- * (LoadError)
unexpected end-of-input
unterminated string meets end of file
unhandled exception
Parse error: syntax error, unexpected ...
syntax error, unexpected *
syntax error, unexpected *, expecting *
syntax error, unexpected token *
syntax error, unexpected token *, expecting *
syntax error, unexpected end of file
Call to undefined function *
Call to undefined method *
Call to a member function * on null
Call to private method * from global scope
Class * not found
Class * not found in *
Interface * not found
Undefined variable *
Undefined array key *
Undefined index: *
Undefined offset: #
Undefined property: *
Undefined constant *
PHP Parse error: ~
PHP Fatal error: ~
PHP Warning: ~
PHP Notice: ~
Cannot redeclare *
Maximum execution time of # seconds exceeded
Allowed memory size of # bytes exhausted (tried to allocate # bytes)
Failed opening required *
Unsupported operand types: * + *
Too few arguments to function *, # passed in * on line # and exactly # expected
attempt to index a nil value (...
attempt to call a nil value (...
attempt to perform arithmetic on a nil value (...
attempt to compare number with nil
module * not found:
unexpected symbol near *
<text> expected near *
unfinished string near *
Can't locate * in @INC ...
Can't locate * in @INC (...
Can't locate object method * via package *
Can't open perl script *: ...
Global symbol * requires explicit package name ...
Global symbol * requires explicit package name (did you forget to declare <text>
Bareword * not allowed while <text> in use
syntax error at * line #, near *
Use of uninitialized value * in * at * line #.
Execution of * aborted due to compilation errors.
BEGIN failed--compilation aborted at * line #.
function * undefined or private
(FunctionClauseError) ...
(UndefinedFunctionError) function * is undefined or private
(UndefinedFunctionError) function * is undefined (module * is not available)
(CompileError) ...
(KeyError) key * not found in: ...
(MatchError) no match of right hand side value: ...
undefined function * (expected * to define such a function or for it to be imported there, but \
none are available)
undefined variable *
Variable not in scope: *
Couldn't match expected type * with actual type *
Could not find module *
No instance for *
UndefVarError: * not defined
MethodError: no method matching ...
LoadError: ...
"""

TABLES = (MANAGED, SCRIPTED)
