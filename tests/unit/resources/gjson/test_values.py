"""What paths lead to. Answers are those of Go's gjson."""

import pytest

from inferplane.kernel.json import Json
from inferplane.resources.gjson import MISSING, exists, find, parse

CREW: Json = {
    "name": {"first": "Ada", "last": "Holt"},
    "age": 37,
    "ports": ["Oslo", "Alba", "Rio"],
    "fav.boat": "Elsa",
    "none": None,
    "crew": [
        {"first": "Dan", "last": "Moor", "age": 44, "can": ["row", "fish"], "on": True},
        {"first": "Rolf", "last": "Kraft", "age": 68, "can": ["fish"], "on": False},
        {"first": "Jana", "last": "Moor", "age": 47, "can": ["row", "sail"]},
    ],
}
CASES: list[tuple[str, Json]] = [
    ("name.last", "Holt"),
    ("age", 37),
    ("ports", ["Oslo", "Alba", "Rio"]),
    ("ports.1", "Alba"),
    ("none", None),
    ("po*.2", "Rio"),
    ("p?rts.0", "Oslo"),
    (r"fav\.boat", "Elsa"),
    ("ports.#", 3),
    ("crew.#.first", ["Dan", "Rolf", "Jana"]),
    ("crew.#.on", [True, False]),
    ('crew.#(last=="Moor").first', "Dan"),
    ('crew.#(last="Moor")#.first', ["Dan", "Jana"]),
    ("crew.#(age>45)#.last", ["Kraft", "Moor"]),
    ("crew.#(age>=47)#.age", [68, 47]),
    ("crew.#(age<45).age", 44),
    ("crew.#(age<=44)#.age", [44]),
    ("crew.#(age!=44)#.age", [68, 47]),
    ('crew.#(first%"D*").last', "Moor"),
    ('crew.#(first!%"D*").last', "Kraft"),
    ('ports.#(!%"*l*")', "Rio"),
    ('ports.#(%"*o")#', ["Oslo", "Rio"]),
    ('ports.#(=="Rio")', "Rio"),
    ('crew.#(can.#(=="sail"))#.first', ["Jana"]),
    ("crew.#(on==true).first", "Dan"),
    ("crew.#(on==~false)#.first", ["Rolf", "Jana"]),
    ("crew.#(on==~null)#.first", ["Jana"]),
    ("crew.#(on==~*)#.first", ["Dan", "Rolf"]),
    ("crew.#(on)#.first", ["Dan", "Rolf"]),
    ('crew.#(last=="Nobody")#', []),
    ("crew.0.first", "Dan"),
    ("crew|0|first", "Dan"),
    ("crew.0|first", "Dan"),
    ("crew|#", 3),
    ('crew.#(last="Moor")#.0', []),
    ('crew.#(last="Moor")#|0.first', "Dan"),
    ('crew.#(last="Moor")#|#', 2),
    ('crew.#(last="Moor")#.can.#', [2, 2]),
    ("ports.@reverse", ["Rio", "Alba", "Oslo"]),
    ("ports.@reverse.0", "Rio"),
    ("name.@keys", ["first", "last"]),
    ("name.@values", ["Ada", "Holt"]),
    ("name.@reverse.@keys", ["last", "first"]),
    ("@this.age", 37),
    ("crew.#.can|@flatten|#", 5),
    ("name.@tostr.@fromstr.first", "Ada"),
    ("[name.first,age]", ["Ada", 37]),
    ('{"who":name.first,age}', {"who": "Ada", "age": 37}),
    ("[@this].#(age==37).name.first", "Ada"),
    ('{name,"n":ports.#}.n', 3),
]
NOWHERE = [
    "name.middle",
    "age.years",
    "ports.3",
    "ports.first",
    'crew.#(last=="Nobody")',
    'crew.#(last=="Nobody").first',
    'crew.#(last="Moor")#|first',
    "name.#",
    "[@this].#(age==38)",
    "crew.#(on>true)",
    'crew.#(age=="x")',
    "ports.@fromstr",
    "name.*.x",
]


@pytest.mark.parametrize(("path", "found"), CASES, ids=[one for one, _ in CASES])
def test_a_path_leads_to(path: str, found: Json) -> None:
    assert find(parse(path), CREW) == found


@pytest.mark.parametrize("path", NOWHERE)
def test_a_path_leads_nowhere(path: str) -> None:
    assert find(parse(path), CREW) is MISSING


def test_null_exists() -> None:
    assert exists(parse("none"), CREW)
    assert not exists(parse("nobody"), CREW)


def test_a_wild_name_tries_each_field_that_fits() -> None:
    document: Json = {"a1": 5, "a2": {"x": 1}, "a3": {"y": 2}}
    assert find(parse("a*.y"), document) == 2


@pytest.mark.parametrize(("path", "there"), [('instances.#(modelId=="1")', True), ('instances.#(modelId=="2")', False)])
def test_the_condition_of_kserves_manual(path: str, there: bool) -> None:
    document: Json = {"instances": [{"modelId": "1"}, {"modelId": "3"}]}
    assert exists(parse(path), document) is there


@pytest.mark.parametrize(
    ("value", "operator", "wanted", "fits"),
    [
        ("b", "<", "c", True),
        ("b", ">=", "b", True),
        (2, "<", "10", True),
        (2.5, "=", "2.50", True),
        (0, "=", "words count as nought", True),
        (True, ">", "false", True),
        (True, ">=", "true", True),
        (False, "<=", "true", True),
        (False, "<", "true", True),
        (True, "<", "true", False),
        (True, "!=", "false", True),
        (True, "=", "1", False),
        (None, "=", "null", False),
        ({"a": 1}, "=", "x", False),
    ],
)
def test_a_comparison_goes_by_the_type_of_what_is_there(value: Json, operator: str, wanted: str, fits: bool) -> None:
    assert exists(parse(f"#(v{operator}{wanted})"), [{"v": value}]) is fits


@pytest.mark.parametrize(("text", "true"), [("t", True), ("1", True), ("FALSE", False), ("0", False), ("maybe", None)])
def test_texts_that_say_true_or_false(text: str, true: bool | None) -> None:
    document: Json = [{"v": text}]
    assert exists(parse("#(v==~true)"), document) is (true is True)
    assert exists(parse("#(v==~false)"), document) is (true is False)


def test_a_tilde_word_that_is_none_fits_nothing() -> None:
    assert not exists(parse("#(v==~maybe)"), [{"v": 1}])


def test_a_long_pattern_of_stars_is_matched_in_time() -> None:
    assert not exists(parse(f'#(%"{"*a" * 40}b")'), ["a" * 2000])
