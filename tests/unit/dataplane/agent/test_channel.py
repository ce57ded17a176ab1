import msgspec

from inferplane.dataplane.agent.channel import PACKET, Incoming, packets
from inferplane.dataplane.agent.events import Exchange


def exchange(body: bytes) -> Exchange:
    return Exchange("", "POST", "/", {}, body, 0.0, 200, "", 0, None, 0.0)


def message(*bodies: bytes) -> bytes:
    return msgspec.msgpack.encode([exchange(body) for body in bodies])


def bodies(found: list[Exchange]) -> list[bytes | None]:
    return [one.body for one in found]


def test_a_short_list_is_one_packet() -> None:
    [packet] = packets(1, message(b"a", b"b"))
    assert bodies(Incoming().feed(packet)) == [b"a", b"b"]


def test_a_long_list_comes_in_parts_and_senders_do_not_mix() -> None:
    one, other, incoming = bytes(3 * PACKET), b"x" * (2 * PACKET), Incoming()
    parts = [list(packets(1, message(one))), list(packets(2, message(other)))]
    assert [len(part) for part in parts] == [4, 3]
    found = [bodies(incoming.feed(packet)) for pair in zip(*parts, strict=False) for packet in pair]
    assert found == [[], [], [], [], [], [other]]
    assert bodies(incoming.feed(parts[0][3])) == [one]


def test_the_rest_of_what_another_reader_began_is_thrown_away() -> None:
    *_, last = packets(1, message(bytes(2 * PACKET)))
    incoming = Incoming()
    assert incoming.feed(last) == []
    [packet] = packets(1, message(b"next"))
    assert bodies(incoming.feed(packet)) == [b"next"]
