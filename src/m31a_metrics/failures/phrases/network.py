"""What the network and web services say."""

from __future__ import annotations

NETWORK = """
HTTP #: ~
HTTP # ~
(HTTP #)
HTTP #
HTTP error #
HTTP Error #: ~
HTTP error! status: #
HTTP status #
HTTP status code #
status code #
status code: #
status #
statusCode: #
Status: #
status: #
Unexpected status code: #
Unexpected status code #
unexpected status code: #
unexpected status #
Response status code does not indicate success: # (...
Request failed with status #
Request failed with status code #
request failed: ...
API Error: ~
API error: ~
API Error: # ~
API Error (...
# Bad Request
# Unauthorized
# Payment Required
# Forbidden
# Not Found
# Method Not Allowed
# Not Acceptable
# Request Timeout
# Conflict
# Gone
# Payload Too Large
# Request Entity Too Large
# Unprocessable Entity
# Unprocessable Content
# Too Many Requests
# Internal Server Error
# Not Implemented
# Bad Gateway
# Service Unavailable
# Service Temporarily Unavailable
# Gateway Timeout
# Gateway Time-out
# Client Error
# Server Error
Bad Request
Unauthorized
Forbidden
Not Found
Method Not Allowed
Conflict
Too Many Requests
Internal Server Error
Internal server error
Bad Gateway
Service Unavailable
Service unavailable
Gateway Timeout
Overloaded
overloaded_error
rate_limit_error
authentication_error
invalid_request_error
api_error
not_found_error
permission_error
request_too_large
billing_error
Rate limit exceeded
Rate limit exceeded.
Rate limit reached ...
rate limit exceeded
Rate limited
Too many requests
Quota exceeded for ...
You exceeded your current quota, please check your plan and billing details. ...
Insufficient quota
insufficient_quota
Your credit balance is too low to access the Anthropic API. ...
Credit balance is too low
Incorrect API key provided: ...
Invalid API key
Invalid API key * ...
Invalid authentication credentials
Invalid bearer <text>
invalid x-api-key
API key not valid. Please pass a valid API key.
No API key provided
OAuth token has expired. ...
OAuth authentication is currently not supported.
Authentication failed
Authentication failed.
Authentication required
authentication required
Authorization failed
Not authenticated
Not authorized
Access Denied
Login required
Please log in
Session expired
Token expired
token is expired
Invalid token
Invalid credentials
The model * does not exist or you do not have access to it.
The model * does not exist
model * not found
This model's maximum context length is # tokens. ...
prompt is too long: # tokens > # maximum
prompt is too long
Prompt is too long
input length and <text> exceed context limit: ...
Request too large
Request timed out.
Request timed out
Request was aborted.
request timed out
Request timeout
Connection error.
Connection error
Connection closed
Connection closed.
Connection lost
connection lost
Connection timeout
connection timed out
connection refused
connection reset
Connection reset
connection reset by peer
connection closed
connection closed by remote host
Connection closed by * port #
Connection closed by remote host
Connection to * closed by remote host.
Connection to * closed.
Connection to * timed out.
Connection was reset
Connection reset by * port #
kex_exchange_identification: ...
ssh_exchange_identification: ...
ssh: ~
connect to host * port #: ~
Could not resolve hostname *: ...
Could not resolve hostname *
Temporary failure in name resolution
Name or service not known
nodename nor servname provided, or not known
No address associated with hostname
no such host
network is unreachable
network unreachable
Network error
network error
no route to host
server misbehaving
TLS handshake timeout
tls: ...
EOF occurred in violation of protocol
SSL error
SSL certificate problem: ...
SSL: no alternative certificate subject name matches target host name *
server certificate verification failed. ...
certificate verify failed
certificate verify failed: ...
certificate has expired
curl: (#) ~
(#) ~
Could not resolve proxy: *
Failed to connect to * port #
Failed to connect to * port #: ~
Failed to connect to * port # after # ms: ~
Failed to connect to *: ~
Failed to connect to server
Couldn't connect to server
Could not connect to server
Could not connect to *
could not connect to *
Unable to connect to *
unable to connect to *
unable to connect
Unable to connect. Is the computer able to access the url?
Empty reply from server
Recv failure: ...
Send failure: ...
Failure when receiving data from the peer
Failure writing output to destination
Failed writing body (# != #)
Failure writing output to destination, passed # returned #
transfer closed with # bytes remaining to read
transfer closed with outstanding read data remaining
Operation timed out after # milliseconds with # bytes received
Operation timed out after # milliseconds with # out of # bytes received
Connection timed out after # milliseconds
Resolving timed out after # milliseconds
Operation too slow. ...
The requested URL returned error: #
The requested URL returned error: # *
URL using <path> format or missing URL
URL rejected: ...
Unsupported protocol
Protocol * not supported or disabled in libcurl
Protocol * not supported
Maximum (#) redirects followed
no URL specified
Failed to <path> local data from <path>
option *: is unknown
option *: requires parameter
HTTP server doesn't seem to support byte ranges. Cannot resume.
unable to resolve host address *
unable to resolve host *
ERROR # ~
ERROR #: ~
Giving up.
Unable to establish SSL connection.
Connecting to *... failed: ...
net::ERR_CONNECTION_REFUSED at *
net::ERR_NAME_NOT_RESOLVED at *
net::ERR_ABORTED at *
net::ERR_INTERNET_DISCONNECTED at *
net::ERR_CERT_AUTHORITY_INVALID at *
"""

TABLES = (NETWORK,)
