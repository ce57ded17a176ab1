"""Go's words for what is no JSON."""

import pytest

from inferplane.controlplane.apiserver.builtin.go_json import json_fault


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{"a": [1, null]}', ""),
        ("", "unexpected end of JSON input"),
        ('{"a"', "unexpected end of JSON input"),
        ('"open', "unexpected end of JSON input"),
        ("nul", "unexpected end of JSON input"),
        ("not json", "invalid character 'o' in literal null (expecting 'u')"),
        ("?", "invalid character '?' looking for beginning of value"),
        ("'", r"invalid character '\'' looking for beginning of value"),
        ("{} x", "invalid character 'x' after top-level value"),
        ("{a: 1}", "invalid character 'a' looking for beginning of object key string"),
        ('{"a" 1}', "invalid character '1' after object key"),
    ],
)
def test_a_text_is_faulted_in_the_words_of_go(text: str, fault: str) -> None:
    assert json_fault(text) == fault
