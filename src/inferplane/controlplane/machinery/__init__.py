"""What every controller is made of: an informer cache, a keyed work queue, a reconcile loop, events, leader election.

The API server's objects come in through list and watch (`cache`), keys of what changed go through a queue (`queue`) to
a reconcile function (`controller`), and its writes go out through an `Api` whose answers are seen by the cache at once
(`writes`).
"""
