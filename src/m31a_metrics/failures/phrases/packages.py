"""What the package managers of JavaScript and Python say."""

from __future__ import annotations

JAVASCRIPT = """
npm error ~
npm ERR! ~
npm warn ~
npm WARN ~
npm notice ~
code ELIFECYCLE
code ERESOLVE
code ENEEDAUTH
code EUSAGE
code ENOENT
code EACCES
code EPERM
code EEXIST
code EINTEGRITY
code ETARGET
code EJSONPARSE
code EBADENGINE
code EBADPLATFORM
code EOTP
code EPUBLISHCONFLICT
code ENOWORKSPACES
code ENOVERSION
code EINVALIDTAGNAME
code EINVALIDPACKAGENAME
code EUNSUPPORTEDPROTOCOL
code EALLOWGIT
code ECONNRESET
code ECONNREFUSED
code ETIMEDOUT
code ENOTFOUND
code EAI_AGAIN
code ENOSPC
code EMFILE
code ENOTEMPTY
code EISDIR
code ENOTDIR
code EROFS
code E#
code #
errno #
errno -#
npm error path *
npm ERR! path *
npm error syscall *
npm ERR! syscall *
npm error signal *
npm ERR! signal *
Lifecycle script * failed with error:
npm error workspace *
npm ERR! workspace *
npm error location *
npm ERR! location *
command sh -c ...
could not determine executable to run
could not resolve
While resolving: ...
Conflicting peer dependency: ...
Could not resolve dependency: ...
Fix the upstream dependency conflict, or retry this command with --force or --legacy-peer-deps
unable to resolve dependency tree
missing script: *
No workspaces found: ...
No workspaces found!
This command requires you to be logged in to *
need auth This command requires you to be logged in to *
# Not Found - *
# Forbidden - *
# Unauthorized - *
# Not Found - GET *
# Not Found - PUT *
# Forbidden - PUT *
# Unauthorized - PUT *
# Unauthorized - GET *
You do not have permission to publish *. Are you logged in as the correct user?
You cannot publish over the previously published versions: *
You must sign up for private packages
No matching version found for *
Invalid package name *
Invalid <path>: ...
Unsupported URL Type *
Unsupported engine
Unsupported platform for *: ...
peer dep missing: ...
The <path> file was created with an old version of npm
The <text> command can only install with an existing <path> or ...
<text> can only install packages when your <path> and <path> or <path> are in sync. ...
Tracker <text> already exists
cb() never called!
Exit handler never called!
Test failed. See above for more details.
No test specified
This probably is not a problem with npm. There is likely additional logging output above.
A complete log of this run can be found in: ...
Unknown command: *
not ok code #
Git working directory not clean.
Version not changed
Invalid version: *
Remember to login with ...
Command <text> not found
Command * not found
Command * not found.
Couldn't find a <path> file in *
Couldn't find a script named *
Couldn't find any versions for * that matches *
Couldn't find package * on the <text> registry.
Your lockfile needs to be updated, but yarn was run with <text>
The lockfile would have been modified by this install, which is explicitly forbidden.
Usage Error: ...
Internal Error: ...
Lockfile is out of date
Cannot install with <text> because <path> is not up to date with ...
ERR_PNPM_NO_SCRIPT Missing script: *
ERR_PNPM_RECURSIVE_EXEC_FIRST_FAIL Command failed with exit code #: ...
ERR_PNPM_RECURSIVE_EXEC_FIRST_FAIL Command * not found
ERR_PNPM_RECURSIVE_RUN_FIRST_FAIL ...
ERR_PNPM_NO_IMPORTER_MANIFEST_FOUND No <path> ...
ERR_PNPM_NO_PKG_MANIFEST No <path> found in *
ERR_PNPM_OUTDATED_LOCKFILE Cannot install with <text> because <path> is not up to date with ...
ERR_PNPM_LOCKFILE_CONFIG_MISMATCH ...
ERR_PNPM_PEER_DEP_ISSUES Unmet peer dependencies
ERR_PNPM_NO_MATCHING_VERSION No matching version found for *
ERR_PNPM_BAD_PM_VERSION ...
ERR_PNPM_UNSUPPORTED_ENGINE Unsupported environment (bad pnpm and/or <path> version)
None of the selected packages has a <text> script
lockfile had changes, but lockfile is frozen
failed to resolve
No version matching * found for specifier * (but package exists)
* failed to resolve
GET * - #
Workspace dependency * not found
"""

PYTHON = """
Could not find a version that satisfies the requirement *
Could not find a version that satisfies the requirement * (from versions: none)
Could not find a version that satisfies the requirement * (from versions: ...
No matching distribution found for *
Cannot install * because these package versions have conflicting dependencies.
Cannot install * and * because these package versions have conflicting dependencies.
ResolutionImpossible: ...
pip's dependency resolver does not currently take into account all the packages that are \
installed. ...
Could not install packages due to an OSError: ...
Could not open requirements file: ...
Could not build wheels for ...
Failed building wheel for *
Failed to build installable wheels for some <path> based projects (*)
Failed to build *
subprocess-exited-with-error
metadata-generation-failed
externally-managed-environment
legacy-install-failure
build-dependency-not-installed
Encountered error while generating package metadata.
Getting requirements to build wheel did not run successfully.
Preparing metadata (<path>) did not run successfully.
Building wheel for * (<path>) did not run successfully.
Failed to build wheel for *
This environment is externally managed
Package * requires a different Python: # not in *
* is not a supported wheel on this platform.
* does not appear to be a Python project: neither <text> nor <text> found.
Invalid requirement: *
Directory * is not installable. Neither <text> nor <text> found.
THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. ...
Uninstalling a distutils installed project (*) has been known to be ...
Cannot uninstall *, RECORD file not found. ...
Microsoft Visual C++ # or greater is required. ...
No solution found when resolving dependencies:
No solution found when resolving tool dependencies:
No solution found when resolving script dependencies:
Failed to spawn: *
Failed to prepare distributions
Failed to download *
Failed to fetch: *
Failed to parse: *
Failed to resolve dependencies for * ...
Failed to read <text> from *
The lockfile at <text> needs to be updated, but <text> was provided. ...
Unable to find lockfile at <text> ...
No virtual environment found; run <text> to create an environment, or pass <text> to install \
into a non-virtual environment
No virtual environment found for ...
No virtual environment found
No <path> found in current directory or any parent directory
No <text> found in current directory or any parent directory
No project table found in: *
No interpreter found for ...
No interpreter found in ...
Because * depends on ...
Because * was not found in the package registry and ...
Distribution not found at: *
Request failed after # retries
Poetry could not find a <path> file in * or its parents
<path> changed significantly since <path> was last generated. ...
The current project's supported Python range (*) is not compatible with ...
EnvironmentLocationNotFound: ...
PackagesNotFoundError: ...
ResolvePackageNotFound: ...
CondaError: Run <text> before <text>
Error while loading conda entry point: ...
Package not found: *
HTTPError: # Forbidden from *
InvalidDistribution: ...
"""

TABLES = (JAVASCRIPT, PYTHON)
