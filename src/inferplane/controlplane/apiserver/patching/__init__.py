"""The three patches of the API: JSON patch, merge patch, strategic merge patch. Documents in, a new document out."""

from inferplane.controlplane.apiserver.patching.errors import PatchError
from inferplane.controlplane.apiserver.patching.json_patch import json_patch
from inferplane.controlplane.apiserver.patching.merge_patch import merge_patch
from inferplane.controlplane.apiserver.patching.strategic import strategic_merge_patch

__all__ = ["PatchError", "json_patch", "merge_patch", "strategic_merge_patch"]
