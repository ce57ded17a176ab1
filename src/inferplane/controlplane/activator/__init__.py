"""The activator: requests for a revision that has no replica, or too few, wait here until one can take them.

`decide` says who may go and where (pure), `buffer` keeps the lines and the times, `http1` and `http2` are the ways in
and on to the pods, `controller` knows revisions and pods and publishes where the activator listens.
"""
