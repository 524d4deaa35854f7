"""OAuth 2.1 on the wire, as far as it guards a resource: what clients of MCP and A2A speak to be let in.

errors          the codes, and the status that goes with each
parameters      forms and queries, scopes
metadata        what a resource and its authorization server say of themselves (RFC 9728, RFC 8414, OIDC Discovery)
clients         who asks: registration (RFC 7591), authentication, redirect URIs (RFC 8252)
authorization   the request for a code, and the redirect that brings it (RFC 6749 4.1, RFC 7636, RFC 8707, RFC 9207)
tokens          what the token endpoint says, and bearer tokens with their challenges (RFC 6750)
"""
