"""A search by Optuna instead of a grid: each setting is chosen by what those before it came to (TPE, Bergstra et al. 2011)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from latentia.core.errors import UserError
from latentia.core.noise import derive

FACTOR = 10  # a range whose ends differ so many times is searched by factors
Setting = tuple[str, str, dict[str, Any]]


@dataclasses.dataclass(frozen=True)
class Range:
    """All values from ``low`` to ``high``: whole numbers where both are."""

    low: float
    high: float

    @property
    def whole(self) -> bool:
        """Whether its values are whole numbers."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def by_factors(self) -> bool:
        """Whether it is searched on a logarithmic scale."""
        return self.low > 0 and self.high >= FACTOR * self.low


def read_range(key: str, text: Any) -> Range | None:
    """Return the range that ``"2..64"`` or ``"1e-4..1e-2"`` stands for, ``None`` where it is no range.

    Raises:
        UserError: its ends are no numbers, or the wrong way round.
    """
    if not isinstance(text, str) or ".." not in text:
        return None
    ends = [_number(end.strip()) for end in text.split("..")]
    if len(ends) != 2 or None in ends or not ends[0] < ends[1]:  # type: ignore[operator]
        raise UserError(f"the range {text!r} of {key} cannot be read: write LOW..HIGH, such as 2..64 or 1e-4..1e-2")
    return Range(*ends)  # type: ignore[arg-type]


def optuna_search(
    presets: Sequence[str],
    axes: Mapping[str, Range | Sequence[Any]],
    trials: int,
    seed: int,
    attempt: Callable[[Setting], float | None],
) -> None:
    """Call ``attempt`` with ``trials`` settings; it returns the figure to make small, or ``None`` where training failed.

    Raises:
        UserError: Optuna is not installed.
    """
    optuna = need_optuna()
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        sampler = optuna.samplers.TPESampler(seed=derive(seed, "search") % 2**32)
        study = optuna.create_study(direction="minimize", sampler=sampler)
        for _ in range(trials):
            trial = study.ask()
            preset = presets[0] if len(presets) == 1 else trial.suggest_categorical("preset", list(presets))
            options = {key: _suggest(trial, key, axis) for key, axis in axes.items()}
            figure = attempt((name(preset, options, axes, len(presets)), preset, options))
            if figure is None:
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
            else:
                study.tell(trial, figure)
    finally:
        optuna.logging.set_verbosity(before)


def corners(presets: Sequence[str], axes: Mapping[str, Range | Sequence[Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield settings that hold every preset, every value and both ends of every range at least once."""
    ends = {key: [axis.low, axis.high] if isinstance(axis, Range) else list(axis) for key, axis in axes.items()}
    plain = {key: values[0] for key, values in ends.items()}
    for preset in presets:
        yield preset, plain
        for key, values in ends.items():
            for value in values[1:]:
                yield preset, {**plain, key: value}


def name(preset: str, options: Mapping[str, Any], axes: Mapping[str, Any], presets: int) -> str:
    """Return what tells a setting from the others."""
    telling = [f"{key}={value}" for key, value in options.items() if isinstance(axes[key], Range) or len(axes[key]) > 1]
    return " ".join([preset, *telling] if presets > 1 or not telling else telling)


def need_optuna() -> Any:
    """Return the module, or raise a :class:`UserError` that says how to install it."""
    try:
        import optuna
    except ImportError:
        raise UserError("the search 'optuna' needs optuna: pip install 'latentia[optuna]'") from None
    return optuna


def _suggest(trial: Any, key: str, axis: Range | Sequence[Any]) -> Any:
    if not isinstance(axis, Range):
        return axis[0] if len(axis) == 1 else trial.suggest_categorical(key, list(axis))
    if axis.whole:
        return trial.suggest_int(key, axis.low, axis.high, log=axis.by_factors)
    return float(f"{trial.suggest_float(key, axis.low, axis.high, log=axis.by_factors):.3g}")


def _number(text: str) -> float | None:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return None
