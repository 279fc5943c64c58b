"""What papers print and logs bring along, and nothing here computes: shown beside our figures, no task's metric."""

from __future__ import annotations

from tvbench.scoring.metric import Named

METRICS = (
    Named(
        id="xcomet",
        label="xCOMET",
        logged=("results.avg_XCOMET-XL_score",),
        meaning="the authors' own run of XCOMET-XL",
    ),
    Named(id="contrastive", meaning="CoMMuTE's accuracy as papers print it"),
)
