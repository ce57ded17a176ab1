"""The order of a merged list: the patch's order for what it names, the server's for the rest, interleaved."""

from collections.abc import Callable, Sequence

from inferplane.kernel.json import Json


def interleaved(
    merged: Sequence[Json], key: Callable[[Json], Json], patch_order: Sequence[Json], server_order: Sequence[Json]
) -> list[Json]:
    """Both relative orders are kept. An item that only the server has comes before a patched one when the server had
    it there, else after (apimachinery `normalizeElementOrder`).

    `patch_order` and `server_order` are keys; `key` gives an item's.
    """
    named = sorted((one for one in merged if key(one) in patch_order), key=lambda one: patch_order.index(key(one)))
    rest = [one for one in merged if key(one) not in patch_order]
    rest.sort(key=lambda one: server_order.index(key(one)) if key(one) in server_order else len(server_order))
    result: list[Json] = []
    for one in named:
        while rest and _precedes(key(rest[0]), key(one), server_order):
            result.append(rest.pop(0))
        result.append(one)
    return result + rest


def _precedes(one: Json, other: Json, order: Sequence[Json]) -> bool:
    return one in order and other in order and order.index(one) < order.index(other)
