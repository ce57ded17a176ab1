"""A reverse proxy on sockets: HTTP/1.1 with upgrades, and HTTP/2 without TLS, both passed on as they come.

Who may pass, when, and to which server is decided by a `gate.Gate`: the activator's, which has requests wait for their
pods, and the agent's, whose requests all go to the one server that it stands before.
"""
