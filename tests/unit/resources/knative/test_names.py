"""Names of children."""

import hashlib

import pytest

from inferplane.resources.knative import names


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def test_a_revision_is_numbered_by_its_generation() -> None:
    assert names.revision("hello", 3) == "hello-00003"
    assert names.revision("hello", 123456) == "hello-123456"


@pytest.mark.parametrize("length", [57, 58, 100])
def test_a_name_that_gets_too_long_is_cut_and_its_hash_keeps_it_unique(length: int) -> None:
    parent = "a" * length
    found = names.child(parent, "-00001")
    assert len(found) == 63
    assert found == (parent + "-00001" if length == 57 else "a" * 25 + md5(parent) + "-00001")


def test_an_endless_suffix_is_hashed_together_with_its_parent() -> None:
    suffix = "-" + "s" * 60
    found = names.child("parent", suffix)
    assert found == ("parent" + md5("parent" + suffix) + suffix)[:63]
