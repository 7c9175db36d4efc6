"""What the tools of coding agents say."""

from __future__ import annotations

CLAUDE_CODE = """
Permission denied by the user
Permission denied by auto mode
Permission denied by a rule
Permission denied by a hook
Permission not granted
Claude requested permissions to ...
The user doesn't want to proceed with this tool use. ...
The user doesn't want to take this action right now. ...
The user said:
The tool use was rejected. The user said:
The tool use was rejected. ...
User rejected tool use
User rejected *
Request interrupted by user
[Request interrupted by user]
[Request interrupted by user for tool use]
[Request interrupted by user ...
Tool execution aborted
Tool execution failed
Tool execution failed: ~
Tool execution failed with error: ~
Tool call failed
Tool call failed: ~
Tool failed
Tool error: ~
Tool not found
Tool not found: *
Tool * not found
Tool * does not exist
Tool ran without output or errors
Unknown tool
Unknown tool: *
unknown tool: *
No such tool available: *
No tool named *
Sibling tool call errored
Cancelled: parallel tool call * errored
Cancelled: parallel tool call ...
Cancelled: ...
InputValidationError: ~
% failed due to the following issue:
% failed due to the following issues:
The required parameter * is missing
The parameter * type is expected as * but provided as *
An unexpected parameter * was provided
String to replace not found in file.
String to replace not found in file
String to replace not found in file. ...
Found # matches of the string to replace, but replace_all is false. ...
No changes to make: old_string and new_string are exactly the same.
No changes to make
Cannot create new file - file already exists.
old_string and new_string are exactly the same
File has not been read yet. Read it first before writing to it.
File has not been read yet.
Read it first before writing to it.
File has been modified since read, either by the user or by a linter. Read it again before \
attempting to write it.
File has been modified since read, either by the user or by a linter.
File has been modified since read
File has been unexpectedly modified. ...
File does not exist.
File does not exist. Did you mean *
File does not exist. Current working directory: *
File does not exist. Current working directory: * Did you mean *
File does not exist. Note: your current working directory is *
Did you mean *
Did you mean * instead?
Current working directory: *
File content (# tokens) exceeds maximum allowed tokens (#). ...
File content (*) exceeds maximum allowed size (*). ...
File content (*) exceeds maximum allowed size (#). ...
Output too large (*). ...
Output too large ...
Line # exceeds maximum allowed length
Please use offset and limit parameters to read specific portions of the file, ...
Wasted call ...
File is a Jupyter Notebook. Use the NotebookEdit tool to edit this file.
File is a Jupyter Notebook. ...
This tool cannot read binary files. ...
This file is unchanged since last read
Path does not exist: *
Path is not a directory: *
Path must be absolute: *
Path is outside of allowed working directories
Directory does not exist: *
Directory does not exist: * Current working directory: *
* in * was blocked. For security, Claude Code may only ...
cd in * was blocked. For security, Claude Code may only ...
Blocked: ...
Command contains multiple operations that require approval
This command requires approval
This Bash command contains multiple operations. The following parts require approval: ...
This Bash command contains multiple operations. ...
Bash command permission check failed ...
Output redirection to * was blocked. For security, Claude Code may only write to files in the \
allowed working directories ...
Shell cwd was reset to *
No shell found with ID: *
No task found with ID: *
No task output found for task ID: *
Shell * is not running, so cannot be killed (status: *)
Shell * has already completed
Background command * was stopped
Task * is not running (status: *)
Task not found
Agent type * not found. Available agents: ...
Agent type * not found.
Agent * not found
No agent found matching *
Agent terminated early due to an API error: ...
Subagent failed
Unknown skill
Unknown skill: *
Skill * not found
Unknown slash command: *
Skill * cannot be used with Skill tool due to disable-model-invocation
Execute skill: *
Exit plan mode?
You are not in plan mode. ...
Error writing file
Error reading file
Error editing file
Error: Error writing file
Error calling tool *: ~
Error calling tool * (*): ~
Error executing tool *: ~
Error executing tool *
Error executing MCP tool *: ~
Error during web search: ~
Error parsing glob: ...
MCP error -#: ~
MCP error -<n>: ~
MCP error <n>: ~
MCP error -<n>
MCP server * not found
MCP tool * not found
MCP tool call failed
Unable to connect to MCP server
Not connected
Method not found
Invalid params
Unable to verify if domain * is safe to fetch. ...
Claude Code is unable to fetch from *
Domain * is not safe to fetch
Unable to fetch from *
maxContentLength size of # exceeded
Failed to fetch *
Redirect detected: ...
Web search error: ~
hook error: ~
PreToolUse:* hook error: ~
PostToolUse:* hook error: ~
PreToolUse:* hook blocking error from command: ...
PostToolUse:* hook blocking error from command: ...
PreToolUse:* hook returned blocking error
Hook * denied this tool
Operation stopped by hook: ...
Conversation too long. ...
Context limit reached
Response exceeded the maximum output tokens
Claude's response exceeded the # output token maximum. ...
* is temporarily unavailable, so auto mode cannot determine the safety of * right now. Wait \
briefly and then try this action again. ...
auto mode cannot determine the safety of * right now. ...
Auto mode could not evaluate this action and is blocking it for safety
LSP server * not found
No LSP server available for file type: *
No symbol found at position
todos must be an array
Cell with ID * not found in notebook.
Cell with index * does not exist in notebook.
Notebook is not valid JSON.
Invalid notebook format
Ripgrep search timed out after # seconds. ...
rg error (signal: *, code: *): ...
Invalid regular expression ...
Invalid regex pattern ...
Invalid glob pattern ...
javascript_tool failed: ~
screenshot failed: ~
navigate failed: ~
click failed: ~
computer failed: ~
read_page failed: ~
find failed: ~
Screenshot timed out after *: the Browser pane is not displayed, so the page is not compositing \
frames. Display the pane and retry.
Screenshot timed out after *: ...
no read_page tree cached; call read_page first
Tab no longer exists
No tab available
No active tab found
Browser extension is not connected. ...
Protocol error (*): ~
Execution context was destroyed, most likely because of a navigation.
Element not found
Element not found: ...
Navigation timeout of # ms exceeded
Timeout #ms exceeded.
Could not find referenced Issue.
Entity not found: * - Could not find referenced *.
Entity not found: *
"""

