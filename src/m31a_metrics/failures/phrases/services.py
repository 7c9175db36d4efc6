"""What containers, clouds and databases say."""

from __future__ import annotations

CONTAINERS = """
Error response from daemon: ~
error during connect: ~
Cannot connect to the Docker daemon at *. Is the docker daemon running?
Cannot connect to the Docker daemon. Is the docker daemon running on this host?
failed to connect to the docker API at *; ...
permission denied while trying to connect to the Docker daemon socket at *: ...
permission denied while trying to connect to the docker API at *
Got permission denied while trying to connect to the Docker daemon socket ...
No such container: *
No such image: *
No such object: *
No such network: *
no such service: *
network * not found
service * is not running
service * is not running container #
service * refers to undefined network *: invalid compose project
service * refers to undefined volume *: invalid compose project
service * has neither an image nor a build context specified: invalid compose project
service * didn't complete successfully: exit #
container * is not running
container * is unhealthy
Container * is not running
dependency failed to start: ...
pull access denied for *, repository does not exist or may require <text> ...
pull access denied for * ...
repository * not found: ...
manifest for * not found: manifest unknown: ...
manifest unknown
no matching manifest for * in the manifest list entries
failed to resolve reference *: ...
failed to solve: ...
failed to solve with frontend *: ...
failed to compute cache key: ...
failed to calculate checksum of ref *: ...
failed to read dockerfile: ...
failed to register layer: ...
failed to create task for container: ...
failed to set up container networking: ...
unable to prepare context: ...
process * did not complete successfully: exit code: #
The command * returned a non-zero code: #
the input device is not a TTY
port is already allocated
Ports are not available: ...
driver failed programming external connectivity on endpoint *: ...
Bind for * failed: port is already allocated
Conflict. The container name * is already in use by container *. ...
Conflict. The container name * is already in use by container ...
OCI runtime exec failed: ...
OCI runtime create failed: ...
exec: *: executable file not found in $PATH: unknown
invalid reference format
invalid reference format: repository name (*) must be lowercase
no configuration file provided: not found
toomanyrequests: ...
unauthorized: authentication required
denied: requested access to the resource is denied
no space left on device
unknown flag: *
unknown shorthand flag: * in *
unknown docker command: *
* requires at least # argument.
* requires exactly # argument.
* is not a docker command.
Error from server (NotFound): ~
Error from server (Forbidden): ~
Error from server (AlreadyExists): ~
Error from server (BadRequest): ~
Error from server (Conflict): ~
Error from server (Invalid): ~
Error from server (ServiceUnavailable): ~
Error from server (InternalError): ~
Error from server: ~
pods * not found
services * not found
deployments.apps * not found
namespaces * not found
configmaps * not found
secrets * not found
* is forbidden: User * cannot * resource * in API group * ...
container * in pod * is waiting to start: ...
The connection to the server * was refused - did you specify the right host or port?
Unable to connect to the server: ...
You must be logged in to the server (...
no matches for kind * in version *
the server doesn't have a resource type *
the server could not find the requested resource
the path * does not exist
error validating *: ...
error parsing *: ...
current-context is not set
context * does not exist
timed out waiting for the condition
CrashLoopBackOff
ImagePullBackOff
ErrImagePull
OOMKilled
INSTALLATION FAILED: ...
UPGRADE FAILED: ...
Kubernetes cluster unreachable: ...
release: not found
chart * not found
"""

CLOUDS = """
Unable to locate credentials. You can configure credentials by running <text>
Unable to locate credentials
Could not connect to the endpoint URL: *
The config profile (*) could not be found
You must specify a region. You can also configure your region by running <text>
The security token included in the request is invalid.
The security token included in the request is expired
The provided token has expired.
An error occurred (*) when calling the * operation: ...
An error occurred (AccessDenied) when calling the * operation: ...
An error occurred (NoSuchBucket) when calling the * operation: ...
An error occurred (NoSuchKey) when calling the * operation: ...
An error occurred (ValidationException) when calling the * operation: ...
An error occurred (ResourceNotFoundException) when calling the * operation: ...
An error occurred (ExpiredToken) when calling the * operation: ...
An error occurred (#) when calling the * operation: ...
The specified bucket does not exist
The specified key does not exist.
Error acquiring the state lock
Error locking state: ...
Failed to query available provider packages
Backend initialization required, please run <text>
Inconsistent dependency lock file
Unsupported argument
Unsupported attribute
Unsupported block type
Missing required argument
Invalid reference
Reference to undeclared resource
Reference to undeclared input variable
No configuration files
No value for required variable
Module not installed
Provider configuration not present
(gcloud.*) ...
You do not currently have an active account selected.
Reauthentication required.
PERMISSION_DENIED: ...
UNAUTHENTICATED: ...
NOT_FOUND: ...
RESOURCE_EXHAUSTED: ...
DEADLINE_EXCEEDED: ...
UNAVAILABLE: ...
INVALID_ARGUMENT: ...
FAILED_PRECONDITION: ...
rpc error: code = * desc = ...
Please run <text> to setup account.
Please run <text>
"""

