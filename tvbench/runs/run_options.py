"""The options of a run, as a person gives them from the shell or from Python, and how their texts become values.

Knows tasks by name only; asks nothing.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeAlias, TypedDict, TypeVar, get_type_hints

from tvbench.errors import UnknownOption, UsageError, unknown_name
from tvbench.registry.prices import Price, price_given
from tvbench.runs.kinds import HELP, check_kind, check_number
from tvbench.runs.shards import Shard, read_shard
from tvbench.runs.task_settings import Settings
from tvbench.types import ModelCard, Task

if TYPE_CHECKING:
    from tvbench.runs.plan import Overrides
    from tvbench.runs.replicas.placement import Placement

P = ParamSpec("P")
T = TypeVar("T")
Tasks: TypeAlias = str | Path | Task | Sequence[str | Path | Task]
"""Task files, texts as `--tasks` takes them (`alm,multi30k:de+fr`), and tasks themselves."""
YEAR = 365 * 24 * 3600
CHOICES = {
    "bos": ("one", "two"),
    "dtype": ("bfloat16", "float16", "float32"),
    "send_video": ("frames", "video_url"),
    "image_scale": ("folded", "unfolded"),
    "decoder": ("pyav", "decord", "torchcodec"),
}
"""The options that take one of a few words."""
ENGINE_FIELDS = ("dtype", "batch_size", "max_model_len", "concurrency", "timeout", "send_video", "trust_remote_code")
"""Arguments of engines that have a name of their own."""
ENGINE_OPTIONS = {"send_video": "video"}
"""Those whose option has another name."""
SHARED = ("concurrency", "timeout")
"""Those that count for the model and for its judge, whichever of them has such an option."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a run is asked for, one field for each option of `tvbench run`, and of the same name and meaning.

    What is asked: `languages` to `bos`. How it is answered: `engine` to `max_failures`, of which `gpus`, `replicas` and
    `on` say where; None leaves it to the model's card or the engine. What was answered before: `fresh` to `same_model`.
    Which of several jobs this is: `shard`. Who grades: `judge` (with `rubric` to `budget`) and `comet`. What it costs:
    `price`, where there is no judge, else `model_price`; it moves no answer.
    """

    languages: Sequence[str] | str = ()
    limit: int | None = None
    split: str | None = None
    protocol: str | None = None
    metric: str | None = None
    data: Path | str | None = None
    no_image: bool = False
    settings: Settings = ()
    seed: int = 0
    bos: Literal["one", "two"] | None = None
    label: str | None = None
    revision: str | None = None
    engine: str | None = None
    engine_args: Mapping[str, Any] | None = None
    dtype: Literal["bfloat16", "float16", "float32"] | None = None
    max_new_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    sampling_seed: int | None = None
    repeats: int = 1
    thinking: bool | None = None
    thinking_tokens: int | None = None
    batch_size: int | None = None
    max_model_len: int | None = None
    concurrency: int | None = None
    timeout: float | None = None
    send_video: Literal["frames", "video_url"] | None = None
    video_timeout: float = 60.0
    decoder: Literal["pyav", "decord", "torchcodec"] | None = None
    image_scale: Literal["folded", "unfolded"] | None = None
    trust_remote_code: bool | None = None
    gpus: int | None = None
    replicas: int | None = None
    on: str | None = None
    offline: bool = False
    max_failures: int | None = None
    fresh: bool = False
    reuse: bool = True
    same_model: bool = False
    shard: str | None = None
    judge: str | ModelCard | None = None
    rubric: str | None = None
    check: int | str | None = None
    planted: int | None = None
    asks: int = 5
    price: str | tuple[float, float] | None = None
    budget: float | None = None
    judge_thinking_tokens: int | None = None
    comet: str | None = None
    model_price: str | tuple[float, float] | None = None

    def __post_init__(self) -> None:
        """Raises UsageError for a number that nothing could be done with."""
        counts = ("limit", "max_new_tokens", "repeats", "batch_size", "max_model_len", "concurrency", "asks")
        for name in (*counts, "replicas", "thinking_tokens", "judge_thinking_tokens"):
            check_number(name, getattr(self, name), whole=True, least=1)
        for name in ("seed", "top_k", "sampling_seed", "max_failures", "planted", "gpus"):
            check_number(name, getattr(self, name), whole=True, least=0)
        check_number("temperature", self.temperature, least=0)
        check_number("budget", self.budget, above=0)
        check_number("top_p", self.top_p, above=0, most=1)
        for name in ("timeout", "video_timeout"):
            check_number(name, getattr(self, name), above=0, most=YEAR)
        for name, choices in CHOICES.items():
            if getattr(self, name) not in (None, *choices):
                raise unknown_name(f"--{name.replace('_', '-')}", str(getattr(self, name)), choices, HELP)
        self._check_kinds()
        if self.on is not None:
            from tvbench.runs.replicas.placement import check_cluster

            check_cluster(self.on)

    def _check_kinds(self) -> None:
        """Nothing is guessed from a value of another kind; the settings have None for nothing."""
        hints = get_type_hints(Keywords)
        for name, hint in hints.items():
            value = getattr(self, name)
            if not (value is None and name in ("languages", "settings")):
                check_kind(name, value, hint)
        of_judges = ("rubric", "check", "planted", "judge_thinking_tokens")
        given = [name for name in of_judges if getattr(self, name) is not None]
        if given and self.judge is None:
            raise UsageError(
                f"--{given[0].replace('_', '-')} is for a judge, and none is named",
                "add --judge MODEL, or leave it out",
            )

        self._check_price()
        self._check_shard()

    def _check_shard(self) -> None:
        """What concerns the whole run is no business of one of several jobs."""
        if self.own_shard is None:
            return
        alone = "the same command without --shard, when all shards are done"
        refused = {
            "fresh": (self.fresh, "start over without --shard, or choose --results DIR"),
            "judge": (self.judge is not None, f"{alone}, or `tvbench judge RUN`"),
            "comet": (self.comet is not None, f"{alone}, or `tvbench comet RUN`"),
            "budget": (self.budget is not None, "leave it out: a shard does not know what the others have spent"),
        }
        for name, (given, hint) in refused.items():
            if given:
                raise UsageError(f"--{name} is for a whole run, and --shard {self.shard} asks a part of one", hint)

    @property
    def own_shard(self) -> Shard | None:
        """Which of several jobs this is. Raises UsageError for what is no I/N."""
        return None if self.shard is None else read_shard(self.shard)

    def _check_price(self) -> None:
        if self.price is not None and self.judge is None and self.model_price is not None:
            raise UsageError("--price and --model-price are one thing where nobody judges", "say it once")
        for name in ("price", "model_price"):
            price_given(getattr(self, name), f"--{name.replace('_', '-')}")

    @property
    def own_price(self) -> Price | None:
        """What the model costs, as it was given: `--price` is the judge's where there is one."""
        return price_given(self.model_price if self.judge is not None or self.price is None else self.price)

    @property
    def own_budget(self) -> float | None:
        """What the run may cost: `--budget` is the judge's where there is one."""
        return self.budget if self.judge is None else None

    @property
    def engine_arguments(self) -> dict[str, Any]:
        """What was given for the engine, by the names of its options. Raises UsageError for what is said twice."""
        found = {
            ENGINE_OPTIONS.get(name, name): value
            for name in ENGINE_FIELDS
            if (value := getattr(self, name)) is not None
        }
        for name, value in (self.engine_args or {}).items():
            if name in found:
                raise UsageError(f"{name} is given by its own flag and by --engine-arg", "say it once")
            found[name] = value
        return found

    @property
    def other_decoder(self) -> str | None:
        """What clips are decoded by where that is not what decodes them anyway."""
        return None if self.decoder == "pyav" else self.decoder

    @property
    def placement(self) -> Placement:
        from tvbench.runs.replicas.placement import Placement

        return Placement(self.gpus, self.replicas, self.on)

    @property
    def sampling(self) -> Overrides:
        from tvbench.runs.plan import Overrides

        return Overrides(
            self.max_new_tokens, self.temperature, self.top_p, self.top_k, self.sampling_seed, self.repeats
        )


