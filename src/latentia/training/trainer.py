"""The one loop. It takes a module and an objective, counts images, keeps sums on the device, and can be resumed to the bit."""

from __future__ import annotations

import contextlib
import functools
import math
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from latentia.core.errors import Interrupted, TrainingDiverged, UserError
from latentia.core.noise import Noise, derive
from latentia.core.ranks import Ranks, lost_peers, sharing
from latentia.core.share import Share
from latentia.data.batches import Batch, Batches
from latentia.training.average import averaged, copied
from latentia.training.checkpoint import Progress, State, checkpoint_state, load_checkpoint, save_checkpoint
from latentia.training.compiled import CompiledNetworks, used
from latentia.training.contract import Course, Terms, TrainingObjective, advance
from latentia.training.device import at_work, autocast_dtype, reseed
from latentia.training.optimizers import build_optimizer, parameter_groups, trained_by
from latentia.training.progress import ProgressBar
from latentia.training.recorded import RecordedStep
from latentia.training.run_folder import RunFolder
from latentia.training.settings import TrainSettings
from latentia.training.sharding import emptied, filled, local, shard, wholes
from latentia.training.signals import StopSignals
from latentia.training.storage import load_tensors, save_tensors
from latentia.training.team import Team
from latentia.training.tensorboard import Scalars, need_tensorboard
from latentia.training.update import Update, Updates

EPOCHS_APART = 1.0  # seconds: epochs that end faster than this are written down together


