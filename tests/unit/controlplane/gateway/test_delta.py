"""One client's stream as a conversation: requests and changes in, responses out."""

from collections.abc import Sequence

from envoy.service.discovery.v3 import discovery_pb2

from inferplane.controlplane.gateway.delta import Client, Kind, Resource, Wanted


def resource(kind: Kind, name: str, version: str = "1", needs: Sequence[str] = ()) -> Resource:
    return Resource(kind, name, version, b"", frozenset(needs))


class Conversation:
    """An Envoy that says what it is told to, and a server that is asked for its responses after everything."""

    def __init__(self, *wanted: Resource, ready: bool = True) -> None:
        self.wanted = Wanted()
        self.wanted.ready = ready
        for one in wanted:
            self.wanted.put(one)
        self.client = Client(self.wanted)
        self.nonces: dict[Kind, str] = {}

    def said(self) -> list[tuple[str, list[str], list[str]]]:
        """(kind, resources sent, resources taken away) of each response that goes out now."""
        out = []
        for response in self.client.responses():
            kind = Kind(response.type_url)
            self.nonces[kind] = response.nonce
            sent = [f"{one.name}@{one.version}" for one in response.resources]
            out.append((kind.name, sorted(sent), sorted(response.removed_resources)))
        return out

    def asks(
        self, kind: Kind, *names: str, has: dict[str, str] | None = None, leaves: Sequence[str] = ()
    ) -> dict[Kind, set[str]]:
        return self.client.receive(
            discovery_pb2.DeltaDiscoveryRequest(
                type_url=kind,
                resource_names_subscribe=names,
                resource_names_unsubscribe=leaves,
                initial_resource_versions=has or {},
            )
        )

    def takes(self, kind: Kind, error: str = "") -> set[str]:
        request = discovery_pb2.DeltaDiscoveryRequest(type_url=kind, response_nonce=self.nonces[kind])
        if error:
            request.error_detail.message = error
        return self.client.receive(request).get(kind, set())

    def puts(self, one: Resource) -> None:
        self.wanted.put(one)
        self.client.changed(one.kind, [one.name])

    def drops(self, kind: Kind, name: str) -> None:
        self.wanted.drop(kind, name)
        self.client.changed(kind, [name])


def serving() -> Conversation:
    """An Envoy that has one host, its cluster, endpoints, listener and table."""
    talk = Conversation(
        resource(Kind.CLUSTER, "c"),
        resource(Kind.ENDPOINTS, "c"),
        resource(Kind.LISTENER, "http"),
        resource(Kind.ROUTES, "http"),
        resource(Kind.HOST, "http/a", needs=["c"]),
    )
    for kind, names in ((Kind.CLUSTER, ""), (Kind.ENDPOINTS, "c"), (Kind.LISTENER, ""), (Kind.ROUTES, "http")):
        talk.asks(kind, *names.split())
        talk.said()
        talk.takes(kind)
    talk.asks(Kind.HOST, "http")
    assert talk.said() == [("HOST", ["http/a@1"], [])]
    talk.takes(Kind.HOST)
    return talk


def test_nothing_is_said_before_everything_is_known() -> None:
    talk = Conversation(ready=False)
    talk.asks(Kind.CLUSTER, has={"c": "1"})
    assert talk.said() == []
    talk.wanted.put(resource(Kind.CLUSTER, "c"))
    talk.wanted.ready = True
    assert talk.said() == []
    assert talk.client.held(Kind.CLUSTER, "c") is not None


def test_a_first_request_is_answered_even_with_nothing() -> None:
    talk = Conversation()
    talk.asks(Kind.CLUSTER)
    assert talk.said() == [("CLUSTER", [], [])]


def test_changes_that_come_while_a_response_is_in_flight_travel_together_in_the_next() -> None:
    talk = Conversation(resource(Kind.CLUSTER, "a"))
    talk.asks(Kind.CLUSTER)
    talk.said()
    for name in "bc":
        talk.puts(resource(Kind.CLUSTER, name))
        assert talk.said() == []
    talk.takes(Kind.CLUSTER)
    assert talk.said() == [("CLUSTER", ["b@1", "c@1"], [])]


