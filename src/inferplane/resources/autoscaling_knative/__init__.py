"""Autoscaling as Knative Serving has it: its two internal kinds, its annotations, its ConfigMap `config-autoscaler`.

Annotations and ConfigMap come in as text, are checked, and go out as what a decision needs (`resolution.resolve`).
The decisions themselves are in `controlplane.autoscaling`.
"""
