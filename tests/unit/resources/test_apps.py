import msgspec

from inferplane.resources.apps import Deployment


def test_a_deployment_that_nobody_defaulted_rolls_with_a_quarter_up_and_a_quarter_down() -> None:
    spec = msgspec.convert({"metadata": {"name": "web"}, "spec": {"selector": {}}}, Deployment).spec
    assert (spec.replicas, spec.strategy.type, spec.revision_history_limit) == (1, "RollingUpdate", 10)
    assert (spec.strategy.rolling_update.max_surge, spec.strategy.rolling_update.max_unavailable) == ("25%", "25%")


def test_counts_in_a_strategy_may_be_numbers() -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    spec = msgspec.convert({"spec": {"strategy": strategy}}, Deployment).spec
    assert (spec.strategy.rolling_update.max_surge, spec.strategy.rolling_update.max_unavailable) == (1, 0)
