"""Which waiting calls run together and when (`decide`), how their rows become one and come apart (`join`)."""
