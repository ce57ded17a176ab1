"""What is packed comes back as it was, and takes little."""

import os

import msgspec
import pytest

from inferplane.controlplane.machinery.packing import Packer, Squeezer
from inferplane.resources.core import Service
from inferplane.resources.gateway import HTTPRoute


def service(number: int) -> Service:
    name = f"iris-{number}-predictor"
    meta = {"name": name, "namespace": "default", "uid": f"{number:08d}-0", "labels": {"app": name}}
    return msgspec.convert({"metadata": meta, "spec": {"ports": [{"port": 80, "targetPort": 8080}]}}, Service)


def test_views_come_back_equal_whichever_dictionary_they_were_packed_with() -> None:
    packer = Packer(Service)
    packed = [packer.pack(service(number)) for number in range(600)]
    assert {one[0] for one in packed} == {0, 1, 2, 3}
    assert [packer.unpack(one) for one in packed] == [service(number) for number in range(600)]


def test_objects_that_are_alike_take_a_fraction_each() -> None:
    packer = Packer(Service)
    sizes = [len(packer.pack(service(number))) for number in range(100)]
    assert sizes[0] > 100
    assert max(sizes[8:]) < 50


def test_plain_json_comes_back_with_its_types() -> None:
    packer = Packer(dict)
    value = {"spec": {"replicas": 2, "share": 0.5, "paused": None, "names": ["a", "ü"]}}
    assert packer.unpack(packer.pack(value)) == value


@pytest.mark.parametrize("size", [0, 1, 16_384, 16_385, 200_000])
def test_texts_of_any_size_come_back(size: int) -> None:
    squeezer, text = Squeezer(), os.urandom(size)
    assert squeezer.unpack(squeezer.pack(text)) == text


def test_an_empty_view_comes_back() -> None:
    packer = Packer(HTTPRoute)
    assert packer.unpack(packer.pack(HTTPRoute())) == HTTPRoute()
