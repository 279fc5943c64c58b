"""COMET by checkpoint. Computed by `tvbench comet` in an environment of its own, and joined by scoring/sides.py."""

from __future__ import annotations

from tvbench.scoring.metric import Metric
from tvbench.types import Translation


class Comet(Metric):
    """`checkpoint` is what `--checkpoint` calls it, `repo` where it lies on the hub."""

    definition = "see COMET's own signature"
    targets = (Translation,)
    next_step = "tvbench comet RUN"
    checkpoint = ""
    repo = ""


METRICS = (
    Comet(
        id="xcomet_xl",
        label="XCOMET-XL",
        checkpoint="xcomet-xl",
        repo="Unbabel/XCOMET-XL",
        meaning="COMET: quality by source and reference, errors marked",
    ),
    Comet(
        id="xcomet_xxl",
        label="XCOMET-XXL",
        checkpoint="xcomet-xxl",
        repo="Unbabel/XCOMET-XXL",
        meaning="the same by the larger model",
    ),
    Comet(
        id="wmt22_comet_da",
        label="COMET-22",
        checkpoint="wmt22-comet-da",
        repo="Unbabel/wmt22-comet-da",
        meaning="COMET: quality by source and reference",
    ),
    Comet(
        id="cometkiwi",
        label="CometKiwi-22",
        checkpoint="cometkiwi",
        repo="Unbabel/wmt22-cometkiwi-da",
        meaning="COMET: quality by the source alone, no reference",
    ),
    Comet(id="comet", label="COMET", meaning="a COMET checkpoint of one's own"),
)
