"""What linters, formatters and type checkers say."""

from __future__ import annotations

LINTERS = """
# error ~
# warning ~
# error # ~
error ~
[*] ~
# problem (# error, # warnings)
# problems (# errors, # warnings)
# problems (# errors, # warning)
# problem (# errors, # warning)
# error and # warnings potentially fixable with the <text> option.
# errors and # warnings potentially fixable with the <text> option.
ESLint found too many warnings (maximum: #).
Parsing error: ~
Definition for rule * was not found
All files matched by <text> are ignored.
No files matching the pattern * were found.
No files matching * were found.
ESLint couldn't find a configuration file. ...
ESLint couldn't find an eslint.config.(js|mjs|cjs) file.
ESLint couldn't find the plugin *
ESLint couldn't find the config * to extend from. ...
Failed to load plugin * declared in *: ...
Failed to load config * to extend from.
Oops! Something went wrong! :(
ESLint: ~
* is assigned a value but never used
* is assigned a value but never used. Allowed unused vars must match *
* is defined but never used
* is defined but never used. Allowed unused args must match *
* is defined but never used. Allowed unused vars must match *
* is never used
* is never reassigned. Use <text> instead.
* is already defined
* was used before it was defined
Unexpected console statement.
Unexpected any. Specify a different type.
Unexpected var, use let or const instead.
Unexpected constant condition.
Unexpected empty object pattern.
Unexpected lexical declaration in case block.
Unexpected control character(s) in regular expression: *
Unnecessary escape character: *
Empty block statement.
Missing return type on function.
Missing semicolon.
Strings must use singlequote.
Strings must use doublequote.
Expected indentation of # spaces but found #.
Expected <text> and instead saw <text>
React Hook * has a missing dependency: ...
React Hook * has missing dependencies: ...
React Hook * is called conditionally. ...
Promises must be awaited, end with a call to .catch, end with a call to .then with a rejection \
handler or be explicitly marked as ignored with the <text> operator.
Replace * with *
Code style issues found in the above file. Run Prettier with --write to fix.
Code style issues found in # files. Run Prettier with --write to fix.
Code style issues found in the above file. ...
Code style issues found in # files. ...
No parser could be inferred for file *
No parser could be inferred for ...
Forgot to run Prettier?
Found # fixable error.
Found # error (# fixable with the <text> option).
Found # errors (# fixable with the <text> option).
Found # error.
Found # errors.
Found # error in # file (checked # source file)
Found # error in # file (checked # source files)
Found # errors in # file (checked # source file)
Found # errors in # file (checked # source files)
Found # errors in # files (checked # source files)
Found # error in # file (errors prevented further checking)
Found # errors in # files (errors prevented further checking)
[*] # fixable with the <text> option.
Would reformat: *
would reformat *
# file would be reformatted
# files would be reformatted
# file would be reformatted, # file already formatted
# file would be reformatted, # files already formatted
# files would be reformatted, # file already formatted
# files would be reformatted, # files already formatted
# file would be reformatted, # files would be left unchanged.
# files would be reformatted, # files would be left unchanged.
cannot format *: ...
Oh no! ...
Failed to parse *: ...
Failed to lint *: ...
Imports are incorrectly sorted and/or formatted.
Import block is un-sorted or un-formatted
* imported but unused
* imported but unused; consider using <text> to test for availability
* may be undefined, or defined from star imports: ...
* used; unable to detect undefined names
Undefined name *
undefined name *
Local variable * is assigned to but never used
local variable * is assigned to but never used
Redefinition of unused * from line #
redefinition of unused * from line #
Line too long (# > #)
line too long (# > # characters)
Line too long (<n><path>)
Trailing whitespace
No newline at end of file
blank line at end of file
Module level import not at top of file
expected # blank lines, found #
expected # blank line, found #
missing whitespace after *
f-string without any placeholders
Do not use bare <text>
do not use bare <text>
Missing module docstring
Missing class docstring
Missing function or method docstring
Missing docstring in public module
Missing docstring in public class
Missing docstring in public function
Missing docstring in public method
Unused import *
Unused variable *
Unused argument *
Unable to import *
No name * in module *
Instance of * has no * member
Instance of * has no * member; maybe *
Too many arguments (<n><path>)
Too many arguments in function definition (# > #)
Too many local variables (<n><path>)
Too many branches (<n><path>)
Too many branches (# > #)
Too many statements (<n><path>)
Too many statements (# > #)
Too many lines in module (<n><path>)
Too many return statements (<n><path>)
Too many return statements (# > #)
<text> is too complex (# > #)
* is too complex (# > #)
Possible hardcoded password assigned to: *
Magic value used in comparison, consider replacing * with a constant variable
Consider using *
Consider using * instead of *
Consider replacing *
Did you really mean *
Use * instead of *
AI vocabulary: ...
AI formalism: ...
Line length
Line length [Expected: #; Actual: #]
Table column style ...
Table column style [...
Incompatible types in assignment (expression has type *, variable has type *)
Incompatible return value type (got *, expected *)
Incompatible default for argument * (default has type *, argument has type *)
Argument # to * has incompatible type *; expected *
Argument * to * has incompatible type *; expected *
Item * of * has no attribute *
Name * is not defined
Name * already defined on line #
Name * already defined (by an import)
Name * already defined (possibly by an import)
Missing return statement
Missing named argument * for *
Missing positional argument * in call to *
Missing positional arguments ... in call to *
Missing type parameters for generic type *
Unexpected keyword argument * for *
Too many arguments for *
Too few arguments for *
Unsupported operand types for * (* and *)
Unsupported left operand type for * (*)
Unsupported right operand type for * (*)
Value of type * is not indexable
Value of type <text> is not indexable
Value of type * must be used
Cannot find implementation or library stub for module named *
Library stubs not installed for *
Skipping analyzing *: module is installed, but missing library stubs or py.typed marker
Function is missing a type annotation
Function is missing a return type annotation
Function is missing a type annotation for one or more arguments
Need type annotation for *
Need type annotation for * (hint: *
Call to untyped function * in typed context
Returning Any from function declared to return *
Unused * comment
Invalid index type * for *; expected type *
List item # has incompatible type *; expected *
Dict entry # has incompatible type *; expected *
No overload variant of * matches argument type *
No overload variant of * matches argument types ...
Module * does not explicitly export attribute *
Module has no attribute *
Module * has no attribute *
Signature of * incompatible with supertype *
Return type * of * incompatible with return type * in supertype *
Statement is unreachable
Right operand of * is never evaluated
Duplicate module named * (also at *)
Source file found twice under different module names: * and *
Cannot access attribute * for class *
Attribute * is unknown
Argument of type * cannot be assigned to parameter * of type * in function *
Type * is not assignable to declared type *
Type * is not assignable to return type *
Import * could not be resolved
Import * could not be resolved from source
* is not a known attribute of module *
* is not a known attribute of <text>
* is not accessed
* is possibly unbound
* is unknown import symbol
Object of type <text> is not subscriptable
Object of type * cannot be used as iterable value
No parameter named *
Expected # positional arguments
Expected # positional argument
Argument missing for parameter *
Arguments missing for parameters ...
Double quote to prevent globbing and word splitting.
Use <text> or <text> in case cd fails.
* appears unused. Verify use (or export if used externally).
* is referenced but not assigned.
Tips depend on target shell and yours is unknown. Add a shebang or a <text> directive.
Prefer single-quoted strings when you don't need string interpolation or special symbols.
# offense detected
# offenses detected
# files inspected, # offenses detected
# file inspected, # offense detected
Diff in * at line #:
Diff in *
Your code does not match the style ...
The contents aren't fixed. ...
File content differs from formatting output
Some errors were emitted while running checks.
Formatter would have printed the following content:
Found # warnings.
Checked # files in *. No fixes applied.
Expected an opening tag but found ...
"""

TABLES = (LINTERS,)
