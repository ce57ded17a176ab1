"""Server-side apply, and the record of other writes.

In: the object as it is, what a manager applies (or has written), the schema. Out: the object as it becomes, with
`metadata.managedFields`. Nothing is defaulted or validated here; that happens to the result: defaults belong to nobody.
"""

from inferplane.controlplane.apiserver.fieldmanagement.conflicts import conflict
from inferplane.controlplane.apiserver.fieldmanagement.errors import ApplyInvalid
from inferplane.controlplane.apiserver.fieldmanagement.managers import (
    APPLY,
    UNOWNED,
    UPDATE,
    Manager,
    Managers,
    Owned,
    read,
    written,
)
from inferplane.controlplane.apiserver.fieldmanagement.objects import Changes, changes, field_set, merged, without
from inferplane.controlplane.apiserver.fieldmanagement.paths import PathSet, with_named_parents
from inferplane.controlplane.apiserver.fieldmanagement.typed import repeated_items, typing_faults
from inferplane.kernel.json import JsonObject, object_at, text_at
from inferplane.resources.schemas import Schema

# Owner of everything that was there before anyone's fields were recorded.
BEFORE_FIRST_APPLY = "before-first-apply"


def apply(
    live: JsonObject | None,
    applied: JsonObject,
    *,
    manager: str,
    subresource: str,
    force: bool,
    now: str,
    schema: Schema,
    api_version: str,
    fits: bool = False,
) -> JsonObject:
    """`live` (None: it doesn't exist yet) with `applied` put over it and `manager` recorded as an applier.

    Fields that the manager applied last time, doesn't now, and nobody else owns are removed. `applied` holds only
    fields that this endpoint may write: the caller has taken out `status` where that is a subresource, or all but it.
    Raises ApplyInvalid when it doesn't fit the schema, ApplyConflict when it would change another manager's fields and
    `force` is not set. `fits`: the caller knows that all of its fields are declared, and of what type they are.
    """
    applied = _stated(applied)
    faults = repeated_items(schema, applied) if fits else typing_faults(schema, applied)
    if faults:
        name = f"{text_at(applied, 'metadata', 'namespace')}/{text_at(applied, 'metadata', 'name')}"
        kind = f"{api_version}, Kind={text_at(applied, 'kind')}"
        raise ApplyInvalid(f"failed to create typed patch object ({name}; {kind}): {', '.join(faults)}")
    before = _plain(live or {})
    managers = _managers(live, before, schema)
    me = Manager(manager, APPLY, subresource, api_version)
    last = managers.get(me.key)
    mine = frozenset(field_set(schema, applied) - UNOWNED)
    managers[me.key] = Owned(me, mine, last.time if last else now)
    result = merged(schema, before, applied)
    if last is not None:
        result = _pruned(schema, result, last, managers)
    found = changes(schema, before, result)
    managers = _handed_over(managers, me, found, force=force)
    if found:
        managers[me.key] = Owned(me, mine, now)
    return written(result, managers)


def record_update(
    old: JsonObject | None,
    new: JsonObject,
    *,
    manager: str,
    subresource: str,
    now: str,
    schema: Schema,
    api_version: str,
    unwritten: frozenset[str] = frozenset(),
) -> JsonObject:
    """`new` with the fields that differ from `old` (None: a creation) recorded as `manager`'s. No change, no record.

    `new` is the object as it will be stored, defaults included. Managers that `new` states itself are taken; without
    any, those of `old` are. `unwritten` names fields at the top that this endpoint doesn't write (`status` where it has
    a subresource of its own): what the server put there belongs to nobody.
    """
    before, after = _plain(old or {}), _plain(new)
    managers = read(new, stored=_same_managers(old, new)) or read(old or {}, stored=True)
    found = changes(schema, before, after)
    if not found:
        return written(after, managers)
    me = Manager(manager, UPDATE, subresource, api_version)
    managers = _handed_over(managers, me, found, force=True)
    mine = managers[me.key].fields if me.key in managers else frozenset()
    touched = {path for path in found.touched - UNOWNED if path[0][2:] not in unwritten}
    if touched:
        managers[me.key] = Owned(me, (mine - found.removed) | touched, now)
    elif mine:
        managers[me.key] = Owned(me, mine - found.removed, now)
    return written(after, managers)


def only_times_differ(one: JsonObject, other: JsonObject) -> bool:
    """Whether two versions are the same but for the times in their managedFields: such a write is none."""
    if _plain(one) != _plain(other):
        return False
    before, after = read(one), read(other)
    return {k: v.fields for k, v in before.items()} == {k: v.fields for k, v in after.items()}


def _same_managers(old: JsonObject | None, new: JsonObject) -> bool:
    """A patch leaves what it doesn't name as it was read."""
    return old is not None and object_at(new, "metadata").get("managedFields") is object_at(old, "metadata").get(
        "managedFields"
    )


def _stated(applied: JsonObject) -> JsonObject:
    """What a manager can state: system metadata that clients send back with an object isn't its to apply.

    A uid stays: it says which object is meant, and one that differs is refused when the result is validated.
    """
    metadata = object_at(applied, "metadata")
    kept = {k: v for k, v in metadata.items() if k not in _SYSTEM_METADATA and (k != "uid" or v)}
    return {**applied, "metadata": kept}


_SYSTEM_METADATA = frozenset({"creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink"})


def _plain(obj: JsonObject) -> JsonObject:
    metadata = object_at(obj, "metadata")
    if "managedFields" not in metadata:
        return obj
    return {**obj, "metadata": {k: v for k, v in metadata.items() if k != "managedFields"}}


def _managers(live: JsonObject | None, before: JsonObject, schema: Schema) -> Managers:
    """The recorded managers; for an object that has none, one that owns all there is."""
    if live is None:
        return {}
    found = read(live, stored=True)
    if not found:
        everything = frozenset(changes(schema, {}, before).touched - UNOWNED)
        all_of_it = Manager(BEFORE_FIRST_APPLY, UPDATE, "", text_at(live, "apiVersion"))
        found[all_of_it.key] = Owned(all_of_it, everything, text_at(live, "metadata", "creationTimestamp"))
    return found


def _pruned(schema: Schema, obj: JsonObject, last: Owned, managers: Managers) -> JsonObject:
    """The merged object less what its manager has let go and nobody else owns.

    As in structured-merge-diff: all that was applied last time goes, what anyone owns comes back, then what went only
    because its container did, unless the manager had applied that too.
    """
    managed: PathSet = set().union(*(one.fields for one in managers.values()))
    if last.fields <= managed:
        return obj
    former = with_named_parents(set(last.fields))
    all_fields = with_named_parents(field_set(schema, obj))
    bare = with_named_parents(field_set(schema, without(schema, obj, former)))
    owned = without(schema, obj, all_fields - bare - with_named_parents(managed))
    return without(schema, obj, (all_fields - with_named_parents(field_set(schema, owned))) & former)


def _handed_over(managers: Managers, me: Manager, found: Changes, *, force: bool) -> Managers:
    """The managers after `me` made these changes: others lose what was changed or removed, or it is a conflict."""
    others = {key: one for key, one in managers.items() if key != me.key}
    contested = {one.manager: one.fields & found.touched for one in others.values() if one.fields & found.touched}
    if contested and not force:
        raise conflict(contested)
    lost = found.touched | found.removed
    kept = {key: one.without(lost) for key, one in others.items()}
    return kept | {key: one for key, one in managers.items() if key == me.key}
