"""`tvbench train data`: the mixture of each stage, and examples with what is learned of them."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tvbench.cli.output import console, print_json, remark
from tvbench.errors import EXIT_GOOD, TvbenchError
from tvbench.safety.visible import visible, visible_lines

if TYPE_CHECKING:
    from tvbench.train.data.show import EntryFacts, Piece
    from tvbench.train.stages import Recipe, Stage


def show_mixtures(recipe: Recipe, only: int | None, count: int, output_format: str) -> int:
    """Print the data of all stages, or of stage `only`. The model's own tokenizer counts the tokens, where it is at
    hand; no weight is read."""
    from tvbench.train.assembly import describe

    stages = [stage for stage in recipe.stages if only in (None, stage.number) and stage.objective == "language"]
    with tempfile.TemporaryDirectory(prefix="tvbench-") as folder:
        model: Path | None = None
        try:
            model = describe(recipe.model, Path(folder) / "model", seed=0)
        except TvbenchError as error:
            remark(f"tokens are not counted and no example is shown: {error}")
        found = [(stage, *_look(stage, model, count)) for stage in stages]
    if output_format == "json":
        print_json(
            [
                {
                    "stage": stage.number,
                    "name": stage.name,
                    "datasets": [asdict(dataset) for dataset in known],
                    "examples": [{"id": name, "pieces": [asdict(piece) for piece in text]} for name, text in shown],
                }
                for stage, known, shown in found
            ]
        )
    else:
        for stage, known, shown in found:
            _print_table(stage, known)
            for name, text in shown:
                _print_example(name, text)
    return EXIT_GOOD


def _look(stage: Stage, model: Path | None, count: int) -> tuple[list[EntryFacts], list[tuple[str, list[Piece]]]]:
    from tvbench.train.data.corpora import stage_parts
    from tvbench.train.data.encode import Encoder
    from tvbench.train.data.show import examples, facts

    encoder = None if model is None else Encoder(model, stage)
    parts = stage_parts(stage)
    known = [facts(entry, corpus, encoder) for entry, corpus in parts]
    shown = [] if encoder is None else [example for _, corpus in parts for example in examples(corpus, encoder, count)]
    return known, shown


def _print_table(stage: Stage, known: list[EntryFacts]) -> None:
    from tvbench.report.table import Cell, Column, Table, show

    total = sum(dataset.samples for dataset in known)
    rows = [
        (
            dataset.name,
            f"{dataset.samples:,}",
            f"{dataset.samples / max(1, total):.1%}",
            *_tokens(dataset),
            " ".join(f"{code} {share:.0%}" for code, share in dataset.languages.items()),
        )
        for dataset in known
    ]
    notes = [
        f"stage {stage.number} {stage.name}: {total:,} samples an epoch, template {stage.template}, "
        f"mask {stage.mask}; tokens are means of up to {known[0].probed if known else 0} samples each"
    ]
    notes += [
        f"{dataset.name}: {dataset.broken} of {dataset.probed} probed samples are broken: {dataset.reasons[0]}"
        for dataset in known
        if dataset.broken
    ]
    heads = ("data", "samples", "share", "tokens each", "learned", "tokens", "languages")
    columns = tuple(
        Column(head, head, "left") if head in ("data", "languages") else Column(head, head) for head in heads
    )
    show([Table(columns, tuple(tuple(map(Cell, row)) for row in rows), notes=tuple(notes))], "table")


def _tokens(dataset: EntryFacts) -> tuple[str, str, str]:
    if dataset.tokens is None or dataset.learned is None:
        return "", "", ""
    return f"{dataset.tokens:.0f}", f"{dataset.learned:.0f}", f"{dataset.samples * dataset.tokens / 1e6:,.1f} M"


def _print_example(name: str, text: list[Piece]) -> None:
    """What is learned in green on a terminal, between ⟦ and ⟧ elsewhere."""
    from rich.text import Text

    out = console()
    colours: Any = out.is_terminal
    shown = Text(f"── {visible(name)}\n", style="dim")
    for piece in text:
        words = visible_lines(piece.text)
        marked = f"⟦{words}⟧" if piece.learned and not colours else words
        shown.append(marked, style="bold green" if piece.learned else "default")
    out.print(shown)
