"""What git, other version control and the programs of code hosts say."""

from __future__ import annotations

GIT = """
not a git repository
not a git repository (or any of the parent directories): *
not a git repository (or any parent up to mount point *)
Not a git repository. Use --no-index to compare two paths outside a working tree
detected dubious ownership in repository at *
ambiguous argument *: unknown revision or path not in the working tree.
bad revision *
bad object *
bad config line # in file *
bad default revision *
bad numeric config value * for * in file *: invalid unit
unknown revision or path not in the working tree.
Needed a single revision
no such path * in *
path * does not exist in *
path * exists on disk, but not in *
invalid reference: *
invalid refspec *
invalid object name *
invalid upstream *
invalid branch name: *
* is not a valid branch name
* is not a valid tag name.
* is not a valid object name
* is not a commit and a branch * cannot be created from it
* is not a working tree
* is not something we can merge
* is already checked out at *
* is already used by worktree at *
* already exists
* already exists and is not an empty directory.
* contains modified or untracked files, use --force to delete it
* is outside repository at *
* is beyond a symbolic link
* does not appear to be a git repository
* does not have a commit checked out
* did not match any file(s) known to git
pathspec * did not match any files
pathspec * did not match any file(s) known to git
pathspec * is beyond a symbolic link
destination path * already exists and is not an empty directory.
could not create leading directories of *: ...
could not create work tree dir *: ...
could not create directory of *: ...
could not lock config file *: ...
could not open * for reading: ...
could not read *: ...
could not read Username for *: ...
could not read Password for *: ...
could not switch to *: ...
could not parse object *
could not detach HEAD
could not apply *... ...
could not revert *... ...
could not resolve host: *
could not delete reference *
Could not read from remote repository.
Could not resolve host: *
Could not resolve host
Could not write new index file.
cannot lock ref *: ...
cannot lock ref *: is at * but expected *
cannot do a partial commit during a merge.
cannot do a partial commit during a cherry-pick.
cannot combine * and *
cannot be used together
options * and * cannot be used together
cannot open *: ...
cannot pull with rebase: You have unstaged changes.
cannot pull with rebase: Your index contains uncommitted changes.
cannot rebase: You have unstaged changes.
cannot rebase: Your index contains uncommitted changes.
cannot update ref *: ...
cannot delete branch * used by worktree at *
Cannot delete branch * checked out at *
Cannot rebase onto multiple branches.
Cannot fast-forward to multiple branches.
Cannot update paths and switch to branch * at the same time.
Cannot prompt because user interactivity has been disabled.
Exiting because of an unresolved conflict.
Exiting because of unfinished merge.
Not possible to fast-forward, aborting.
Need to specify how to reconcile divergent branches.
Committing is not possible because you have unmerged files.
Pulling is not possible because you have unmerged files.
Cherry-picking is not possible because you have unmerged files.
Merging is not possible because you have unmerged files.
Rebasing is not possible because you have unmerged files.
You have not concluded your merge (MERGE_HEAD exists).
You have not concluded your cherry-pick (CHERRY_PICK_HEAD exists).
You must edit all merge conflicts and then mark them as resolved using git add
you need to resolve your current index first
you must specify a branch name ...
no branch is currently checked out, ...
There is no tracking information for the current branch.
There is no merge to abort (MERGE_HEAD missing).
There is no merge in progress (MERGE_HEAD missing).
No rebase in progress?
no rebase in progress
no cherry-pick or revert in progress
no merge base found
No stash entries found.
no upstream configured for branch *
No configured push destination.
No local changes to save
The current branch * has no upstream branch.
The upstream branch of your current branch does not match the name of your current branch. ...
The following untracked working tree files would be overwritten by merge: ...
The following untracked working tree files would be overwritten by checkout: ...
The following paths are ignored by one of your .gitignore files: ...
The previous cherry-pick is now empty, possibly due to conflict resolution.
The branch * is not fully merged.
the branch * is not fully merged
Your local changes to the following files would be overwritten by merge: ...
Your local changes to the following files would be overwritten by checkout: ...
Your local changes to the following files would be overwritten by cherry-pick: ...
Your local changes would be overwritten by cherry-pick.
Your local changes would be overwritten by merge.
Your configuration specifies to merge with the ref * ...
Updates were rejected because the tip of your current branch is behind ...
Updates were rejected because the remote contains work that you do not have locally. ...
failed to push some refs to *
failed to merge submodule *
Failed to merge in the changes.
Failed to resolve * as a valid ref.
Failed to resolve * as a valid revision.
failed to insert into database
failed to write commit object
[remote rejected] ...
[rejected] ...
! [remote rejected] ...
! [rejected] ...
remote: ~
remote rejected
non-fast-forward
fetch first
stale info
protected branch hook declined
pre-receive hook declined
remote * already exists.
No such remote *
No such remote: *
No such branch: *
branch * not found
branch * not found.
branch * already exists
a branch named * already exists
tag * already exists
tag * not found.
Remote branch * not found in upstream *
couldn't find remote ref *
repository * not found
repository * does not exist
Repository not found.
Authentication failed for *
unable to access *: ...
unable to auto-detect email address (got *)
unable to create *: File exists.
unable to create *: ...
unable to index file *
unable to read tree *
unable to read sha<n> file of *
unable to unlink old *: ...
unable to write file *
unable to write new index file
unable to find remote helper for *
unable to look up *
unable to resolve reference *: ...
empty ident name (for *) not allowed
Author identity unknown
Please tell me who you are.
Another git process seems to be running in this repository, ...
Aborting commit due to empty commit message.
empty commit message
nothing to commit, working tree clean
nothing added to commit but untracked files present ...
no changes added to commit ...
On branch *
terminal prompts disabled
terminal is dumb, but EDITOR unset
There was a problem with the editor *
the remote end hung up unexpectedly
The remote end hung up unexpectedly
early EOF
index-pack failed
index file smaller than expected
pack has # unresolved deltas
protocol error: ...
RPC failed; ...
refusing to merge unrelated histories
refusing to update checked out branch: *
refusing to fetch into branch * checked out at *
reference is not a tree: *
reference broken
Reference already exists
unmerged files
your current branch * does not have any commits yet
your index file is unmerged
corrupt patch at line #
patch failed: *
patch does not apply
* patch does not apply
* does not match index
* does not exist in index
* already exists in index
* already exists in working directory
* needs merge
* needs update
unrecognized input
unrecognized argument: *
No valid patches in input (allow with <text>)
No valid patches in input
corrupt loose object *
loose object * (stored in *) is corrupt
object file * is empty
Server does not allow request for unadvertised object *
No url found for submodule path * in .gitmodules
Submodule path *: ...
clone of * into submodule path * failed
exec format error
cannot run *: No such file or directory
cannot spawn *: No such file or directory
hook declined
CONFLICT (content): Merge conflict in ...
CONFLICT (add/add): Merge conflict in ...
CONFLICT (modify/delete): ...
CONFLICT (rename/delete): ...
CONFLICT (rename/rename): ...
CONFLICT (rename/add): ...
CONFLICT (file/directory): ...
CONFLICT (submodule): Merge conflict in ...
Automatic merge failed; fix conflicts and then commit the result.
Permission denied (publickey).
Permission denied (publickey,password).
Permission denied (publickey,keyboard-interactive).
Permission to * denied to *
Host key verification failed.
Support for password authentication was removed on August #, #.
Invalid username or password.
Invalid username or token. Password authentication is not supported for Git operations.
Failed to connect to * port # after # ms: ...
Failed to connect to * port #: ...
switch * requires a value
unknown option: *
unknown switch *
unknown subcommand: *
unknown subcommand: <text>
* is not a git command. See <text>
* is not a git command
usage: git ...
early exit
batch response: ...
smudge filter lfs failed
external filter * failed #
external filter * failed
clean filter * failed
encountered old-style * that should be a file
this operation must be run in a work tree
The <text> command requires a working directory.
Unable to create *: File exists.
Unable to find current revision in submodule path *
this exceeds GitHub's file size limit of # MB
File * is # MB; ...
GH<n>: ~
Large files detected. ...
push declined due to repository rule violations
Push cannot contain secrets
Changes must be made through a pull request.
Required status check ...
At least # approving review is required by reviewers with write access.
Cannot force-push to this branch
"""

