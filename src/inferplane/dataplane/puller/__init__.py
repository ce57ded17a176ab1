"""The puller: a file that lists models → those models on disk and in a server.

`config` reads the file, `plan` says what a change of it means, `files` keeps the models on disk, `puller` does it, and
`targets` are the servers: the one of this process, or another one by V2's repository API.
"""
