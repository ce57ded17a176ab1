"""The router of an InferenceGraph: a request goes in, each node sends it on, an answer comes out.

plan (the graph's JSON → nodes and steps) ─▶ executor (one request through the nodes) ─▶ serving (HTTP)
     bodies · forwarding (pure)                   └─▶ calls (HTTP to the steps)
"""