HOSTS = """
Bad credentials
Bad credentials (*)
Not Found (*)
Resource not accessible by integration
Resource not accessible by personal access token
Resource protected by organization SAML enforcement. ...
Requires authentication
Must have admin rights to Repository.
Validation Failed
Validation Failed (*)
API rate limit exceeded for ...
API rate limit already exceeded for ...
You have exceeded a secondary rate limit. ...
You have exceeded a secondary rate limit ...
Branch not protected
Branch not found
Git Repository is empty.
No commit found for SHA: *
No commits between * and *
Reference does not exist
Reference update failed
Head sha can't be blank
Problems parsing JSON
Body should be a JSON object
GraphQL: ~
Could not resolve to a Repository with the name *
Could not resolve to a PullRequest with the number of #.
Could not resolve to an Issue with the number of #.
Could not resolve to an issue or pull request with the number of #.
Could not resolve to a User with the login of *
Could not resolve to a node with the global id of *
Could not resolve to a ProjectV<n> with the number #.
Projects (classic) is being deprecated in favor of the new Projects experience, see: ...
A pull request already exists for *
a pull request for branch * into branch * already exists: ...
Pull request is not mergeable: ...
Pull Request is not mergeable
Pull request is in clean status
Pull request Auto merge is not allowed for this repository
Pull request # is not mergeable: ...
Base branch was modified. Review and try the merge again.
The base branch policy prohibits the merge.
Head branch was modified. Review and try the merge again.
Can not approve your own pull request
Review Can not approve your own pull request
no pull requests found for branch *
no open pull requests found for branch *
no checks reported on the * branch
no git remotes found
no releases found
release not found
could not find any workflows named *
could not find any workflow run artifacts
could not determine base repository
could not determine current branch: ...
could not prompt: Invalid option
failed to determine base repo: ...
failed to get runs: ...
failed to run git: ...
failed to fork: ...
none of the git remotes configured for this repository point to a known GitHub host. ...
must be on a branch named differently than *
must first push the current branch to a remote, or use the --head flag
run # is still in progress; logs will be available when it is complete
run # cannot be rerun; ...
run # failed
log not found: *
Unknown JSON field: *
unknown command * for *
accepts # arg(s), received #
accepts at most # arg(s), received #
accepts between # and # arg(s), received #
requires at least # arg(s), only received #
required flag(s) * not set
flag needs an argument: *
invalid argument * for * flag: ...
if any flags in the group [%] are set none of the others can be; ...
if any flags in the group [* *] are set none of the others can be; ...
if any flags in the group [* * *] are set none of the others can be; ...
specify only one of ...
argument required when not running interactively
--body or --body-file required when not running interactively
must provide <text> and <text> (or <text>) when not running interactively
must provide --title and --body (or --fill or fill-first or --fillverbose) when not running \
interactively
To get started with GitHub CLI, please run: ...
To use GitHub CLI in a GitHub Actions workflow, set the GH_TOKEN environment variable. ...
error connecting to *
This API operation needs the * scope. ...
Your token has not been granted the required scopes to execute this query. ...
"""

TABLES = (GIT, HOSTS)
