"""What a stage leaves to be looked at: metrics by step (JSONL), TensorBoard, wandb where asked for, a plot.

    metrics.jsonl   one object a step: step, loss, gradient norm, rates, tokens, operations, seconds that it
                    waited for data and learned, tokens a second and MFU over both, ...
    skipped.jsonl   one object a sample that could not be used: step, sample, reason
    tensorboard/    the same curves, where tensorboard is installed
    loss.png        drawn at the end, where matplotlib is installed

A stage that is continued first drops the lines after the step it continues from: the curve has each step once. Knows no
tensor and no model.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

METRICS = "metrics.jsonl"
SKIPPED = "skipped.jsonl"
PLOT = "loss.png"
SMOOTHING = 0.02
"""The plot's smooth line averages over this part of all steps."""


class Record:
    """Writes a stage's curves. Use as a context manager; only the first of several processes has one."""

    def __init__(self, folder: Path, *, after: int, log_every: int, wandb: str | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name in (METRICS, SKIPPED):
            _keep_up_to(folder / name, after)
        self.folder = folder
        self.log_every = log_every
        self._metrics = (folder / METRICS).open("a", encoding="utf-8")
        self._skipped = (folder / SKIPPED).open("a", encoding="utf-8")
        self._board = _tensorboard(folder, after)
        self._wandb = _wandb(wandb, folder) if wandb else None

    def __enter__(self) -> Record:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._metrics.close()
        self._skipped.close()
        if self._board is not None:
            self._board.close()
        if self._wandb is not None:
            self._wandb.finish()

    def step(self, step: int, values: Mapping[str, Any]) -> None:
        """The figures of one finished step."""
        self._metrics.write(json.dumps({"step": step, **values}) + "\n")
        self._metrics.flush()
        if step % self.log_every:
            return
        flat = dict(_flat(values))
        if self._board is not None:
            for name, value in flat.items():
                self._board.add_scalar(name, value, step)
        if self._wandb is not None:
            self._wandb.log(flat, step=step)

    def skipped(self, step: int, samples: Iterable[tuple[str, str]]) -> None:
        """Samples of a step that could not be used, with the reason."""
        for sample, reason in samples:
            line = {"step": step, "sample": sample, "reason": reason}
            self._skipped.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._skipped.flush()


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The figures of every step so far. A torn last line is passed over."""
    return list(_lines(folder / METRICS))


def plot(folder: Path, title: str) -> Path | None:
    """Draw the loss by step, raw and smoothed, with the learning rate below. None without matplotlib or steps."""
    metrics = read_metrics(folder)
    if not metrics or importlib.util.find_spec("matplotlib") is None:
        return None
    from matplotlib.figure import Figure

    steps, losses = [row["step"] for row in metrics], [row["loss"] for row in metrics]
    figure = Figure(figsize=(8, 5), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    above.plot(steps, losses, linewidth=0.6, alpha=0.4, label="each step")
    above.plot(steps, smoothed(losses, SMOOTHING), linewidth=1.5, label="smoothed")
    above.set(title=title, ylabel="loss (nats a token)")
    above.legend()
    for part in metrics[0]["rates"]:
        below.plot(steps, [row["rates"].get(part, 0.0) for row in metrics], linewidth=1, label=part)
    below.set(xlabel="step", ylabel="learning rate")
    below.legend(fontsize="small")
    path = folder / PLOT
    figure.savefig(path, dpi=120)
    return path


def smoothed(values: list[float], part: float) -> list[float]:
    """An exponential average over about `part` of all values."""
    keep = 1 - 1 / max(1.0, part * len(values))
    average, out = values[0], []
    for value in values:
        average = keep * average + (1 - keep) * value
        out.append(average)
    return out


def _keep_up_to(path: Path, step: int) -> None:
    kept = [line for line in _lines(path) if line["step"] <= step]
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in kept), encoding="utf-8")


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    if not path.is_file():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            return  # torn by a kill while it was written: nothing after it counts
        yield value


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}/")
        elif value is not None:
            yield prefix + name, float(value)


def _tensorboard(folder: Path, after: int) -> Any:
    if importlib.util.find_spec("tensorboard") is None:
        return None
    from torch.utils.tensorboard import SummaryWriter

    # Events after the step we continue from are dropped by TensorBoard itself.
    return SummaryWriter(str(folder / "tensorboard"), purge_step=after + 1 if after else None)


def _wandb(project: str, folder: Path) -> Any:
    from tvbench.errors import UsageError

    if importlib.util.find_spec("wandb") is None:
        raise UsageError("wandb is not installed", "pip install wandb, or leave out --wandb")
    import wandb

    return wandb.init(project=project, dir=str(folder), name=folder.name, resume="allow")
