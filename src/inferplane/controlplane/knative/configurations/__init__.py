"""Configuration → Revisions: one for each generation of the template; which was made last, and which is ready."""
