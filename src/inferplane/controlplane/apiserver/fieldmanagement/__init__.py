"""Who owns which field: server-side apply, and the record that every other write leaves in `metadata.managedFields`."""

from inferplane.controlplane.apiserver.fieldmanagement.apply import apply, only_times_differ, record_update
from inferplane.controlplane.apiserver.fieldmanagement.errors import ApplyConflict, ApplyInvalid

__all__ = ["ApplyConflict", "ApplyInvalid", "apply", "only_times_differ", "record_update"]
