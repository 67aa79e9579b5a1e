from __future__ import annotations

import dataclasses
import json
from typing import Literal

import pytest

from latentia.core.errors import UserError
from latentia.core.spec import Part, Spec, fit, parse


@dataclasses.dataclass(frozen=True)
class Sample(Part):
    kind = "sample"
    name = "sample"

    count: int = 1
    rate: float = 0.5
    on: bool = False
    mode: Literal["fast", "slow"] = "fast"
    widths: tuple[int, ...] = (1, 2)
    limit: float | None = None
    variance: float | Literal["learned"] = 1.0
    steps: str = ""

    def __post_init__(self):
        self.require(self.count >= 0, "count", "0 or more")


@pytest.mark.parametrize(
    "spec",
    [
        Sample(),
        Sample(count=3, rate=1e-5, on=True, mode="slow", widths=(8, 16, 32), limit=2.0, variance="learned"),
        Sample(widths=(), steps="mask:p=0.3,share=true+blocks:count=2"),
        Sample(steps="a:b=(1,2)"),
    ],
)
def test_comes_back_from_text_and_json(spec):
    name, fields = parse(str(spec))
    assert name == "sample"
    assert Sample.from_fields(fields) == spec
    values = json.loads(json.dumps(spec.to_json()))
    assert values.pop("name") == "sample"
    assert Sample.from_fields(values) == spec


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", ("a", {})),
        ("a:b=1,c=2", ("a", {"b": "1", "c": "2"})),
        ("a:b=(1,2),c=x", ("a", {"b": "1,2", "c": "x"})),
        ("a:s=m:p=1,t=(n:q=(1,2),r=3)", ("a", {"s": "m:p=1", "t": "n:q=(1,2),r=3"})),
    ],
)
def test_parse(text, expected):
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("value", "hint", "expected"),
    [
        ("3", int, 3),
        ("1e3", int, 1000),
        ("0.25", float, 0.25),
        ("yes", bool, True),
        ("Off", bool, False),
        ("8x16", tuple[int, ...], (8, 16)),
        ([8, 16], tuple[int, ...], (8, 16)),
        (4, tuple[int, ...], (4,)),
        ("none", float | None, None),
        ("learned", float | Literal["learned"], "learned"),
    ],
)
def test_fit(value, hint, expected):
    assert fit(value, hint, "x") == expected


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"cuont": 1}, r"Sample has no option 'cuont'; did you mean 'count'\? \(its options: count, limit,"),
        ({"count": "1.5"}, r"Sample.count is '1.5', but it must be a whole number"),
        ({"count": True}, r"Sample.count is True, but it must be a whole number"),
        ({"count": -1}, r"sample.count is -1, but it must be 0 or more"),
        ({"rate": "fast"}, r"Sample.rate is 'fast', but it must be a number"),
        ({"rate": float("nan")}, r"Sample.rate is nan, but it must be a number"),
        ({"on": "perhaps"}, r"Sample.on is 'perhaps', but it must be true or false"),
        ({"mode": "slwo"}, r"Sample.mode is 'slwo', but it must be one of fast, slow; did you mean 'slow'\?"),
        ({"steps": 3}, r"Sample.steps is 3, but it must be a text"),
    ],
)
def test_errors_name_field_value_and_remedy(fields, message):
    with pytest.raises(UserError, match=message):
        Sample.from_fields(fields)


def test_text_without_equals():
    with pytest.raises(UserError, match="'mask:p' cannot be read: write NAME:FIELD=VALUE,FIELD=VALUE"):
        parse("mask:p")


def test_a_field_that_no_text_can_hold_is_the_developers_mistake():
    @dataclasses.dataclass(frozen=True)
    class Wrong(Spec):
        table: dict = None

    with pytest.raises(TypeError, match="a spec cannot hold"):
        fit({}, dict, "Wrong.table")
