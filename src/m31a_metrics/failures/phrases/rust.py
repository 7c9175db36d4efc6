"""What the Rust compiler and programs written in Rust say."""

from __future__ import annotations

RUST = """
cannot find value * in this scope
cannot find function * in this scope
cannot find function * in module *
cannot find function * in crate *
cannot find type * in this scope
cannot find type * in module *
cannot find trait * in this scope
cannot find macro * in this scope
cannot find attribute * in this scope
cannot find struct, variant or union type * in this scope
cannot find method * ...
cannot find crate *
cannot find derive macro * in this scope
can't find crate for *
mismatched types
unresolved import *
unresolved imports ...
unresolved name *
failed to resolve: use of undeclared type *
failed to resolve: use of undeclared crate or module *
failed to resolve: use of unresolved module or unlinked crate *
failed to resolve: could not find * in *
failed to resolve: ...
use of undeclared lifetime name *
use of moved value: *
use of partially moved value: *
borrow of moved value: *
borrow of partially moved value: *
cannot borrow * as mutable because it is also borrowed as immutable
cannot borrow * as immutable because it is also borrowed as mutable
cannot borrow * as mutable more than once at a time
cannot borrow * as mutable, as it is not declared as mutable
cannot borrow * as mutable, as it is behind a <text> reference
cannot borrow data in * as mutable
cannot assign to *, which is behind a <text> reference
cannot assign to * because it is borrowed
cannot assign twice to immutable variable *
cannot move out of * because it is borrowed
cannot move out of * which is behind a shared reference
cannot move out of * which is behind a mutable reference
cannot move out of *, a captured variable in an <text> closure
cannot move out of borrowed content
cannot return value referencing local variable *
cannot return reference to local variable *
cannot return value referencing temporary value
cannot infer type
cannot infer type for type parameter *
cannot add * to *
cannot subtract * from *
cannot multiply * by *
cannot apply unary operator * to type *
cannot use the <text> operator ...
* does not live long enough
* is not a member of trait *
* is not an iterator
* is not a future
* doesn't implement *
* cannot be shared between threads safely
* cannot be sent between threads safely
* may not live long enough
lifetime may not live long enough
missing lifetime specifier
missing lifetime specifiers
missing field * in initializer of *
missing fields * and * in initializer of *
missing fields ... in initializer of ...
missing trait item: *
not all trait items implemented, missing: ...
no method named * found for * * in the current scope
no method named * found for ...
no field * on type *
no function or associated item named * found for ...
no associated item named * found for ...
no variant named * found for enum *
no variant or associated item named * found for ...
no rules expected the token *
no rules expected *
no such field: *
the trait bound * is not satisfied
the trait * is not implemented for *
the trait * is not dyn compatible
the size for values of type * cannot be known at compilation time
the name * is defined multiple times
the value of the associated type * must be specified
the method * exists for * *, but its trait bounds were not satisfied
the method * exists for ...
the type of this value must be known in this context
the <text> operator can only be used in ...
the <text> operator can only be applied to ...
type annotations needed
type annotations needed for *
type mismatch resolving *
expected one of ..., found *
expected * of type *
expected expression, found *
expected identifier, found *
expected item, found *
expected pattern, found *
expected value, found *
expected function, found *
expected function, tuple struct or tuple variant, found *
unexpected closing delimiter: *
mismatched closing delimiter: *
this file contains an unclosed delimiter
this function takes # argument but # arguments were supplied
this function takes # arguments but # argument was supplied
this function takes # arguments but # arguments were supplied
this method takes # argument but # arguments were supplied
this method takes # arguments but # argument was supplied
non-exhaustive patterns: ...
unreachable expression
unused import: *
unused imports: ...
unused variable: *
unused <text> that must be used
variable does not need to be mutable
function * is never used
struct * is never constructed
field * is never read
fields ... are never read
constant * is never used
method * is never used
methods ... are never used
enum * is never used
variant * is never constructed
<text> is private
function * is private
field * of struct * is private
module * is private
struct * is private
associated function * is private
method * is private
private type * in public interface
conflicting implementations of trait *
conflicting implementations of trait * for type *
only traits defined in the current crate can be implemented for types defined outside of the crate
recursive type * has infinite size
linking with * failed: exit status: #
linking with * failed: exit code: #
linker * not found
aborting due to previous error
aborting due to # previous error
aborting due to # previous errors
aborting due to # previous errors; # warnings emitted
aborting due to # previous error; # warning emitted
aborting due to # previous error; # warnings emitted
# warning emitted
# warnings emitted
* is not allowed in a const fn
<text> is only allowed inside <text> functions and blocks
format argument must be a string literal
proc-macro derive panicked
couldn't read *: ...
environment variable * not defined at compile time
internal compiler error: ...
thread * panicked at *:
thread * panicked at ...
thread * (*) panicked at *:
thread * has overflowed its stack
called <text> on a <text> value
called <text> on an <text> value: ...
assertion failed: ...
assertion <text> failed
assertion <text> failed: ...
index out of bounds: the len is # but the index is #
attempt to subtract with overflow
attempt to add with overflow
attempt to multiply with overflow
attempt to divide by zero
already borrowed: BorrowMutError
already mutably borrowed: BorrowError
not implemented: ...
not yet implemented
internal error: entered unreachable code
byte index # is not a char boundary; ...
There is no reactor running, must be called from the context of a Tokio # runtime
"""

TABLES = (RUST,)