def test_a_host_waits_for_its_clusters_and_their_endpoints_and_holds_up_no_other() -> None:
    talk = serving()
    talk.puts(resource(Kind.HOST, "http/b", needs=["d"]))
    talk.puts(resource(Kind.CLUSTER, "d"))
    talk.puts(resource(Kind.ENDPOINTS, "d"))
    talk.puts(resource(Kind.HOST, "http/x", needs=["c"]))
    assert talk.said() == [("CLUSTER", ["d@1"], []), ("HOST", ["http/x@1"], [])]
    talk.takes(Kind.HOST)
    talk.asks(Kind.ENDPOINTS, "d")
    assert talk.said() == [("ENDPOINTS", ["d@1"], [])]
    talk.takes(Kind.CLUSTER)
    assert talk.said() == []
    talk.takes(Kind.ENDPOINTS)
    assert talk.said() == [("HOST", ["http/b@1"], [])]


def test_a_cluster_goes_after_the_last_host_that_needs_it() -> None:
    talk = serving()
    talk.drops(Kind.CLUSTER, "c")
    talk.drops(Kind.ENDPOINTS, "c")
    assert talk.said() == []
    talk.drops(Kind.HOST, "http/a")
    assert talk.said() == [("HOST", [], ["http/a"])]
    assert talk.said() == []
    talk.takes(Kind.HOST)
    assert talk.said() == [("CLUSTER", [], ["c"])]


def test_a_host_that_needs_a_cluster_again_waits_until_it_has_gone_and_come_back() -> None:
    talk = serving()
    for kind in (Kind.CLUSTER, Kind.ENDPOINTS):
        talk.puts(resource(kind, "other"))
    talk.said()
    talk.takes(Kind.CLUSTER)
    talk.asks(Kind.ENDPOINTS, "other")
    talk.said()
    talk.takes(Kind.ENDPOINTS)
    talk.puts(resource(Kind.HOST, "http/a", "2", needs=["other"]))
    for kind in (Kind.CLUSTER, Kind.ENDPOINTS):
        talk.drops(kind, "c")
    assert talk.said() == [("HOST", ["http/a@2"], [])]
    talk.takes(Kind.HOST)
    assert talk.said() == [("CLUSTER", [], ["c"])]
    # Wanted again before Envoy has said that it is gone.
    for kind in (Kind.CLUSTER, Kind.ENDPOINTS):
        talk.puts(resource(kind, "c"))
    talk.puts(resource(Kind.HOST, "http/a", "3", needs=["c"]))
    assert talk.said() == []
    talk.takes(Kind.CLUSTER)
    talk.asks(Kind.ENDPOINTS, leaves=["c"])
    assert talk.said() == [("CLUSTER", ["c@1"], [])]
    talk.asks(Kind.ENDPOINTS, "c")
    talk.takes(Kind.CLUSTER)
    assert talk.said() == [("ENDPOINTS", ["c@1"], [])]
    talk.takes(Kind.ENDPOINTS)
    assert talk.said() == [("HOST", ["http/a@3"], [])]


def test_endpoints_come_again_with_their_cluster_though_the_client_never_left_them() -> None:
    talk = serving()
    for kind, name in ((Kind.HOST, "http/a"), (Kind.CLUSTER, "c"), (Kind.ENDPOINTS, "c")):
        talk.drops(kind, name)
    talk.said()
    talk.takes(Kind.HOST)
    talk.said()
    for kind in (Kind.CLUSTER, Kind.ENDPOINTS):
        talk.puts(resource(kind, "c"))
    talk.takes(Kind.CLUSTER)
    assert talk.said() == [("CLUSTER", ["c@1"], []), ("ENDPOINTS", ["c@1"], [])]


def test_after_a_reconnect_only_differences_are_sent() -> None:
    talk = Conversation(
        resource(Kind.CLUSTER, "same", "1"), resource(Kind.CLUSTER, "newer", "2"), resource(Kind.LISTENER, "http")
    )
    talk.asks(Kind.CLUSTER, has={"same": "1", "newer": "1", "gone": "1"})
    assert talk.said() == [("CLUSTER", ["newer@2"], [])]
    talk.takes(Kind.CLUSTER)
    talk.asks(Kind.LISTENER, has={})
    # No listeners, so no hosts that could need the cluster.
    assert talk.said() == [("CLUSTER", [], ["gone"]), ("LISTENER", ["http@1"], [])]


