"""What Kubernetes itself knows about its kinds beyond their schemas: defaults, and what it refuses."""

from inferplane.controlplane.apiserver.builtin.defaults import default_object
from inferplane.controlplane.apiserver.builtin.empty import empty_object
from inferplane.controlplane.apiserver.builtin.tokens import with_token_volume
from inferplane.controlplane.apiserver.builtin.validation import validate_create, validate_update

__all__ = ["default_object", "empty_object", "validate_create", "validate_update", "with_token_volume"]
