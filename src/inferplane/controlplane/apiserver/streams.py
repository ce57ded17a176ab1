"""`kubectl exec`, `attach`, `cp` and `port-forward`: streams into a pod, which is a tree of processes of this machine.

There is nothing to forward or to enter that isn't here already, so the answer says where it is.
"""

from inferplane.controlplane.apiserver import objects
from inferplane.controlplane.apiserver.calls import Answer, Call
from inferplane.controlplane.apiserver.core import Core
from inferplane.controlplane.apiserver.errors import StatusError
from inferplane.kernel.json import list_at, number_at, object_at, text_at

UNSUPPORTED = ("attach", "exec", "portforward")


async def refuse(core: Core, call: Call) -> Answer:
    """Raises 404 for a pod that isn't there, else 501 with what to do instead."""
    pod = core.storage.require(call.kind, call.namespace, call.name).object
    name, address = objects.name(pod), text_at(pod, "status", "podIP") or "its own address"
    if call.subresource == "portforward":
        containers = [one for one in list_at(pod, "spec", "containers") if isinstance(one, dict)]
        ports = [
            number_at(port, "containerPort")
            for c in containers
            for port in list_at(c, "ports")
            if isinstance(port, dict)
        ]
        where = ", ".join(f"http://{address}:{port}" for port in ports if port) or f"http://{address}"
        why = f"pods are processes of this machine: pod {name} listens at {where}, nothing needs to be forwarded"
    elif call.subresource == "attach":
        why = f"pods are processes of this machine: see `kubectl logs -f {name}`"
    else:
        why = "pods are processes of this machine: run the command in a shell of your own"
    raise StatusError(501, "NotImplemented", why, object_at({}))
