from inferplane.dataplane.residency.ledger import Ledger


def ledger(**sizes: int) -> Ledger:
    return Ledger(limit=1000, base=100, sizes=sizes)


LAST_USED = {"a": 1.0, "b": 2.0, "c": 3.0}


def anybody(_: str) -> bool:
    return True


def test_the_least_recently_used_go_first_and_only_as_many_as_it_takes() -> None:
    kept = ledger(c=300, b=300, a=300)
    assert kept.victims(100, 1000, LAST_USED, anybody) == ["a"]
    assert kept.victims(400, 1000, LAST_USED, anybody) == ["a", "b"]


def test_one_that_may_not_go_is_passed_over() -> None:
    assert ledger(a=300, b=300, c=300).victims(100, 1000, LAST_USED, lambda name: name != "a") == ["b"]


def test_models_count_for_their_share_of_what_the_process_really_takes() -> None:
    """Measured 90 in all, while the process takes 900 beyond its base: each counts ten times what was measured."""
    assert ledger(a=30, b=30, c=30).victims(200, 1000, LAST_USED, anybody) == ["a"]


def test_nothing_goes_while_there_is_room_or_without_a_limit() -> None:
    kept = ledger(a=300)
    assert (kept.excess(400, 500), kept.victims(kept.excess(400, 500), 400, LAST_USED, anybody)) == (-100, [])
    unlimited = Ledger(limit=None, sizes={"a": 10**12})
    assert (unlimited.excess(10**13), unlimited.victims(1, 10**13, LAST_USED, anybody)) == (0, [])


def test_a_model_fits_at_all_if_it_fits_beside_an_empty_process() -> None:
    assert (ledger().fits_at_all(900), ledger().fits_at_all(901), Ledger(None).fits_at_all(10**15)) == (
        True,
        False,
        True,
    )
