"""What the compilers and linkers of C and C++ say."""

from __future__ import annotations

C = """
* undeclared (first use in this function)
* undeclared here (not in a function)
* was not declared in this scope
* was not declared in this scope; did you mean *
* was not declared in this scope, and no declarations were found by ...
* has not been declared
* has not been declared in *
* does not name a type
* does not name a type; did you mean *
* does not name a template type
* has no member named *
* has no member named *; did you mean *
* is not a member of *
* is not a class, namespace, or enumeration
* is not a template
* is not a type
* is not a class or namespace
* is a private member of *
* is private within this context
* is protected within this context
* is ambiguous
* used without template arguments
* redeclared as different kind of symbol
* cannot be used as a function
* declared as function returning a function
* defined but not used
* may be used uninitialized
* may be used uninitialized in this function
* file not found
* file not found with <angled> include; use <text> instead
* from incompatible pointer type
* makes integer from pointer without a cast
* makes pointer from integer without a cast
implicit declaration of function *
implicit declaration of function *; did you mean *
implicit declaration of function * is invalid in C<n>
call to undeclared function *; ISO C<n> and later do not support implicit function declarations
call to undeclared library function * with type *; ...
use of undeclared identifier *
use of undeclared identifier *; did you mean *
use of undeclared label *
use of deleted function *
unknown type name *
unknown type name *; did you mean *
unknown type name *; use <text> keyword to refer to the type
no member named * in *
no member named * in *; did you mean *
no matching function for call to *
no matching constructor for initialization of *
no matching member function for call to *
no type named * in *
no type named * in namespace *
no viable conversion from * to *
no viable overloaded <text>
no match for * (operand types are * and *)
redefinition of *
redefinition of * with a different type: * vs *
redeclaration of *
conflicting types for *
conflicting types for *; have *
conflicting declaration *
multiple definition of *
multiple definition of *; ...
duplicate symbol * in:
duplicate case value
incompatible types when assigning to type * from type *
incompatible types when initializing type * using type *
incompatible pointer types initializing * with an expression of type *
incompatible pointer types passing * to parameter of type *
incompatible type for argument # of *
initialization of * from incompatible pointer type *
assignment to * from incompatible pointer type *
assignment of read-only variable *
assignment of read-only location *
passing argument # of * from incompatible pointer type
passing argument # of * makes integer from pointer without a cast
passing * as <text> argument discards qualifiers
invalid conversion from * to *
invalid operands to binary * (have * and *)
invalid operands to binary expression (* and *)
invalid type argument of unary * (have *)
invalid use of incomplete type *
invalid use of undefined type *
invalid use of void expression
invalid preprocessing directive *
invalid suffix * on integer constant
invalid application of <text> to incomplete type *
cannot convert * to *
cannot convert * to * in initialization
cannot convert * to * in assignment
cannot initialize a variable of type * with an lvalue of type *
cannot initialize a variable of type * with an rvalue of type *
cannot bind non-const lvalue reference of type * to an rvalue of type *
cannot declare variable * to be of abstract type *
cannot open source file *
cannot find *
cannot find *: No such file or directory
control reaches end of non-void function
non-void function does not return a value
dereferencing pointer to incomplete type *
division by zero
expected * before *
expected * before * token
expected * at end of input
expected * at end of declaration list
expected * after *
expected declaration or statement at end of input
expected declaration before * token
expected declaration specifiers or <text> before *
expected expression
expected expression before * token
expected identifier or <text>
expected identifier or <text> before * token
expected initializer before *
expected primary-expression before * token
expected type-specifier before *
expected unqualified-id
expected unqualified-id before * token
expected specifier-qualifier-list before *
expected function body after function declarator
expected <text> after expression
expected <text> after top level declarator
extraneous closing brace (<text>)
excess elements in array initializer
field * has incomplete type *
variable has incomplete type *
variable * has initializer but incomplete type
variable * set but not used
unused variable *
unused parameter *
unused function *
format <text> expects argument of type *, but argument # has type *
format specifies type * but the argument has type *
comparison of integer expressions of different signedness: * and *
too few arguments to function *
too few arguments to function call, expected #, have #
too many arguments to function *
too many arguments to function call, expected #, have #
storage size of * isn't known
stray * in program
missing terminating * character
missing terminating <text> character
unterminated comment
unterminated conditional directive
unterminated argument list invoking macro *
unterminated <n>
static assertion failed: ...
static assertion failed
static_assert failed ...
template argument # is invalid
template argument <path> failed:
wrong number of template arguments (#, should be #)
undefined reference to *
undefined symbol: *
undefined symbols for architecture *
Undefined symbols for architecture *
symbol(s) not found for architecture *
unresolved external symbol * referenced in function *
# unresolved externals
relocation * against * can not be used when making a PIE object; recompile with -fPIE
relocation truncated to fit: ...
ld returned # exit status
linker command failed with exit code #
linker command failed with exit code # (use -v to see invocation)
clang: error: ~
collect<n>: ~
compilation terminated.
unrecognized command-line option *
unrecognized command line option *
unknown argument: *
unsupported option *
unable to open output file *: ...
unable to execute command: ...
# error generated.
# errors generated.
# warning generated.
# warnings generated.
# warning and # error generated.
# warnings and # errors generated.
error while loading shared libraries: ...
cannot open shared object file: No such file or directory
all warnings being treated as errors
some warnings being treated as errors
syntax error: ...
AddressSanitizer: ...
LeakSanitizer: detected memory leaks
runtime error: ...
Assertion * failed.
Assertion * failed
Assertion failed: ...
Library not loaded: *
image not found
dyld: ...
dyld[#]: ~
"""

TABLES = (C,)
