"""`inferplane record`: requests to a service and their answers, as the gateway sees them, into a file of records.

ways (routes → what to look for) → stream (the gateway's admin interface) → traces (what came → lines of the file).
"""
