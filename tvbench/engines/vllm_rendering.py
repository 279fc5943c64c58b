"""From a prompt to what vLLM's engine takes: its own renderer, whose media were prepared in other processes meanwhile.

A prompt that shows what nobody has prepared yet begins a job; one that shows what is being prepared for another waits
for that one. The renderer does all the rest itself, in the engine's thread: it looks into its caches, finds
placeholders, refuses. Where what a process made is not exactly what the renderer lacks when its turn comes, it prepares
that itself, so that processes change no answer. Knows vLLM's (0.32) renderer; knows no request and no engine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from tvbench.engines.media_workers import MediaJob, MediaWorkers
from tvbench.engines.parcels import bytes_of
from tvbench.engines.vllm_prompts import Given, as_pixels
from tvbench.errors import MediaError

STEP = "_apply_hf_processor_main"
"""vLLM's step from media to tensors: the one that takes the time."""


@dataclass(slots=True)
class Coming:
    """A prompt on its way, whose media take `shown` bytes. `own` are the names of the media that its job prepares,
    `others` of those that the jobs of earlier prompts do."""

    prompt: dict[str, Any]
    shown: int = 0
    job: MediaJob | None = None
    own: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)

    @property
    def names(self) -> Given:
        found: Given = self.prompt.get("multi_modal_uuids", {})
        return found

    @property
    def memory(self) -> int:
        """Bytes of its media: as they are, on their way to a process, and as they came back."""
        return self.shown if self.job is None else 2 * self.shown + bytes_of(self.job.made or {})


class Rendering:
    """`renderer` is LLMEngine.renderer; without `workers` everything is done in the thread that asks."""

    def __init__(self, renderer: Any, workers: MediaWorkers) -> None:
        self.workers = workers
        self._renderer = renderer
        self._under_way: Counter[str] = Counter()
        self._made: Mapping[str, Any] | None = None
        processor = renderer.mm_processor
        self._possible = callable(getattr(processor, STEP, None))
        if self._possible:
            self._itself = getattr(processor, STEP)
            setattr(processor, STEP, self._prepared)

    def begin(self, prompt: dict[str, Any], shown: int = 0) -> Coming:
        """Have the media of `prompt`, which take `shown` bytes, prepared, where somebody is there to do it."""
        coming = Coming(prompt, shown)
        media = prompt.get("multi_modal_data")
        if not media or not self._possible or not self.workers.able() or self._too_many(media):
            return coming
        lacking = self._lacking(coming.names)
        if self._renderer.mm_processor_cache is not None:
            coming.others = [name for _, _, name in lacking if name in self._under_way]
            lacking = [one for one in lacking if one[2] not in self._under_way]
        coming.own = [name for _, _, name in lacking]
        if coming.own:
            wanted: Given = {}
            for kind, place, _ in lacking:
                wanted.setdefault(kind, []).append(media[kind][place])
            coming.job = self.workers.submit(as_pixels(wanted))
            self._under_way.update(coming.own)
        return coming

    def ready(self, coming: Coming) -> bool:
        """Whether it can be rendered without waiting."""
        return (coming.job is None or coming.job.done) and not any(name in self._under_way for name in coming.others)

    def render(self, coming: Coming) -> Any:
        """What the engine takes. Raises MediaError where its media end every process that prepares them, and whatever
        vLLM raises where it refuses the prompt."""
        self.drop(coming)
        job = coming.job
        if job is not None and job.lost:
            raise MediaError(f"the picture or clip cannot be prepared: {job.lost}")
        fits = job is not None and [name for _, _, name in self._lacking(coming.names)] == coming.own
        self._made = job.made if job is not None and fits else None
        try:
            (rendered,) = self._renderer.render_cmpl([coming.prompt])
        finally:
            self._made = None
        return rendered

    def drop(self, coming: Coming) -> None:
        """Nobody waits for it any more."""
        for name in coming.own:
            self._under_way[name] -= 1
            if not self._under_way[name]:
                del self._under_way[name]

    def drop_all(self) -> None:
        """Nobody waits for anything that was begun."""
        self._under_way.clear()

    def forget(self, names: Given) -> None:
        """Have vLLM take the media for new ones: what a refused prompt showed was noted as sent, and never was."""
        cache = self._renderer.mm_processor_cache
        if cache is not None:
            for name in chain.from_iterable(names.values()):
                cache.invalidate(name)

    def _lacking(self, names: Given) -> list[tuple[str, int, str]]:
        """Kind, place and name of the media that vLLM would prepare now."""
        cache = self._renderer.mm_processor_cache
        return [
            (kind, place, name)
            for kind, several in names.items()
            for place, name in enumerate(several)
            if cache is None or not cache.is_cached_item(name)
        ]

    def _too_many(self, media: Given) -> bool:
        limits = self._renderer.mm_processor.info.allowed_mm_limits
        return any(len(several) > limits.get(kind, 0) for kind, several in media.items())

    def _prepared(self, mm_items: Any, hf_kwargs: Mapping[str, object]) -> Any:
        """In the place of vLLM's step: what a process has made of the same media, where it has."""
        if self._made is None or hf_kwargs:
            return self._itself(mm_items=mm_items, hf_kwargs=hf_kwargs)
        from transformers.feature_extraction_utils import BatchFeature

        return BatchFeature(dict(self._made))


def memory_of(rendered: Mapping[str, Any]) -> int:
    """Bytes of the media that go to the engine with a prompt; what its cache has does not."""
    from vllm.multimodal.cache.base import MultiModalCache

    media = rendered.get("mm_kwargs")
    return MultiModalCache.get_item_size(media) if media else 0
