"""Knative Serving's kinds (`serving.knative.dev/v1`): Service, Configuration, Revision and Route, and its ConfigMaps.

    Service ─▶ Configuration ─▶ Revisions        templates go in, immutable revisions come out
       └─────▶ Route                             which revision gets which share of the requests

The pod of a template is kept as it was written: it is passed on whole. `validation` says what Knative's webhooks would
refuse, `crds` what an API server can say of it by itself.
"""

from inferplane.resources.knative.configuration import Configuration as Configuration
from inferplane.resources.knative.configuration import ConfigurationStatus as ConfigurationStatus
from inferplane.resources.knative.revision import Revision as Revision
from inferplane.resources.knative.revision import RevisionStatus as RevisionStatus
from inferplane.resources.knative.route import Route as Route
from inferplane.resources.knative.route import RouteStatus as RouteStatus
from inferplane.resources.knative.service import CONFIGURATIONS_READY as CONFIGURATIONS_READY
from inferplane.resources.knative.service import READY as READY
from inferplane.resources.knative.service import ROUTES_READY as ROUTES_READY
from inferplane.resources.knative.service import KnativeService as KnativeService
from inferplane.resources.knative.service import KnativeServiceSpec as KnativeServiceSpec
from inferplane.resources.knative.service import KnativeServiceStatus as KnativeServiceStatus
from inferplane.resources.knative.template import RevisionTemplate as RevisionTemplate
from inferplane.resources.knative.template import TemplateMeta as TemplateMeta
from inferplane.resources.knative.traffic import Address as Address
from inferplane.resources.knative.traffic import TrafficTarget as TrafficTarget
