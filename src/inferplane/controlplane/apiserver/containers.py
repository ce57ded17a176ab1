"""Which of a Pod's containers a request for its log, or for a stream into it, means."""

from inferplane.controlplane.apiserver import objects
from inferplane.controlplane.apiserver.errors import bad_request
from inferplane.kernel.json import JsonObject, list_at, object_at, text_at


def container_of(pod: JsonObject, wanted: str) -> str:
    """The container's name; raises 400 when it is none of the pod's, or several could be meant."""
    spec = object_at(pod, "spec")
    main = [text_at(one, "name") for one in list_at(spec, "containers") if isinstance(one, dict)]
    inits = [text_at(one, "name") for one in list_at(spec, "initContainers") if isinstance(one, dict)]
    name = objects.name(pod)
    if wanted in (*main, *inits):
        return wanted
    if wanted:
        raise bad_request(f"container {wanted} is not valid for pod {name}")
    if len(main) == 1 and not inits:
        return main[0]
    listed = f" or one of the init containers: [{' '.join(inits)}]" if inits else ""
    text = f"a container name must be specified for pod {name}, choose one of: [{' '.join(main)}]{listed}"
    raise bad_request(text)
