"""What is a path, and what is said of a text that is none."""

import pytest

from inferplane.resources.gjson import PathError, parse
from inferplane.resources.gjson.paths import Count, Each, Key, Modifier, Path, Query, Several


def test_dots_part_names_and_a_backslash_takes_a_sign_as_it_is() -> None:
    assert parse(r"a.b\.c.0").components == (Key("a"), Key("b.c"), Key("0"))


def test_signs_make_a_name_wild() -> None:
    assert parse("ab*").components == (Key("ab*", wild=True),)
    assert parse(r"ab\*").components == (Key("ab*"),)


def test_a_query_has_a_path_an_operator_and_a_value() -> None:
    [query] = parse("#(age >= 45)#.name").components
    assert query == Query(parse("age"), ">=", "45", every=True, rest=parse("name"))


def test_quotes_keep_brackets_and_signs_from_counting() -> None:
    [query] = parse(r'#(name=="a)\"|b")').components
    assert query == Query(parse("name"), "=", 'a)"|b')


def test_a_pipe_goes_on_with_the_result_and_a_dot_behind_a_hash_with_the_elements() -> None:
    assert parse("#.a.b|0") == Path((Each(parse("a.b")),), parse("0"))
    assert parse("a|#") == Path((Key("a"),), Path((Count(),)))


def test_a_modifier_works_on_what_came_before_it() -> None:
    assert parse('a.@flatten:{"deep":true}.0') == Path(
        (Key("a"),), Path((Modifier("flatten", '{"deep":true}'),), parse("0"))
    )


def test_a_name_that_begins_like_a_modifier_is_a_name() -> None:
    assert parse("@type").components == (Key("@type"),)


def test_several_paths_are_named_by_their_last_names() -> None:
    [several] = parse('{a.b,"x":c.#}').components
    assert several == Several((parse("a.b"), parse("c.#")), ("b", "x"))


def test_only_a_value_made_of_paths_always_exists() -> None:
    assert parse("{a,b}").always_exists
    assert not parse("[@this].#(a==1)").always_exists


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "an empty path"),
        ("a.", "'a.': ends with '.', behind which a name is expected"),
        ("a..b", "'a..b' at 3: expected a name"),
        ("..0", "'..0': JSON lines (..) are not known here"),
        ("#(a==1", "'#(a==1' at 2: '(' is not closed"),
        ('#(a=="1)', "at 6: the quote is not closed"),
        ("#x", "'#x' at 2: expected '.', '|' or '(' behind '#', got 'x'"),
        ("#(a)x", "'#(a)x' at 5: expected '.' or '|', got 'x'"),
        ("#(a!b)", "'a!b' at 2: expected one of != !% <= >= == < > = %, got '!'"),
        ("!true", "'!true': literals (!) are not known here"),
        ("a.@group", "'a.@group': the modifier @group is not known here; have: @this,"),
        ("{ .input.userId == 1 }", "'.input.userId == 1' at 1: expected a name"),
        ("[a,b]c", "'[a,b]c' at 6: expected '.' or '|', got 'c'"),
        ('{"a" b}', "expected ':' behind the name"),
    ],
)
def test_what_is_no_path_says_where_it_stops_being_one(text: str, said: str) -> None:
    with pytest.raises(PathError) as caught:
        parse(text)
    assert said in str(caught.value)