def test_after_a_reconnect_what_the_client_has_is_progress_to_those_who_wait() -> None:
    talk = Conversation(resource(Kind.CLUSTER, "c"))
    assert talk.asks(Kind.CLUSTER, has={"c": "1"}) == {Kind.CLUSTER: {"c"}}


def test_after_a_reconnect_no_cluster_goes_before_the_client_has_told_its_hosts() -> None:
    talk = Conversation(resource(Kind.LISTENER, "http"), resource(Kind.ROUTES, "http"))
    talk.asks(Kind.CLUSTER, has={"c": "1"})
    talk.asks(Kind.LISTENER, has={"http": "1"})
    talk.asks(Kind.ROUTES, "http", has={"http": "1"})
    assert talk.said() == []
    talk.asks(Kind.HOST, "http", has={"http/a": "1"})
    assert talk.said() == [("HOST", [], ["http/a"])]
    talk.takes(Kind.HOST)
    assert talk.said() == [("CLUSTER", [], ["c"])]


def test_a_refused_batch_is_halved_until_the_offender_is_alone() -> None:
    talk = Conversation(*(resource(Kind.CLUSTER, name) for name in "abcd"))
    talk.asks(Kind.CLUSTER)
    rounds = 0
    while responses := talk.said():
        rounds += 1
        bad = any("c@1" in sent for _, sent, _ in responses)
        talk.takes(Kind.CLUSTER, error="bad c" if bad else "")
    refusal = talk.client.refusal(Kind.CLUSTER, "c")
    assert refusal is not None
    assert (refusal.version, refusal.message) == ("1", "bad c")
    assert all(talk.client.held(Kind.CLUSTER, name) for name in "abd")
    assert rounds == 5  # abcd, ab, cd, c, d


def test_a_refused_resource_is_sent_again_only_when_it_changed() -> None:
    talk = Conversation(resource(Kind.CLUSTER, "c"))
    talk.asks(Kind.CLUSTER)
    talk.said()
    assert talk.takes(Kind.CLUSTER, error="no") == {"c"}
    assert talk.said() == []
    talk.puts(resource(Kind.CLUSTER, "c", "2"))
    assert talk.said() == [("CLUSTER", ["c@2"], [])]
    talk.takes(Kind.CLUSTER)
    assert talk.client.refusal(Kind.CLUSTER, "c") is None


def test_a_changed_cluster_brings_its_endpoints_again() -> None:
    talk = serving()
    talk.puts(resource(Kind.CLUSTER, "c", "2"))
    assert talk.said() == [("CLUSTER", ["c@2"], []), ("ENDPOINTS", ["c@1"], [])]


def test_a_name_that_is_asked_for_again_is_sent_again() -> None:
    talk = serving()
    talk.asks(Kind.ENDPOINTS, "c")
    assert talk.said() == [("ENDPOINTS", ["c@1"], [])]


def test_a_name_that_does_not_exist_is_answered_as_removed() -> None:
    talk = Conversation()
    talk.asks(Kind.ENDPOINTS, "nobody")
    assert talk.said() == [("ENDPOINTS", [], ["nobody"])]


def test_hosts_go_with_their_table_and_return_with_it() -> None:
    talk = serving()
    talk.asks(Kind.HOST, leaves=["http"])
    assert talk.client.held(Kind.HOST, "http/a") is None
    talk.asks(Kind.HOST, "http")
    assert talk.said() == [("HOST", ["http/a@1"], [])]


def test_an_answer_to_an_older_response_changes_nothing() -> None:
    talk = Conversation(resource(Kind.CLUSTER, "c"))
    talk.asks(Kind.CLUSTER)
    talk.said()
    talk.nonces[Kind.CLUSTER] = "other"
    assert talk.takes(Kind.CLUSTER) == set()
    assert talk.client.held(Kind.CLUSTER, "c") is None