OTHERS = """
apply_patch verification failed: ~
apply_patch failed: ~
Failed to find expected lines in *:
Failed to find expected lines in *
Failed to find context * in *
Failed to find context * in *: ...
Failed to read file to update *: ...
Failed to read *: ...
Failed to write file *: ...
Failed to write file *
Failed to delete file *
Failed to apply patch
Failed to parse patch
invalid patch: ...
invalid hunk at line #, ...
The first line of the patch must be *
The last line of the patch must be *
No files were modified.
execution error: ~
exec_command failed: ~
exec_command failed for *: ...
CreateProcess { message: * }
CreateProcess failed: ...
failed in sandbox: ~
failed in sandbox ...
sandbox error: ~
sandbox denied exec error, exit code: #, ...
command failed; retry without sandbox?
write_stdin failed: ~
Unknown process id *
unified exec process limit reached
failed to parse function arguments: ...
failed to parse exec_command arguments: ...
unsupported call: *
rejected by user
exec command rejected by user
patch rejected by user
patch rejected: ...
rejected: blocked by policy
Command blocked by PreToolUse hook: ...
Tool call blocked by PreToolUse hook: ...
This action was rejected due to unacceptable risk. ...
user rejected MCP tool call
user cancelled MCP tool call
unable to locate image at *: ...
unable to process image at *: ...
collab agent spawn failed: ...
tool call error: ~
tool call failed for *
timeout waiting for child process to exit
stream disconnected before completion: ...
exceeded retry limit, last status: ...
Selected model is at capacity. Please try a different model.
You've hit your usage limit. ...
Failed to edit, could not find the string to replace.
Failed to edit, <n> occurrences found for old_string in *. ...
Failed to edit, <n> occurrences found
Failed to edit, <n> occurrences found for old_string
Failed to edit, <n> occurrences found ...
Failed to edit, expected # occurrence but found #.
Failed to edit, Expected # occurrence but found # for old_string in file: *
No changes to apply. The old_string and new_string are identical in file: *
No changes to apply.
Attempted to create a file that already exists.
Attempted to create a file that already exists: *
File path must be within one of the workspace directories: ...
File path must be within the workspace directories ...
File path must be absolute: *
File path must be absolute, but was relative: *. You must provide an absolute path.
File path is outside workspace
Path not in workspace: ...
File size exceeds the <n> MB limit: *
File is too large
Path is a directory, not a file
Path is not a directory
Failed to list directory: ...
Directory path must be absolute: *
Directory must be a valid directory ...
Error during glob search operation: ...
Error during grep search operation: ...
Error fetching *
Error during fallback fetch for *: ...
Error listing directory: ...
Error reading from clipboard
Command rejected because it could not be parsed safely
Command substitution using $(), ...
Command is not allowed: *
Tool execution denied by policy.
Tool execution denied by policy. ...
Tool execution blocked: ...
Tool execution was blocked
Agent execution stopped by hook: ...
Tool execution was cancelled by the user
User did not allow tool call
User cancelled
User denied execution.
[Operation Cancelled] Reason: ...
params must have required property *
Tool * not found in registry.
Tool * not found in registry. Tools must use the exact names that are registered. Did you mean ...
The model produced an invalid tool call
The user rejected permission to use this specific tool call.
The user rejected permission to use this specific tool call with the following feedback: ...
The user dismissed this question
The user has specified a rule which prevents you from using this specific tool call. ...
Tool execution was interrupted
You must read the file * before overwriting it. Use the Read tool first
You must read file * before overwriting it. Use the Read tool first
File * has been modified since it was last read. ...
oldString not found in content
oldString not found in content or was found multiple times
oldString found multiple times ...
Found multiple matches for oldString. ...
Could not find oldString in the file. It must match exactly, ...
No changes to apply: oldString and newString are identical.
oldString and newString must be different
The * tool was called with invalid arguments: ...
Model tried to call unavailable tool * Available tools: ...
Cannot read binary file: *
shell tool terminated command after exceeding timeout # ms
Could not find the exact text in *. The old text must match exactly including all whitespace and \
newlines.
Could not find the exact text in *
Could not find edits[#] in *. ...
Found # occurrences of the text in *. The text must be unique. ...
No changes made to *. The replacement produced identical content. ...
Offset # is beyond end of file (# lines total)
shellId: ~
shellId: # ~
<shellId: # completed with exit code #>
was already stopped via stop_bash.
completed with exit code #
Invalid shell ID: *
No shell session found
Path already exists
No match found
Multiple matches found
Path is not a file
Invalid session ID: ...
User feedback:
The user rejected this tool call.
Denied by preToolUse hook: ...
Denied by preToolUse hook
Permission denied and could not request permission from user
Tool is not available
Input must be provided either through stdin or as a prompt argument when using --print
Please run <path>
Working directory has uncommitted changes:
"""

TABLES = (CLAUDE_CODE, OTHERS)
