"""The registry: a part exists because its file exists.

A kind of part is a package (``latentia.parts.corruptions``); each module in it that does not begin with an underscore
holds one public subclass of the kind's base class, and the module's name is the part's name (``salt_and_pepper.py`` is
``salt-and-pepper``). Names and fields can be listed without importing a part, so that help texts need no torch.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import importlib
import importlib.util
import pkgutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from latentia.core.errors import UserError, unknown
from latentia.core.spec import Part, parse


@dataclasses.dataclass(frozen=True)
class Description:
    """What a help text says of a part: its first line and, for each field, annotation and default as written."""

    name: str
    summary: str
    fields: tuple[tuple[str, str, str], ...]


@dataclasses.dataclass(frozen=True)
class Registry:
    """All parts of one kind. ``kind`` is the option's name, ``package`` where the parts' modules lie."""

    kind: str
    package: str

    def names(self) -> tuple[str, ...]:
        """Return the names of all parts, sorted, without importing any of them."""
        return tuple(sorted(_public_modules(self.package)))

    def get(self, name: str) -> type[Part]:
        """Return the class called ``name``.

        Raises:
            UserError: there is none; the nearest name is suggested.
        """
        modules = _public_modules(self.package)
        if name not in modules:
            raise unknown(self.kind, name, modules)
        return _part_class(f"{self.package}.{modules[name]}", name)

    def make(self, part: str | Mapping[str, Any] | Part, **fields: Any) -> Part:
        """Return the part for ``"name"``, ``"name:field=value"``, its JSON form, or a part as it is; ``fields`` override.

        Raises:
            UserError: an unknown name or field, or a value that does not fit.
        """
        if isinstance(part, Part):
            if part.kind != self.kind:
                raise UserError(f"{part.name!r} is a {part.kind}, where a {self.kind} is needed")
            name, given = part.name, part.fields()
        elif isinstance(part, str):
            name, given = parse(part)
        else:
            given = dict(part)
            name = str(given.pop("name", ""))
        return self.get(name).from_fields({**given, **fields}, owner=name)

    def describe(self, name: str) -> Description:
        """Return the summary and the fields of a part, read from its source without importing it."""
        modules = _public_modules(self.package)
        if name not in modules:
            raise unknown(self.kind, name, modules)
        tree = ast.parse((_folder(self.package) / f"{modules[name]}.py").read_text(encoding="utf-8"))
        summary = (ast.get_docstring(tree) or "").splitlines()[:1]
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and node.decorator_list:
                fields = tuple(
                    (item.target.id, ast.unparse(item.annotation), ast.unparse(item.value) if item.value else "")
                    for item in node.body
                    if isinstance(item, ast.AnnAssign)
                    and isinstance(item.target, ast.Name)
                    and "ClassVar" not in ast.unparse(item.annotation)
                )
                return Description(name, summary[0] if summary else "", fields)
        return Description(name, summary[0] if summary else "", ())


@functools.cache
def _folder(package: str) -> Path:
    specification = importlib.util.find_spec(package)
    if specification is None or not specification.submodule_search_locations:
        raise ModuleNotFoundError(package)
    return Path(next(iter(specification.submodule_search_locations)))


@functools.cache
def _public_modules(package: str) -> dict[str, str]:
    modules = (module.name for module in pkgutil.iter_modules([str(_folder(package))]))
    return {module.replace("_", "-"): module for module in modules if not module.startswith("_")}


@functools.cache
def _part_class(module_name: str, name: str) -> type[Part]:
    module = importlib.import_module(module_name)
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Part)
        and value.__module__ == module_name
        and not value.__name__.startswith("_")
    ]
    if len(found) != 1:
        raise TypeError(f"{module_name} must hold exactly one public part, but it holds {len(found)}")
    found[0].name = name
    return found[0]
