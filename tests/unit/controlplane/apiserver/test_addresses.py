from inferplane.controlplane.apiserver.addresses import RANGE, Addresses
from inferplane.kernel.json import Json, JsonObject, object_at


def service(name: str, **spec: Json) -> JsonObject:
    return {"metadata": {"namespace": "n", "name": name}, "spec": spec}


def address(book: Addresses, obj: JsonObject) -> object:
    return object_at(book.assign(obj), "spec")["clusterIP"]


def test_a_name_gets_the_same_address_wherever_it_is_free() -> None:
    first, second = address(Addresses(), service("iris")), address(Addresses(), service("iris"))
    assert first == second
    assert str(first).startswith("10.")


def test_an_address_that_is_taken_is_not_given_twice() -> None:
    book = Addresses()
    assert address(book, service("iris")) != address(book, service("iris"))


def test_a_thousand_services_have_a_thousand_addresses_in_the_range() -> None:
    book = Addresses()
    given = {str(address(book, service(f"s{n}"))) for n in range(1000)}
    assert len(given) == 1000
    assert all(one in RANGE.network_address.compressed or one.startswith("10.") for one in given)


def test_a_released_address_is_free_again() -> None:
    book = Addresses()
    made = book.assign(service("iris"))
    book.release(made)
    assert address(book, service("iris")) == object_at(made, "spec")["clusterIP"]


def test_headless_and_external_services_get_none() -> None:
    book = Addresses()
    assert address(book, service("a", clusterIP="None")) == "None"
    assert "clusterIP" not in object_at(book.assign(service("b", type="ExternalName")), "spec")


def test_node_ports_are_given_where_the_type_wants_them_and_none_is_given() -> None:
    ports: list[Json] = [{"port": 80}, {"port": 81, "nodePort": 30123}]
    made = object_at(Addresses().assign(service("a", type="NodePort", ports=ports)), "spec")["ports"]
    assert isinstance(made, list)
    numbers = [port["nodePort"] for port in made if isinstance(port, dict)]
    assert numbers[1] == 30123
    assert isinstance(numbers[0], int)
    assert 30000 <= numbers[0] < 32768
