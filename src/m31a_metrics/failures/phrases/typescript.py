"""What the TypeScript compiler says."""

from __future__ import annotations

COMPILER = """
Type * is not assignable to type *
Type * is not assignable to type * with <text> ...
Argument of type * is not assignable to parameter of type *
Argument of type * is not assignable to parameter of type * with <text> ...
Property * does not exist on type *
Property * does not exist on type * Did you mean *
Property * is missing in type * but required in type *
Property * is private and only accessible within class *
Property * is protected and only accessible within class * and its subclasses.
Property * has no initializer and is not definitely assigned in the constructor.
Property * is used before its initialization.
Property * of type * is not assignable to *
Type * is missing the following properties from type *: ...
Type * has no properties in common with type *
Type * has no call signatures.
Type * does not satisfy the constraint *
Type * is not generic.
Type * cannot be used as an index type.
Type * must have a <text> method that returns an iterator.
Generic type * requires # type argument(s).
Generic type * requires between # and # type arguments.
Cannot find name *
Cannot find name * Did you mean *
Cannot find name * Do you need to install type definitions for ...
Cannot find name * Do you need to change your target library? ...
Cannot find namespace *
Cannot find module * or its corresponding type declarations.
Cannot find module * Consider using <text> to import module with <text> extension.
Could not find a declaration file for module * * implicitly has an <text> type.
Could not find a declaration file for module *
Module * has no exported member *
Module * has no exported member * Did you mean *
Module * has no default export.
Module * was resolved to * but <text> is not set.
Module * declares * locally, but it is not exported.
File * is not a module.
File * not found.
File * is not under <text> ...
Object literal may only specify known properties, and * does not exist in type *
Object literal may only specify known properties, but * does not exist in type * Did you mean ...
Object is possibly <text>
Object is possibly <text> or <text>
Object is of type <text>
* is possibly <text>
* is possibly <text> or <text>
* is of type <text>
* is declared but its value is never read.
* is declared but never used.
All imports in import declaration are unused.
All destructured elements are unused.
* implicitly has an <text> type.
* implicitly has type <text> because it does not have a type annotation and ...
Parameter * implicitly has an <text> type.
Variable * implicitly has an <text> type.
Variable * implicitly has type <text> in some locations where its type cannot be determined.
Variable * is used before being assigned.
Binding element * implicitly has an <text> type.
Element implicitly has an <text> type because expression of type * can't be used to index type *
Element implicitly has an <text> type because type * has no index signature.
Element implicitly has an <text> type because index expression is not of type <text>
Expected # arguments, but got #.
Expected #-# arguments, but got #.
Expected at least # arguments, but got #.
Expected # type arguments, but got #.
No overload matches this call.
No overload expects # arguments, ...
This expression is not callable.
This expression is not constructable.
This condition will always return <text> ...
This comparison appears to be unintentional because the types * and * have no overlap.
This kind of expression is always truthy.
This kind of expression is always falsy.
The left-hand side of an arithmetic operation must be of type ...
The right-hand side of an arithmetic operation must be of type ...
The operand of a <text> operator must be optional.
Operator * cannot be applied to types * and *
Conversion of type * to type * may be a mistake because neither type sufficiently overlaps ...
Spread types may only be created from object types.
A spread argument must either have a tuple type or be passed to a rest parameter.
A function whose declared type is neither <text> nor <text> must return a value.
Not all code paths return a value.
Function lacks ending return statement and return type does not include <text>
Unreachable code detected.
Fallthrough case in switch.
Cannot redeclare block-scoped variable *
Duplicate identifier *
Duplicate function implementation.
Duplicate property names ...
Cannot assign to * because it is a constant.
Cannot assign to * because it is a read-only property.
Cannot assign to * because it is an import.
Cannot invoke an object which is possibly <text>
Cannot use JSX unless the <text> flag is provided.
Cannot use namespace * as a type.
Cannot write file * because it would overwrite input file.
Class * incorrectly implements interface *
Class * incorrectly extends base class *
Non-abstract class * does not implement inherited abstract member * from class *
Interface * incorrectly extends interface *
Abstract methods can only appear within an abstract class.
JSX element * has no corresponding closing tag.
JSX element type * does not have any construct or call signatures.
JSX expressions must have one parent element.
* cannot be used as a JSX component.
* refers to a value, but is being used as a type here. Did you mean <text> ...
* only refers to a type, but is being used as a value here.
* only refers to a type, but is being used as a value here. Do you need ...
* cannot be used as a value because it was imported using <text>
* is a type and must be imported using a type-only import when <text> is enabled.
* has no exported member named *
* has no exported member named * Did you mean *
* is not assignable to the constraint of type *
* can only be used in TypeScript files.
Declaration or statement expected.
Expression expected.
Identifier expected.
Argument expression expected.
Property assignment expected.
Type expected.
Variable declaration expected.
Unterminated string literal.
Unterminated template literal.
Unexpected token.
Unexpected token. Did you mean ...
Unexpected keyword or identifier.
Invalid character.
<text> expected.
Unknown compiler option *
No inputs were found in config file *
Option * is deprecated and will stop functioning in TypeScript #. ...
Option * can only be used when ...
Cannot read file *
Unused <text> directive.
Found # error in *
Found # errors in # files.
Found # errors in the same file, starting at: *
Found # error. Watching for file changes.
"""

TABLES = (COMPILER,)
