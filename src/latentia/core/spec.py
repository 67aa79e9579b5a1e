"""Specs: frozen dataclasses of plain values that turn into JSON, into command-line options, and back.

A spec's fields hold ints, floats, bools, strings, ``None`` and tuples of them; so a spec can be compared, hashed,
written down and read again without loss. The text form of a named spec is ``name`` or ``name:field=value,field=value``.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from latentia.core.errors import UserError, nearest


@dataclasses.dataclass(frozen=True)
class Spec:
    """Base of everything that is configured by plain fields."""

    @classmethod
    def from_fields(cls, values: Mapping[str, Any], *, owner: str | None = None) -> Self:
        """Build the spec from ``values`` (JSON values or the strings of a command line).

        Raises:
            UserError: a field does not exist, or a value does not fit its field.
        """
        owner = owner or cls.__name__
        hints = typing.get_type_hints(cls)
        known = {field.name for field in dataclasses.fields(cls)}
        fitted = {}
        for key, value in values.items():
            field = key.replace("-", "_")
            if field not in known:
                options = ", ".join(sorted(known)) or "none"
                raise UserError(f"{owner} has no option {key!r}{nearest(field, known)} (its options: {options})")
            fitted[field] = fit(value, hints[field], f"{owner}.{field}")
        return cls(**fitted)

    def fields(self) -> dict[str, Any]:
        """Return the fields as JSON values (tuples become lists)."""
        return {field.name: _plain(getattr(self, field.name)) for field in dataclasses.fields(self)}

    def require(self, condition: bool, field: str, rule: str) -> None:
        """Raise a :class:`UserError` that names ``field``, its value and ``rule`` unless ``condition`` holds."""
        if not condition:
            of = f"{self.name}." if isinstance(self, Part) else ""  # others are known by their fields alone
            raise UserError(f"{of}{field} is {getattr(self, field)!r}, but it must be {rule}")


@dataclasses.dataclass(frozen=True)
class Part(Spec):
    """A spec that the registry knows by ``kind`` (its room) and ``name`` (its file)."""

    kind: ClassVar[str]
    name: ClassVar[str]

    def to_json(self) -> dict[str, Any]:
        """Return ``{"name": …, field: value, …}``."""
        return {"name": self.name, **self.fields()}

    def __str__(self) -> str:
        changed = [
            f"{field.name}={_text(getattr(self, field.name))}"
            for field in dataclasses.fields(self)
            if getattr(self, field.name) != field.default
        ]
        return self.name + (":" + ",".join(changed) if changed else "")


def option(default: Any, help: str) -> Any:
    """Return a field with its default and the line that help texts show for it."""
    return dataclasses.field(default=default, metadata={"help": help})


def parse(text: str) -> tuple[str, dict[str, str]]:
    """Split ``"name:field=value,field=value"`` into its name and its fields; a value may itself hold commas in brackets.

    Raises:
        UserError: a field lacks its ``=``.
    """
    name, _, rest = text.partition(":")
    fields: dict[str, str] = {}
    for item in _split(rest):
        key, equals, value = item.partition("=")
        if not equals:
            raise UserError(f"{text!r} cannot be read: write NAME:FIELD=VALUE,FIELD=VALUE")
        fields[key.strip()] = _without_brackets(value.strip())
    return name.strip(), fields


def fit(value: Any, hint: Any, where: str) -> Any:
    """Return ``value`` as the type ``hint`` asks, reading strings as a command line gives them.

    Raises:
        UserError: the value does not fit.
    """
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        if value in arguments:
            return value
        choices = [str(argument) for argument in arguments]
        if value in choices:
            return arguments[choices.index(value)]
        raise UserError(
            f"{where} is {value!r}, but it must be one of {', '.join(choices)}{nearest(str(value), choices)}"
        )
    if origin in (typing.Union, types.UnionType):
        return _fit_union(value, arguments, where)
    if origin is tuple:
        items = value.replace("x", ",").split(",") if isinstance(value, str) else value
        if not isinstance(items, list | tuple):
            items = [items]
        return tuple(fit(item, arguments[0], where) for item in items if item != "")
    return _fit_scalar(value, hint, where)


def _fit_union(value: Any, arguments: tuple[Any, ...], where: str) -> Any:
    if type(None) in arguments and (value is None or (isinstance(value, str) and value.lower() == "none")):
        return None
    problem: UserError | None = None
    for argument in arguments:
        if argument is type(None):
            continue
        try:
            return fit(value, argument, where)
        except UserError as error:
            problem = problem or error
    raise problem or UserError(f"{where} cannot be {value!r}")


def _fit_scalar(value: Any, hint: Any, where: str) -> Any:
    if hint is bool:
        texts = {
            "true": True,
            "yes": True,
            "on": True,
            "1": True,
            "false": False,
            "no": False,
            "off": False,
            "0": False,
        }
        if isinstance(value, bool):
            return value
        if str(value).lower() in texts:
            return texts[str(value).lower()]
        raise UserError(f"{where} is {value!r}, but it must be true or false")
    if hint is int:
        try:
            number = float(value)
            if isinstance(value, bool) or number != int(number):
                raise ValueError
            return int(value) if isinstance(value, int) else int(number)
        except (TypeError, ValueError, OverflowError):
            raise UserError(f"{where} is {value!r}, but it must be a whole number") from None
    if hint is float:
        try:
            number = float(value)
            if isinstance(value, bool) or not math.isfinite(number):
                raise ValueError
            return number
        except (TypeError, ValueError):
            raise UserError(f"{where} is {value!r}, but it must be a number") from None
    if hint is str:
        if isinstance(value, str):
            return value
        raise UserError(f"{where} is {value!r}, but it must be a text")
    raise TypeError(f"{where}: a spec cannot hold {hint!r}")  # a developer's mistake, not a user's


def _split(text: str) -> list[str]:
    items, depth, current = [], 0, ""
    for character in text:
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            items.append(current)
            current = ""
        else:
            current += character
    return [item for item in [*items, current] if item.strip()]


def _without_brackets(text: str) -> str:
    return text[1:-1] if text.startswith("(") and text.endswith(")") else text


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return "(" + ",".join(map(str, value)) + ")"
    if isinstance(value, str) and "," in value:
        return f"({value})"  # brackets keep its commas from being read as the next field
    return str(value).lower() if isinstance(value, bool) else str(value)
