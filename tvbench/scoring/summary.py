"""From scores to a TaskResult: macro, micro, without English, by language and by every tag.

- Item figures (accuracies, OCR per picture, sense) are means over answered and scored items. Failed, missing and
  unscored items enter no figure: they are counted, and make the result incomplete.
- `metrics` is the unweighted mean over the languages that have the figure; `micro` pools the items.
- Figures of a corpus (BLEU, chrF++, OCR micro F1) are computed within a language and have no standard error. Over
  several languages they are only ever averaged, and `micro` leaves them out: tokenizers and units differ.
- A slice by a tag (category, question type) pools the item figures of its languages and averages those of a corpus.
- Baselines (always option 1, strict ceiling, chance) are figures of the data, over all choice items, answered or not.

The arithmetic is in tally.py. Knows scores and targets; no task, no file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tvbench.scoring.metric import Metric
from tvbench.types import Item, Response, Score, TaskResult


def summarise(
    task: str,
    protocol: str,
    primary: str,
    signature: str,
    items: Sequence[Item],
    responses: Mapping[str, Response],
    scores: Sequence[Score],
    metrics: Sequence[Metric] | None = None,
) -> TaskResult:
    """All figures of one task. `responses` and `scores` are found by item id; either may be missing. `metrics` are
    those that are computed for it (None: those of tvbench)."""
    from tvbench.scoring.tally import FigureTally  # needs numpy

    tally = FigureTally(metrics)
    by_item = {score.item: score for score in scores}
    for item in items:
        tally.add(item, responses.get(item.id), by_item.get(item.id))
    return tally.result(task, protocol, primary, signature)
