"""Knative Serving's controllers, for where nobody else brings them: one machine, or a cluster without Knative.

    Service ─▶ services ─▶ Configuration ─▶ configurations ─▶ Revision ─▶ revisions ─▶ Deployment + PodAutoscaler
                   └─────▶ Route ─▶ routes ─▶ HTTPRoute        │
                             └────▶ labeler ─── routing state ─┘

Each package decides in pure modules and acts in `controller`. Who scales, and where the revision's Services lead, is
the PodAutoscaler's controller's business (`controlplane.autoscaling`).
"""