DATABASES = """
connection to server at * port # failed: ~
connection to server at * (*), port # failed: ~
connection to server on socket * failed: ~
connection to server was lost
could not connect to server: ...
could not translate host name * to address: ...
server closed the connection unexpectedly
terminating connection due to administrator command
too many connections
sorry, too many clients already
remaining connection slots are reserved for ...
password authentication failed for user *
no password supplied
fe_sendauth: no password supplied
Peer authentication failed for user *
no <path> entry for host *, user *, database *, ...
role * does not exist
role * already exists
database * does not exist
database * already exists
database * is being accessed by other users
database system is starting up
database system is shutting down
schema * does not exist
schema * already exists
relation * does not exist
relation * already exists
column * does not exist
column * of relation * does not exist
column * of relation * already exists
column * must appear in the GROUP BY clause or be used in an aggregate function
column reference * is ambiguous
table * does not exist
type * does not exist
type * already exists
index * does not exist
function * does not exist
operator does not exist: ...
extension * is not available
constraint * of relation * does not exist
missing FROM-clause entry for table *
syntax error at or near *
syntax error at end of input
invalid input syntax for type *: *
invalid input syntax for type *
invalid byte sequence for encoding *: ...
value too long for type *
numeric field overflow
null value in column * of relation * violates not-null constraint
null value in column * violates not-null constraint
duplicate key value violates unique constraint *
insert or update on table * violates foreign key constraint *
update or delete on table * violates foreign key constraint * on table *
new row for relation * violates check constraint *
permission denied for table *
permission denied for schema *
permission denied for database *
permission denied for relation *
must be owner of table *
must be owner of database *
cannot drop table * because other objects depend on it
cannot drop columns from view
current transaction is aborted, commands ignored until end of transaction block
canceling statement due to statement timeout
canceling statement due to user request
deadlock detected
could not serialize access due to concurrent update
there is no unique or exclusion constraint matching the ON CONFLICT specification
more than one row returned by a subquery used as an expression
ERROR # (#): ~
ERROR # (*): ~
ERROR # (#) at line #: ~
ERROR # (*) at line #: ~
Access denied for user *
Access denied for user * (using password: <text>
Access denied for user * to database *
Can't connect to local MySQL server through socket * (#)
Can't connect to MySQL server on * (#)
Can't connect to server on * (#)
Unknown database *
Unknown column * in *
Unknown table *
Unknown system variable *
Unknown MySQL server host * (#)
Table * doesn't exist
Table * already exists
Duplicate entry * for key *
Duplicate column name *
Duplicate key name *
Data too long for column * at row #
Incorrect * value: * for column * at row #
Field * doesn't have a default value
Column * cannot be null
Column count doesn't match value count at row #
Cannot add or update a child row: a foreign key constraint fails ...
Cannot delete or update a parent row: a foreign key constraint fails ...
Lock wait timeout exceeded; try restarting transaction
Deadlock found when trying to get lock; try restarting transaction
You have an error in your SQL syntax; ...
MySQL server has gone away
Lost connection to MySQL server during query
Too many connections
in prepare, ...
in prepare, no such table: *
in prepare, no such column: *
Parse error near line #: ...
Parse error: no such table: *
Parse error: no such column: *
Runtime error near line #: ...
WRONGPASS invalid username-password pair or user is disabled.
NOAUTH Authentication required.
WRONGTYPE Operation against a key holding the wrong kind of value
LOADING Redis is loading the dataset in memory
MISCONF Redis is configured to save RDB snapshots, ...
Could not connect to Redis at *: ...
E#<n> duplicate key error collection: ...
E<n> duplicate key error collection: ...
Server selection timed out after # ms
Topology is closed
not authorized on * to execute command ...
command * requires authentication
ORA-<n>: ~
Invalid object name *
Login failed for user *
Could not find stored procedure *
Invalid column name *
Can't reach database server at *
The table * does not exist in the current database.
The column * does not exist in the current database.
Unique constraint failed on the fields: ...
Unique constraint failed on the constraint: *
Foreign key constraint violated: ...
Database error code: *
Drift detected: ...
Environment variable not found: *
Target database is not up to date.
Can't locate revision identified by *
Multiple head revisions are present for given argument <text> ...
"""

TABLES = (CONTAINERS, CLOUDS, DATABASES)
