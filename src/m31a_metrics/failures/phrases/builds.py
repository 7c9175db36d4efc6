"""What build tools, task runners and other package managers say."""

from __future__ import annotations

BUILDS = """
could not find <text> in * or any parent directory
could not find * in registry * with version *
could not compile * due to # previous error
could not compile * due to # previous errors
could not compile * (*) due to # previous error
could not compile * (*) due to # previous errors
could not compile * (*) due to # previous error; # warning emitted
could not compile * (*) due to # previous error; # warnings emitted
could not compile * (*) due to # previous errors; # warning emitted
could not compile * (*) due to # previous errors; # warnings emitted
could not compile * (* *) due to # previous error
could not compile * (* *) due to # previous errors
could not compile * (...
could not compile *
no matching package named * found
no bin target named *
no example target named *
no test target named *
no such command: *
no targets specified in the manifest
failed to parse manifest at *
failed to select a version for *
failed to select a version for the requirement *
failed to load manifest for workspace member *
failed to load source for dependency *
failed to get * as a dependency of package *
failed to read *
failed to download from *
failed to run custom build command for *
failed to verify package tarball
failed to publish to registry at *
package ID specification * did not match any packages
package * cannot be built because it requires rustc # or newer, ...
the lock file * needs to be updated but --locked was passed to prevent this
the package * does not contain this feature: *
the option * is only accepted on the nightly compiler ...
toolchain * is not installed
component * for target * is unavailable for download for channel *
target * not found in channel. ...
build failed, waiting for other jobs to finish...
build failed
current package believes it's in a workspace when it's not:
unexpected argument * found
unrecognized subcommand *
the following required arguments were not provided:
the argument * cannot be used with *
invalid value * for *: ...
invalid value * for * [possible values: ...
a value is required for * but none was supplied
unable to proceed. could not locate working directory.
test failed, to rerun pass *
# target failed:
No rule to make target *
No rule to make target *, needed by *
*** No rule to make target *
*** No rule to make target *, needed by *
*** No targets specified and no makefile found.
*** No targets.
*** missing separator.
*** missing separator (did you mean TAB instead of # spaces?).
*** multiple target patterns.
*** unterminated call to function *: missing *
*** recipe commences before first target.
*** target pattern contains no <text>
*** No such file or directory.
*** Error #
*** [%] Error #
*** [Makefile:#: %] Error #
*** [%:#: %] Error #
*** [* *] Error # (ignored)
*** [* *] Terminated
*** [* *] Killed
*** [* *] Segmentation fault
[%] Error #
*** Waiting for unfinished jobs....
*** Recursive variable * references itself (eventually).
Circular * <- * dependency dropped.
Entering directory *
Leaving directory *
ninja: build stopped: subcommand failed.
build stopped: subcommand failed.
build stopped: interrupted by user.
unknown target *
unknown target *, did you mean *
loading <text>: ...
*, needed by *, missing and no known rule to make it
CMake Error at * (*):
CMake Error: ~
The source directory * does not appear to contain <path>.
Could not find a package configuration file provided by * with any of the following names: ...
Configuring incomplete, errors occurred!
Cannot find source file: *
BUILD FAILURE
BUILD FAILED
BUILD FAILED in *
FAILURE: Build failed with an exception.
Build failed with an exception.
Build completed with # failure.
Build completed with # failures.
Execution failed for task *
Could not determine the dependencies of task *
Could not resolve all files for configuration *
Could not resolve all dependencies for configuration *
Could not resolve *
Could not find *
Could not find or load main class *
Could not find method * for arguments * on ...
Task * not found in root project *
Task * not found in project *
Compilation failed; see the compiler error output for details.
Compilation error. See log for more details
Compilation failure
There were failing tests. See the report at: *
There are test failures.
> Task * FAILED
Failed to execute goal * on project *: ...
Failed to execute goal * (*) on project *: ...
Non-resolvable parent POM for *: ...
Could not find artifact * in *
The goal you specified requires a project to execute but there is no POM in this directory ...
No plugin found for prefix * ...
Unknown lifecycle phase *
Unsupported class file major version #
JAVA_HOME is not set and no <text> command could be found in your PATH.
JAVA_HOME is set to an invalid directory: *
Unable to access jarfile *
Could not create the Java Virtual Machine.
A fatal exception has occurred. Program will exit.
Could not locate Gemfile
Could not locate Gemfile or <path> directory
Could not find gem * in ...
Could not find gem *
Could not find * in any of the sources
Could not find * in locally installed gems
Your Ruby version is #, but your Gemfile specified #
Gem::Ext::BuildError: ERROR: Failed to build gem native extension.
Failed to build gem native extension.
Don't know how to build task *
Don't know how to build task * (See the list of available tasks with <text>)
Your requirements could not be resolved to an installable set of packages.
Composer could not find a <path> file in *
The project file could not be loaded. ...
Project file does not exist.
Couldn't find a project to run. ...
No project was found. ...
The current .NET SDK does not support targeting *
Unable to find package *
Unable to locate package *
Package * has no installation candidate
Package * is not available, but is referred to by another package.
Unable to acquire the dpkg frontend lock (*), is another process using it?
Could not get lock *
Could not open lock file * - open (*: Permission denied)
Sub-process * returned an error code (#)
Unmet dependencies. Try <text> with no packages (or specify a solution).
No available formula with the name *
No available formula or cask with the name *
It seems there is already an App at *
* is already installed
* not installed
No such keg: *
Justfile does not contain recipe *
justfile does not contain recipe *
Recipe * failed on line # with exit code #
Recipe * failed with exit code #
No justfile found
Recipe * could not be run because just could not find the shell: ...
no task named * found
no task * found
no tasks defined
task * failed
Task * does not exist
Task failed to run: ...
Failed to run task *: ...
task: Failed to run task *: exit status #
mise ERROR ~
ERROR task failed
[%] ERROR task failed
[%] exited with code #
[%] exited with non-zero status: exit code #
* command exited (#)
command (*) * exited (#)
run failed: command exited (#)
Ran target * for project * - FAILED
Running target * for project * failed
hook id: *
- hook id: *
- exit code: #
- files were modified by this hook
files were modified by this hook
husky - * hook exited with code #
husky - * hook failed (code #)
husky - * script failed (code #)
pre-commit hook failed (add --no-verify to bypass)
subject may not be empty
type may not be empty
"""

TABLES = (BUILDS,)
