"""Knative mode: an InferenceService becomes Knative Services, one for each component, and a way in to them.

    components ─▶ render ─▶ Service (serving.knative.dev/v1)  ─▶ Knative, or our own controllers of its kinds
                                  │ its status
    InferenceService.status ◀─ status, report ◀┴─▶ hosts ─▶ ingress ─▶ HTTPRoute | VirtualService

All of it is pure; `controller` of the package above reads and writes.
"""
