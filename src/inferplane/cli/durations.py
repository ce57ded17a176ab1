"""Durations as options: `10s`, `500ms`, `2m`."""

import re

import click


class Duration(click.ParamType[float]):
    """`10`, `10s`, `500ms`, `2m` → seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, int | float):
            return float(value)
        found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|)", str(value).strip())
        if found is None:
            self.fail(f"{value!r} is no duration; expected for example 10s, 500ms or 2m", param, ctx)
        return float(found[1]) * {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0}[found[2]]