class Keywords(TypedDict, total=False):
    """The fields of Options, as keywords of a function: what a type checker sees of `tvbench.run`."""

    languages: Sequence[str] | str
    limit: int | None
    split: str | None
    protocol: str | None
    metric: str | None
    data: Path | str | None
    no_image: bool
    settings: Settings
    seed: int
    bos: Literal["one", "two"] | None
    label: str | None
    revision: str | None
    engine: str | None
    engine_args: Mapping[str, Any] | None
    dtype: Literal["bfloat16", "float16", "float32"] | None
    max_new_tokens: int | None
    temperature: float | None
    top_p: float | None
    top_k: int | None
    sampling_seed: int | None
    repeats: int
    thinking: bool | None
    thinking_tokens: int | None
    batch_size: int | None
    max_model_len: int | None
    concurrency: int | None
    timeout: float | None
    send_video: Literal["frames", "video_url"] | None
    video_timeout: float
    decoder: Literal["pyav", "decord", "torchcodec"] | None
    image_scale: Literal["folded", "unfolded"] | None
    trust_remote_code: bool | None
    gpus: int | None
    replicas: int | None
    on: str | None
    offline: bool
    max_failures: int | None
    fresh: bool
    reuse: bool
    same_model: bool
    shard: str | None
    judge: str | ModelCard | None
    rubric: str | None
    check: int | str | None
    planted: int | None
    asks: int
    price: str | tuple[float, float] | None
    budget: float | None
    judge_thinking_tokens: int | None
    comet: str | None
    model_price: str | tuple[float, float] | None


def shows_options(function: Callable[P, T]) -> Callable[P, T]:
    """Let `help` and notebooks see the fields of Options, with their defaults, where the function has `**options`."""
    signature = inspect.signature(function)
    named = [
        parameter for parameter in signature.parameters.values() if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    more = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=field.type,
            default=inspect.Parameter.empty if field.default is MISSING else field.default,
        )
        for field in fields(Options)
    ]
    function.__signature__ = signature.replace(parameters=named + more)  # type: ignore[attr-defined]
    return function


def listed(given: Sequence[str] | str | None, name: str = "languages") -> tuple[str, ...]:
    """`a,b, c` as a tuple, or the names as they are; nothing as an empty one."""
    if given is None or isinstance(given, str):
        return tuple(part.strip() for part in (given or "").split(",") if part.strip())
    check_kind(name, given, Sequence[str] | str)
    return tuple(given)


def options_of(given: Mapping[str, Any]) -> Options:
    """The keywords of a call. Raises UsageError for one that there is not."""
    names = [field.name for field in fields(Options)]
    for name in given:
        if name not in names:
            wrong = unknown_name("option", name, names, "`help(tvbench.run)` lists them")
            raise UnknownOption(wrong.message, wrong.hint)
    return Options(**given)
