"""What a conflict says: which managers own the fields that an apply would change."""

from collections.abc import Mapping, Set

from inferplane.controlplane.apiserver.fieldmanagement.errors import ApplyConflict
from inferplane.controlplane.apiserver.fieldmanagement.managers import Manager
from inferplane.controlplane.apiserver.fieldmanagement.paths import Path, printed
from inferplane.resources.schemas import FieldError


def conflict(contested: Mapping[Manager, Set[Path]]) -> ApplyConflict:
    """In Kubernetes' words; kubectl prints them as they are."""
    by_name = {str(one): sorted(printed(path) for path in paths) for one, paths in contested.items()}
    causes = [
        FieldError(path, "FieldManagerConflict", f"conflict with {name}")
        for name, paths in sorted(by_name.items())
        for path in paths
    ]
    if len(causes) == 1:
        return ApplyConflict(f"Apply failed with 1 conflict: {causes[0].message}: {causes[0].path}", causes)
    listed = "\n".join(
        f"conflicts with {name}:\n" + "\n".join(f"- {path}" for path in paths)
        for name, paths in sorted(by_name.items())
    )
    return ApplyConflict(f"Apply failed with {len(causes)} conflicts: {listed}", causes)
