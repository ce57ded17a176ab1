"""One dispatch for every protocol, and the transports in front of it."""
