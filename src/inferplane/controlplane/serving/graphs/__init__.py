"""InferenceGraph: an object → its router, and the way to it.

endpoints (step → URL of its service) ─▶ plan ─▶ render (Knative Service, or Deployment, Service, HPA, HTTPRoute)
                                           └───▶ report (conditions, URL)          controller: reads and writes
"""