class Trainer:
    """Trains ``module`` for ``objective``.

    After :meth:`fit` :attr:`module` holds the weights with the best validation figure (the last ones where there is no
    validation set). It is the module that was given, except where that was shared out among processes.

    Args:
        module: any module; an objective may define ``parameter_groups(module, settings)`` where parameters differ in rate;
            a group with ``starts``, a share of training, is frozen until then.
        objective: gives the terms of the loss.
        train: the training batches, shuffled.
        validation: the batches to judge by, or ``None``.
        settings: see :class:`TrainSettings`.
        device: where module and batches are.
        folder: where the run is kept; ``None`` keeps nothing on disk.
        quiet: print nothing.
        ranks: the processes that train together, among whom ``train`` and ``validation`` are shared; ``None``: this alone.
    """

    def __init__(
        self,
        module: nn.Module,
        objective: TrainingObjective,
        train: Batches,
        validation: Batches | None,
        settings: TrainSettings,
        device: torch.device,
        folder: RunFolder | None = None,
        quiet: bool = False,
        ranks: Ranks | None = None,
    ) -> None:
        self.objective, self._unsharded = objective, module
        self.module = module if settings.shard else module.to(device)
        if ranks is not None:
            ranks.spread(self.module)  # first of all, so that averages begin at these weights, too
        if settings.shard:
            if ranks is None:
                raise UserError(
                    "a model is shared out by train and finetune alone, started with torchrun: leave --shard out"
                )
            self._unsharded = emptied(self.module)
            shard(self.module, objective, settings, device)
        self.train, self.validation = train, validation
        self.settings, self.device, self.folder, self.quiet = settings, device, folder, quiet
        self.total_steps = settings.epochs * len(train)
        groups = parameter_groups(objective, self.module, settings)
        self.optimizer = build_optimizer(settings.optimizer, groups, settings.learning_rate)
        average = copied(self.module.state_dict()) if settings.ema else None
        self.update = Update(self.module, self.optimizer, average, settings, self.total_steps)
        self.progress = Progress()
        self.history: list[dict[str, Any]] = []
        self.best_state: dict[str, Tensor] | None = None
        self._sums: dict[str, Tensor] = {}
        self._summed = 0  # images whose terms are in the sums
        self._unwritten: list[dict[str, Any]] = []  # records of epochs that ended since the folder was written to
        self._better, self._written = False, -math.inf  # whether the best weights changed since then; and when that was
        self._diverges = False
        self.sharing_time = 1  # trainings, this one among them, whose steps are taken together
        self._scalars: Scalars | None = None
        if settings.tensorboard:
            need_tensorboard()  # before a folder is made
        self._autocast = autocast_dtype(device, settings.precision)
        self._networks = CompiledNetworks(self.module) if settings.compile else None
        self.record_anew()
        self.team = None if ranks is None else Team(ranks, trained_by(self.optimizer))

    def restore(self) -> None:
        """Take up the state that the folder holds, where it holds one; see :class:`Progress`."""
        folder, team = self.folder, self.team
        if folder is None or not self._holds_state():
            return
        read = load_tensors(folder.checkpoint) if team is None else team.read(folder.checkpoint)
        loaded = load_checkpoint(folder.checkpoint, self.module, self.optimizer, self.device, read)
        self.progress, average, self._sums, self.history = loaded
        self.update.average = average if self.settings.ema else None
        self._summed = min(self.progress.position * self.train.batch_size, self.train.count)
        if team is not None and not team.place.leads:
            self._sums, self._summed = {name: torch.zeros_like(value) for name, value in self._sums.items()}, 0
        folder.rewind_metrics(self.history)

    def fit(self) -> list[dict[str, Any]]:
        """Train until the last epoch, or until ``patience`` runs out; return one record for each epoch.

        Raises:
            TrainingDiverged: the loss or a weight is no longer finite; the last good state is kept.
            Interrupted: Ctrl-C or SIGTERM; the state is saved.
            StorageError: the state could not be written; the one before stands.
        """
        done = self.progress.epoch * self.train.count + self.progress.position * self.train.batch_size
        with (
            at_work(self.device, steady=not self.settings.shard),
            StopSignals(patient=self.team is not None) as signals,
            ProgressBar(self.settings.epochs, self.train.count, done, self.quiet) as bar,
            contextlib.closing(self.course(signals, bar)) as course,
            lost_peers() if self.settings.shard else contextlib.nullcontext(),
        ):
            batch = next(course, None)
            while batch is not None:
                batch = advance(course, self.train_step(batch, self.progress.epoch))
        return self.history

    def course(self, signals: StopSignals, bar: ProgressBar) -> Course:
        """Go through all of training but the steps: these are taken by whoever is handed the batches.

        All that :meth:`fit` raises is raised here.
        """
        while not self.progress.finished:
            yield from self._run_epoch(bar, signals)
        self._take_best_weights()

    def _run_epoch(self, bar: ProgressBar, signals: StopSignals) -> Course:
        self.module.train()
        epoch, started = self.progress.epoch, time.monotonic()
        images_at_start, saved = self.progress.position * self.train.batch_size, started
        for batch in self.train.epoch(epoch, start=self.progress.position):
            self._add((yield batch), batch.counted)
            self.progress.position += 1
            self.progress.step += 1
            if bar.advance(len(batch)):
                self._show(bar, epoch)
            if self._is_time_to_save(signals, saved):
                now = time.monotonic()
                self.progress.seconds += (now - saved) / self.sharing_time
                saved = now
                self._save()
                self._stop_if_asked(signals)
        trained = time.monotonic()
        self.progress.seconds += (trained - saved) / self.sharing_time
        self._close_epoch(self.train.count - images_at_start, (trained - started) / self.sharing_time, bar)
        if self.team is not None:
            self.team.settle(stop=signals.received)
        self._stop_if_asked(signals)

    def _is_time_to_save(self, signals: StopSignals, saved: float) -> bool:
        due = time.monotonic() - saved > self.settings.checkpoint_seconds
        if self.team is None:
            return signals.received is not None or due
        leads = self.team.place.leads
        save, diverges = self.team.wishes(stop=signals.received, save=due and leads, diverged=self._diverges)
        if diverges:
            raise self._diverged("the loss or a weight is no longer finite")
        return save or self.team.stop is not None

    def train_step(self, batch: Batch, epoch: int) -> Terms:
        """Take one step of the optimiser; return the terms of each image."""
        # modules that draw by themselves, such as dropout, use the global generator; it is addressed here as well
        reseed(self.device, derive(self.settings.seed, "step", self.progress.step))
        terms = self.gradients(batch, epoch, self.share)
        if self.team is not None:
            self.team.add_gradients()
        self._updates([self.progress.step], self._replayed)
        return terms

    @property
    def share(self) -> float:
        """The share of training that is done, 0 to 1."""
        return self.progress.step / self.total_steps

    @property
    def average(self) -> dict[str, Tensor] | None:
        """The running average of the weights, where one is kept."""
        return self.update.average

    @property
    def records(self) -> bool:
        """Whether steps are recorded and replayed, where they can be."""
        recordable = all(getattr(part, "recordable", True) for part in self.module.modules())
        return self.device.type == "cuda" and self.settings.graph == "auto" and recordable and not self.settings.shard

    def record_anew(self) -> None:
        """Forget the step that was recorded, where there is one: it reads weights and writes gradients at fixed places."""
        self._recorded = RecordedStep(self.module, self._pass, self.settings.seed) if self.records else None
        self._updates = Updates([self.update], self.device, self.records)
        self._replayed = False  # whether the gradients as they stand are those of a recording

    def gradients(self, batch: Batch, epoch: int, share: float) -> Terms:
        """Leave the gradients of a batch's mean loss behind and return the terms; replayed where it can be."""
        if self._recorded is not None and self.may_replay(len(batch)):
            found = self._recorded(batch, share, "train", epoch)
            self._replayed = found is not None
            if found is not None:
                return found
        self._replayed = False
        return self._pass(batch, Noise(self.settings.seed, batch.ids, "train", epoch), share)

    def may_replay(self, images: int) -> bool:
        """Return whether the step of a batch of so many images can be one that was recorded."""
        if images != self.train.batch_size:
            return False
        return self.team is None or not self.team.ranks.exchanged  # what is exchanged within a pass cannot be recorded

    def _pass(self, batch: Batch, noise: Noise, share: Share) -> Terms:
        with self._shared(batch):
            with self.precision(), used(self._networks, len(batch) == self.train.batch_size):
                terms = self.objective(self.module, batch.pixels, batch.labels, noise, share)
            # of several processes, each has its share of the mean over the images of all
            loss = terms["loss"].mean() if self.team is None else terms["loss"][: batch.counted].sum() / len(batch)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
        return terms

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Return the mean of each figure over the validation images, with the averaged weights where there are any."""
        assert self.validation is not None  # a developer's invariant: asked only where there are such images
        self.module.eval()
        sums: dict[str, Tensor] = {}
        with averaged(self.module, self.average):
            for batch in self.validation:
                noise = Noise(self.settings.seed, batch.ids, "validation")
                with self.precision(), self._shared(batch):
                    figures = self.objective.evaluate(self.module, batch.pixels, batch.labels, noise)
                for name, values in figures.items():
                    total = values[: batch.counted].sum(dtype=self._sum_dtype)
                    sums[name] = sums[name] + total if name in sums else total
        self.module.train()
        sums = sums if self.team is None else self.team.sums(sums)
        return {name: float(total) / len(self.validation.images) for name, total in sums.items()}

    def _close_epoch(self, images: int, seconds: float, bar: ProgressBar) -> None:
        progress, settings = self.progress, self.settings
        if self.team is not None:
            self._sums = self.team.sums(self._sums)
            self.team.check_alike()
        self._check_finite(self._sums)
        record: dict[str, Any] = {
            "epoch": progress.epoch + 1,
            "images": (progress.epoch + 1) * self.train.count,
            "seconds": round(progress.seconds, 3),
            "images_per_second": round(images / max(seconds, 1e-9), 1),
            "learning_rate": self.optimizer.param_groups[0]["lr"],
            "train": {name: float(value) / self.train.count for name, value in self._sums.items()},
        }
        judged = record["train"]
        if self.validation is not None:
            judged = record["validation"] = self.validate()
        headline = judged[self.objective.headline]
        if not math.isfinite(headline):
            raise self._diverged(f"the validation loss is {headline}")
        better = headline < progress.best or self.validation is None
        if better:
            progress.best, progress.best_epoch = headline, progress.epoch + 1
        progress.epoch, progress.position, self._sums, self._summed = progress.epoch + 1, 0, {}, 0
        stale = progress.epoch - progress.best_epoch
        progress.finished = progress.epoch >= settings.epochs or bool(settings.patience and stale >= settings.patience)
        self.history.append(record)
        if better:
            self.best_state = copied(self.module.state_dict() if self.average is None else self.average)
        self._unwritten.append(record)
        self._better = self._better or better
        due = time.monotonic() - self._written >= min(EPOCHS_APART, settings.checkpoint_seconds)
        if progress.finished or due or self.team is not None:
            self._write({})
        bar.epoch_line(record)

    def _save(self) -> None:
        sums = self._sums if self.team is None else self.team.sums(self._sums)
        self._check_finite(sums)
        self._write(sums)

    def _writing(self, folder: RunFolder, sums: dict[str, Tensor] | None) -> Callable[[], None]:
        """Return what writes all that is new; without ``sums``, which go with a sound state, not the state to resume from.

        Every process calls this, for each may hold a part of the weights.
        """
        best = wholes(self.best_state, to_write=True) if self._better and self.best_state is not None else None
        own = self.module, self.optimizer, self.average
        state = None if sums is None else checkpoint_state(*own, sums, self.progress, self.history)
        return functools.partial(self._write_state, folder, best, state)

    def _write_state(self, folder: RunFolder, best: dict[str, Tensor] | None, state: State | None) -> None:
        if best is not None:
            save_tensors(folder.path / "model.safetensors", best)
        if state is not None:
            save_checkpoint(folder.checkpoint, state)
        for record in self._unwritten:
            folder.append_metrics(record)
            if self.settings.tensorboard:
                self._scalars = self._scalars or Scalars(folder.path, record["epoch"] - 1)
                self._scalars.add(record)

    def _write(self, sums: dict[str, Tensor]) -> None:
        """Let the leading process write into the folder; that it failed is known to all."""
        if self.folder is not None:
            write = self._writing(self.folder, sums)
            write() if self.team is None else self.team.ranks.lead(write)
        self._unwritten, self._better, self._written = [], False, time.monotonic()

    def _stop_if_asked(self, signals: StopSignals) -> None:
        received = signals.received if self.team is None else self.team.stop
        if received is None or self.progress.finished:
            return
        if self._unwritten:
            self._save()
        saved = "" if self.folder is None else f" and its state saved: {self.folder.resuming}"
        raise Interrupted(f"training was interrupted in epoch {self.progress.epoch + 1}{saved}", received)

    def _check_finite(self, sums: dict[str, Tensor]) -> None:
        held = *sums.values(), *(local(parameter) for parameter in self.module.parameters())
        finite = all(bool(torch.isfinite(value).all()) for value in held)
        if not (finite if self.team is None else self.team.agree(finite)):
            raise self._diverged("the loss or a weight is no longer finite")

    def _holds_state(self) -> bool:
        folder = self.folder
        if folder is None:
            return False
        return folder.is_begun() if self.team is None else self.team.ranks.lead(folder.is_begun)

    def _diverged(self, what: str) -> TrainingDiverged:
        kept = "nothing was saved yet"
        if self._holds_state():
            kept = f"the last good state is kept in {self.folder.path}"  # type: ignore[union-attr]
        if self._unwritten and self.folder is not None:
            self._writing(self.folder, None)()
        return TrainingDiverged(
            f"training stopped in epoch {self.progress.epoch + 1}, step {self.progress.step}: {what}; {kept}; "
            f"try a lower --learning-rate than {self.settings.learning_rate:g}, or --clip 1"
        )

    def _show(self, bar: ProgressBar, epoch: int) -> None:
        """Show the running loss, of this process's images where there are several."""
        loss = float(self._sums["loss"]) / max(self._summed, 1)
        if math.isfinite(loss):
            bar.show(epoch, loss)
        elif self.team is None:
            raise self._diverged(f"the loss is {loss}")
        self._diverges = not math.isfinite(loss)

    def _add(self, terms: Terms, counted: int | None) -> None:
        values = torch.stack([values.detach()[:counted] for values in terms.values()])
        totals = dict(zip(terms, values.sum(1, dtype=self._sum_dtype).unbind(), strict=True))
        if self._sums.keys() == totals.keys():  # one launch for all
            torch._foreach_add_([self._sums[name] for name in totals], list(totals.values()))
        else:
            self._sums = {name: total + self._sums.get(name, 0.0) for name, total in totals.items()}
        self._summed += values.shape[1]

    @property
    def _sum_dtype(self) -> torch.dtype:
        return torch.float32 if self.device.type == "mps" else torch.float64

    def _shared(self, batch: Batch) -> contextlib.AbstractContextManager[Any]:
        return contextlib.nullcontext() if self.team is None else sharing(self.team.ranks, len(batch))

    def precision(self) -> contextlib.AbstractContextManager[Any]:
        """Return what a forward pass is computed in."""
        if self._autocast is None:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=self._autocast)

    def _take_best_weights(self) -> None:
        if self.best_state is None and self.folder is not None:
            path = self.folder.path / "model.safetensors"
            self.best_state, _ = load_tensors(path) if self.team is None else self.team.read(path)
        self.module = filled(self._unsharded, wholes(self.best_state or self.module.state_dict())).eval()
        if self.settings.shard:
            self.module.cpu()  # where the whole was gathered
