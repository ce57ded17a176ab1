"""Revisions as a table and as JSON."""

from datetime import UTC, datetime

from tests.unit.cli.rollout.canaries import ALONE, CANARY, FIRST, SECOND, T0, revision, rollout

from inferplane.cli.rollout.render import document, table

NOW = datetime(2026, 5, 1, 12, 0, 12, tzinfo=UTC)


def cells(lines: list[str]) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("   ") if cell] for line in lines]


def test_a_canary_and_the_stable_revision_are_shown_newest_first() -> None:
    assert cells(table(rollout(CANARY), NOW)) == [
        ["COMPONENT", "REVISION", "SHARE", "ROLE", "READY", "REPLICAS", "AGE"],
        ["predictor", "v2", "10 %", "canary", "True", "1/1", "12 s"],
        ["predictor", "v1", "90 %", "stable", "True", "1/1", "12 s"],
    ]


def test_old_revisions_are_counted_and_one_that_fails_says_why() -> None:
    failed, idle = revision("v3", 3, "False", 0, "RevisionFailed"), revision("v0", 0, replicas=0)
    body = CANARY | {
        "status": {"deploymentMode": "Knative", "components": {"predictor": {"latestCreatedRevision": "v3"}}}
    }
    lines = table(rollout(body, idle, revision("v1", 1, replicas=0), SECOND, failed), NOW)
    assert "False (RevisionFailed)" in lines[1]
    assert (len(lines), lines[-1]) == (4, "and 2 older revisions without requests")


def test_a_revision_without_another_one_is_the_newest() -> None:
    assert cells(table(rollout(ALONE, FIRST), NOW))[1][3] == "newest"


def test_for_programs_it_is_json() -> None:
    found = document(rollout(CANARY))
    assert found["components"] == [
        {
            "component": "predictor",
            "canaryTrafficPercent": 10,
            "revisions": [
                {
                    "name": name,
                    "percent": percent,
                    "role": role,
                    "ready": "True",
                    "replicas": {"ready": 1, "wanted": 1},
                    "created": T0,
                    "tags": tags,
                }
                for name, percent, role, tags in (("v2", 10, "canary", {}), ("v1", 90, "stable", {"prev": ""}))
            ],
        }
    ]
