"""Pickles and joblib files: what the first opcodes push. They are read one by one, and none is carried out.

The first class that is named is that of the object; joblib's raw arrays, which no opcodes can be read behind, come
later.
"""

import pickletools
from collections.abc import Iterator

from inferplane.inference.formats.found import Found, Sample
from inferplane.inference.recorded_versions import sklearn_version, unpacked_head

_READ = 4096
# Of protocol 0 and 1, which call these two before the class that they make.
_BUILDING = ("copy_reg", "copyreg")
_VALUES = {"EMPTY_DICT": "dict", "DICT": "dict", "EMPTY_LIST": "list", "LIST": "list", "EMPTY_TUPLE": "tuple"}
_TORCH_MAGIC = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
_NO_MODELS = ("builtins", "__builtin__", "collections", "numpy", "pandas")


def pickle(file: Sample) -> Found | None:
    head = unpacked_head(file.head, _READ)
    if head.startswith(_TORCH_MAGIC):
        return Found("pytorch", "PyTorch", "weights", what="saved before 1.6", file=file.name)
    first = first_named(head)
    if first is None:
        return None
    module, name = first
    root = module.partition(".")[0]
    kind = "joblib file" if b"joblib.numpy_pickle" in file.head or file.head[:1] != head[:1] else "pickle"
    if root in _NO_MODELS:
        return Found("", "", kind, what=name, file=file.name)
    if root == "sklearn":
        with file.open() as stream:
            version = sklearn_version(stream) or ""
        return Found("sklearn", "sklearn", kind, version, name, file.name)
    if root in ("xgboost", "lightgbm"):
        ending = {"xgboost": "model.ubj", "lightgbm": "model.txt"}[root]
        booster = "model.get_booster()" if root == "xgboost" else "model.booster_"
        advice = f'save {booster}.save_model("{ending}") and serve that as {root}'
        return Found("sklearn", root, kind, what=name, file=file.name, advice=advice)
    if root == "torch":
        return Found("pytorch", "PyTorch", kind, what=name, file=file.name)
    return Found("sklearn", "", kind, what=f"{module}.{name}", file=file.name)


def first_named(head: bytes) -> tuple[str, str] | None:
    """(module, name) of the first class that a pickle names, or of the container that it is; None: it is no pickle."""
    if not head.startswith((b"\x80", b"c", b"(", b"]", b"}")):
        return None
    for value in _pushed(head):
        if isinstance(value, tuple):
            return value
    return None


def _pushed(head: bytes) -> Iterator[tuple[str, str] | None]:
    texts: list[str] = []
    memo: dict[int, str] = {}
    try:
        for opcode, argument, place in pickletools.genops(head):
            match opcode.name:
                case "GLOBAL" | "INST":
                    module, _, name = str(argument).partition(" ")
                    if module not in _BUILDING:
                        yield module, name
                case "STACK_GLOBAL" if len(texts) >= 2:
                    if texts[-2] not in _BUILDING:
                        yield texts[-2], texts[-1]
                case "MEMOIZE" if texts:
                    memo[len(memo)] = texts[-1]
                case "BINGET" | "LONG_BINGET" if isinstance(argument, int) and argument in memo:
                    texts.append(memo[argument])
                case kind if kind in _VALUES and place is not None and place <= 11:  # behind PROTO and FRAME
                    yield "builtins", _VALUES[kind]
                case _ if isinstance(argument, str) and "UNICODE" in opcode.name:
                    texts.append(argument)
    except (ValueError, IndexError, UnicodeDecodeError):
        return  # the head ends within an opcode, or it is no pickle
