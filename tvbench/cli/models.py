"""`tvbench models`: the model cards, what each says, and published checkpoints put right."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tvbench.cli.actions import add_actions
from tvbench.cli.arguments import add_format, add_image_scale, path
from tvbench.cli.fields import field
from tvbench.cli.listing import Record, model_record, model_records
from tvbench.cli.output import print_json, say
from tvbench.errors import EXIT_GOOD, EXIT_INCOMPLETE, EngineError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from tvbench.checkpoints.corrections import UnknownScale
    from tvbench.checkpoints.importing import ImportedCheckpoint
    from tvbench.doctor.findings import Examination
    from tvbench.types import ModelCard


def configure(parser: argparse.ArgumentParser) -> None:
    add_format(parser)
    parser.add_argument("--schema", action="store_true", help="the JSON schema of a model card, for editors")
    actions = add_actions(parser)
    show = actions.add_parser("show", help="what is known of one model; `show` may be left out")
    show.add_argument("model", help="a card's name, a folder, a hub id, or openai:NAME@URL")
    _add_own_format(show)
    summary = "write a published TowerVision checkpoint as current software reads it rightly"
    imported = actions.add_parser("import", help=summary, description=summary)
    imported.add_argument("source", help="a checkpoint folder, a hub id, or a card's name")
    imported.add_argument("--output", type=path, required=True, metavar="DIR", help="a new or empty folder")
    imported.add_argument(
        "--target",
        choices=("current", "legacy"),
        default="current",
        help="legacy: for transformers before 5.4 and vLLM of that time (default %(default)s)",
    )
    imported.add_argument(
        "--as", choices=("onevision",), dest="family", help="the class that takes clips too, with the same weights"
    )
    add_image_scale(imported)
    imported.add_argument("--quick", action="store_true", help="check the copy's weights only: load no whole model")
    imported.add_argument("--offline", action="store_true", help="never ask the hub")
    _add_own_format(imported)


def _add_own_format(parser: argparse.ArgumentParser) -> None:
    # No default here: it would overwrite a --format that was given before the action.
    parser.add_argument("--format", choices=("table", "json"), default=argparse.SUPPRESS, help="how to print")


def main(args: argparse.Namespace) -> int:
    if args.schema:
        from tvbench.registry.cards import card_schema

        print_json(card_schema())
        return EXIT_GOOD
    if args.action == "show":
        card = _shown(args.model.strip())
        if args.format == "json":
            print_json(card)
        else:
            say(*explained(card, args.model))
        return EXIT_GOOD
    if args.action == "import":
        return import_model(_resolved(args.source), args)
    found = model_records()
    if args.format == "json":
        print_json(found)
    else:
        _print_table(found)
    return EXIT_GOOD


def _shown(model: str) -> Record:
    """The record of a model, which for a card of the hub by its own name is the listed one."""
    listed = next((card for card in model_records() if card["name"] == model and card["kind"] == "hub"), None)
    return model_record(_resolved(model)) if listed is None else listed


def _resolved(model: str) -> ModelCard:
    from tvbench.cli.logs import prepare_logging
    from tvbench.registry import catalog

    prepare_logging()
    return catalog.resolve_model(model)


def import_model(card: ModelCard, args: argparse.Namespace) -> int:
    """`tvbench models import`: the corrected checkpoint, what was corrected, and what no correction could put right."""
    from dataclasses import asdict

    from tvbench.checkpoints.corrections import UnknownScale
    from tvbench.checkpoints.image_scale import with_image_scale
    from tvbench.checkpoints.importing import import_checkpoint
    from tvbench.engines.open import local_checkpoint
    from tvbench.types import ModelCard

    if card.kind == "server":
        raise UsageError(
            f"{card.name} is served elsewhere; there are no files to import", "name a checkpoint folder or a hub id"
        )
    card = with_image_scale(card, args.image_scale)
    source = local_checkpoint(card, offline=args.offline)
    try:
        done = import_checkpoint(source, card, args.output, target=args.target, onevision=args.family == "onevision")
    except UnknownScale as error:
        raise _measured(source, card, error, quick=args.quick) from error
    copy = ModelCard(card.name, "folder", str(done.folder), modalities=card.modalities)
    found = _looked_at(done, copy, quick=args.quick)
    if args.format == "json":
        print_json(
            asdict(done) | {"findings": [asdict(finding) for finding in found.findings], "remarks": found.remarks}
        )
    else:
        _print_imported(card, done, found)
    return EXIT_INCOMPLETE if found.wrong else EXIT_GOOD


def _looked_at(done: ImportedCheckpoint, copy: ModelCard, *, quick: bool) -> Examination:
    """What is still wrong with a copy. That a legacy one is not scaled is what was asked for."""
    from dataclasses import replace

    from tvbench.doctor.examine import examine_copy

    if done.target == "current":
        return examine_copy(done.folder, copy, skip="--quick" if quick else "")
    found = examine_copy(done.folder, copy, skip="engines of today would need another copy")
    return replace(found, findings=tuple(finding for finding in found.findings if finding.code != "image-scale"))


def _measured(source: Path, card: ModelCard, error: UnknownScale, *, quick: bool) -> EngineError:
    """The refusal of a checkpoint that says nothing of its scale, with all that could be measured."""
    from tvbench.doctor.examine import examine_copy

    found = examine_copy(source, card, skip="--quick" if quick else "").findings
    return next(
        (EngineError(finding.message, finding.fix) for finding in found if finding.code == "image-scale-unknown"), error
    )


def _print_imported(card: ModelCard, done: ImportedCheckpoint, found: Examination) -> None:
    from tvbench.checkpoints.importing import MEANING
    from tvbench.cli.doctor import lines_of

    say(f"wrote {done.folder}: {card.name} as {done.family}, for {done.target} software")
    for name in done.corrections:
        say(*field(name, MEANING[name]))
    if not done.corrections and not found.findings:
        say("  nothing had to be corrected")
    if found.findings:
        say("  no correction could fix this:")
    say(*lines_of(found))


def explained(card: Record, asked: str) -> Iterator[str]:
    """The lines of `tvbench models show`. `asked` is what the model was called, which `--model` takes as well."""
    import shlex

    yield card["name"] + (f": {card['title']}" if card["title"] and card["title"] != card["name"] else "")
    where = {"hub": "hub", "folder": "folder", "server": "server", "builtin": "built in"}[card["kind"]]
    yield from field(where, f"{card['location']} at {card['url']}" if card["url"] else card["location"])
    yield from field("revision", card["revision"])
    if card["parameters"]:
        yield from field("parameters", f"{size(card['parameters'])} ({card['parameters']:,})")
    for label, text in (
        ("architecture", card["architecture"]),
        ("licence", card["licence"]),
        ("takes", ", ".join(("text", *card["modalities"]))),
        ("languages", ", ".join(card["languages"])),
        ("also called", ", ".join(card["aliases"])),
        ("paper", card["paper"]),
        ("chat", _settings(card["chat"])),
        ("thinking", _settings(card.get("reasoning", {}))),
        ("numerics", _settings(card["numerics"])),
        ("engines", "; ".join(f"{name} {_settings(given)}".strip() for name, given in card["engine"].items())),
        ("notes", card["notes"]),
    ):
        if text:
            yield from field(label, text)
    argument = shlex.quote(asked.strip()) if card["kind"] == "server" or _loaded_by(card) else "openai:NAME@URL"
    yield from field("run it", f"tvbench run --model {argument} --tasks mini")


def size(parameters: int) -> str:
    """`9.7B`, `3.0B`, `650M`, `0.4M`."""
    if parameters >= 1e9:
        return f"{parameters / 1e9:.1f}B"
    return f"{parameters / 1e6:.0f}M" if parameters >= 1e7 else f"{parameters / 1e6:.1f}M"


def _settings(settings: Any) -> str:
    return ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in settings.items())


def _print_table(found: list[Record]) -> None:
    from tvbench.report.table import Cell, Column, Table, show

    numbers = ("size", "languages")
    names = ("model", "size", "takes", "languages", "engines", "licence", "location")
    columns = tuple(Column(name, name, "right" if name in numbers else "left") for name in names)
    rows = tuple(tuple(map(Cell, _line(card))) for card in found)
    said = "`tvbench models NAME` says more; --model also takes a folder, org/name and openai:NAME@URL"
    show([Table(columns, rows, notes=(said,))], "table")


def _line(card: Record) -> tuple[str, ...]:
    return (
        card["name"],
        size(card["parameters"]) if card["parameters"] else "",
        ", ".join(card["modalities"]),
        str(len(card["languages"]) or ""),
        _engines(card),
        card["licence"],
        card["location"],
    )


def _engines(card: Record) -> str:
    """The engines that load the model; `server` for one that only its own software can load."""
    return ", ".join(_loaded_by(card)) or "server"


def _loaded_by(card: Record) -> list[str]:
    able = [name for name in ("vllm", "transformers") if not card["engine"] or name in card["engine"]]
    return able if card["kind"] != "server" else []
