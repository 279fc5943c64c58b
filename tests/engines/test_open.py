"""Which engine is chosen, how the checkpoint gets here, and what is said when it cannot."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from tvbench.engines import local, spec
from tvbench.engines import open as opening
from tvbench.engines.open import EngineOptions, choose_engine, open_engine, require_engine
from tvbench.errors import EngineError, TvbenchError, UsageError
from tvbench.registry import hub
from tvbench.types import ModelCard

HUB = ModelCard("mine", "hub", "org/mine")
SERVER = ModelCard("m", "server", "m", url="http://127.0.0.1:8000/v1")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets what is there: machine(gpu=..., packages=...)."""

    def set_up(
        *, gpu: bool = False, packages: tuple[str, ...] = ("torch", "transformers", "safetensors", "jinja2", "httpx")
    ) -> None:
        monkeypatch.setattr(opening, "has_nvidia_gpu", lambda: gpu)
        for module in (opening, spec):
            monkeypatch.setattr(module, "find_spec", lambda name: object() if name in packages else None)

    return set_up


ALL = ("torch", "transformers", "safetensors", "jinja2", "httpx", "vllm")


@pytest.mark.parametrize(
    ("gpu", "packages", "engines", "asked", "chosen"),
    [
        (True, ALL, {}, None, "vllm"),
        (False, ALL, {}, None, "transformers"),
        (True, ALL[:-1], {}, None, "transformers"),
        (False, ALL, {}, "vllm", "vllm"),
        (True, ALL, {}, "transformers", "transformers"),
        (True, ALL, {"transformers": {}}, None, "transformers"),
        (False, ALL, {"vllm": {}}, None, "vllm"),
    ],
)
def test_the_choice(
    machine: Any, gpu: bool, packages: tuple[str, ...], engines: dict[str, Any], asked: str | None, chosen: str
) -> None:
    machine(gpu=gpu, packages=packages)
    assert choose_engine(ModelCard("mine", "hub", "org/mine", engine=engines), asked) == chosen


def test_a_server_gets_the_openai_engine(machine: Any) -> None:
    machine(gpu=True, packages=ALL)
    assert choose_engine(SERVER) == choose_engine(SERVER, "openai") == "openai"
    with pytest.raises(UsageError, match="only the openai engine"):
        choose_engine(SERVER, "vllm")
    with pytest.raises(UsageError, match="openai:NAME@URL"):
        choose_engine(HUB, "openai")


@pytest.mark.parametrize(
    ("packages", "asked", "said"),
    [
        (
            ("httpx",),
            "transformers",
            r"needs torch, transformers, safetensors, jinja2\n  pip install 'tvbench\[transformers\]'",
        ),
        (ALL[:-1], "vllm", r"pip install 'tvbench\[vllm\]'"),
        (ALL, "vlmm", "Did you mean vllm"),
    ],
)
def test_missing_packages_and_misspelt_engines(machine: Any, packages: tuple[str, ...], asked: str, said: str) -> None:
    machine(packages=packages)
    with pytest.raises(UsageError, match=said):
        require_engine(asked)


def test_what_is_not_installed_is_chosen_all_the_same_and_refused_when_it_is_opened(machine: Any) -> None:
    machine(packages=())
    assert choose_engine(HUB) == "transformers" and choose_engine(HUB, "vllm") == "vllm"
    assert choose_engine(SERVER) == "openai"
    with pytest.raises(UsageError, match="needs torch"):
        open_engine("transformers", HUB)


def test_models_that_an_engine_cannot_load_are_refused_at_once(machine: Any) -> None:
    machine(gpu=True, packages=ALL)
    only_transformers = ModelCard("aya", "hub", "org/aya", engine={"transformers": {}})
    with pytest.raises(UsageError, match="use --engine transformers"):
        choose_engine(only_transformers, "vllm")
    with pytest.raises(UsageError, match="openai:NAME@URL"):
        choose_engine(ModelCard("fork", "hub", "org/fork", engine={"openai": {}}))


@pytest.mark.parametrize("value", ["", "-1"])
def test_hidden_gpus_are_no_gpus(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setattr(Path, "glob", lambda self, pattern: iter([Path("/dev/nvidia0")]))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert opening.has_nvidia_gpu()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
    assert not opening.has_nvidia_gpu()


# ── Opening ───────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """Engines, corrections and downloads that only note what they were given."""
    seen: dict[str, Any] = {}

    def stand_in(module: str, **contents: Any) -> None:
        made = ModuleType(module)
        for name, value in contents.items():
            setattr(made, name, value)
        monkeypatch.setitem(sys.modules, module, made)

    def engine(name: str) -> Any:
        def make(*given: Any, **options: Any) -> str:
            seen[name] = (given, options)
            return name

        return make

    def corrected(folder: Path, card: ModelCard) -> tuple[Path, tuple[str, ...]]:
        return folder / "corrected", ("folded-image-scale",)

    def snapshot(repo: str, **options: Any) -> Path:
        seen["snapshot"] = (repo, options)
        return tmp_path / "snapshot"

    stand_in("tvbench.engines.vllm", VllmEngine=engine("vllm"))
    stand_in("tvbench.engines.transformers", TransformersEngine=engine("transformers"))
    stand_in("tvbench.engines.openai.engine", OpenAIEngine=engine("openai"))
    stand_in("tvbench.checkpoints.corrections", corrected=corrected)
    monkeypatch.setattr(hub, "snapshot", snapshot)
    return seen


def test_the_corrected_checkpoint_reaches_the_engine(stand_ins: dict[str, Any], tmp_path: Path) -> None:
    card = ModelCard("mine", "hub", "org/mine", revision="v2")
    options = EngineOptions({"dtype": "float32", "batch_size": 3, "max_model_len": 99}, offline=True)
    opened: object = open_engine("transformers", card, options=options)
    assert opened == "transformers"
    (folder, asked_of), arguments = stand_ins["transformers"]
    assert (folder, asked_of.name) == (tmp_path / "snapshot" / "corrected", "mine") and not arguments
    assert asked_of.engine == {"transformers": {"dtype": "float32", "batch_size": 3, "max_model_len": 99}}
    repo, asked = stand_ins["snapshot"]
    assert (repo, asked["revision"], asked["offline"]) == ("org/mine", "v2", True)
    assert "*.py" not in asked["files"]


def test_remote_code_needs_a_word_on_the_command_line(machine: Any, stand_ins: dict[str, Any]) -> None:
    machine(packages=ALL)
    card = ModelCard("phi", "hub", "org/phi", chat={"needs_remote_code": True})
    with pytest.raises(UsageError, match="--trust-remote-code"):
        open_engine("vllm", card)
    open_engine("vllm", HUB)
    assert stand_ins["vllm"][0][1].engine == {"vllm": {}}
    open_engine("vllm", card, options=EngineOptions({"trust_remote_code": True}))
    assert stand_ins["vllm"][0][1].engine == {"vllm": {"trust_remote_code": True}}
    assert "*.py" in stand_ins["snapshot"][1]["files"]
    with pytest.raises(UsageError, match="never runs a model's own code"):
        open_engine("transformers", card, options=EngineOptions({"trust_remote_code": True}))


def test_a_server_needs_no_checkpoint(stand_ins: dict[str, Any]) -> None:
    open_engine("openai", SERVER, options=EngineOptions({"concurrency": 4, "timeout": 9, "video": "video_url"}))
    given, arguments = stand_ins["openai"]
    assert given == ("m", "http://127.0.0.1:8000/v1")
    assert arguments == {"concurrency": 4, "timeout_s": 9, "retries": 5, "video": "video_url"}
    assert "snapshot" not in stand_ins


def test_the_random_model_is_built_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from tvbench.mini import checkpoint

    built: list[Path] = []

    def build(folder: Path, *, seed: int) -> Path:
        built.append(folder)
        (folder / "config.json").write_text("{}")
        return folder

    monkeypatch.setattr(checkpoint, "build_tiny", build)
    monkeypatch.setattr(local, "trained_folder", lambda name: None)
    monkeypatch.setenv("TVBENCH_CACHE", str(tmp_path / "cache"))
    card = ModelCard("tower-mini", "builtin", "tower-mini", revision="random-1")
    folder = opening.local_checkpoint(card)
    assert folder == opening.local_checkpoint(card) and (folder / "config.json").exists()
    assert len(built) == 1 and [path.name for path in folder.parent.iterdir()] == [folder.name]
    (tmp_path / "file").touch()
    monkeypatch.setenv("TVBENCH_CACHE", str(tmp_path / "file"))
    with pytest.raises(EngineError, match="TVBENCH_CACHE"):
        opening.local_checkpoint(card)


def test_a_folder_that_vanished_is_an_engine_error(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no checkpoint"):
        opening.local_checkpoint(ModelCard("x", "folder", str(tmp_path / "gone")))


# ── The hub ───────────────────────────────────────────────────────────────────────────────────────


def refusal(kind: str) -> Exception:
    from huggingface_hub import errors

    request = httpx.Request("GET", "https://example.org")
    made: Exception = getattr(errors, kind)("said no", response=httpx.Response(403, request=request))
    return made


@pytest.mark.parametrize(
    ("kind", "category", "said"),
    [
        ("GatedRepoError", UsageError, "https://huggingface.co/org/m"),
        ("RevisionNotFoundError", UsageError, "no revision 'v9'"),
        ("RepositoryNotFoundError", UsageError, "the hub has no model org/m"),
        ("HfHubHTTPError", TvbenchError, "refused model org/m"),
    ],
)
def test_what_the_hub_says(monkeypatch: pytest.MonkeyPatch, kind: str, category: type[Exception], said: str) -> None:
    import huggingface_hub

    def refuse(*given: Any, **options: Any) -> str:
        raise refusal(kind)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    with pytest.raises(category, match=said) as raised:
        hub.snapshot("org/m", kind="model", revision="v9")
    assert type(raised.value) is category


def test_offline_and_disk_errors(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    problem: Exception = LocalEntryNotFoundError("not in the cache")

    def fail(*given: Any, **options: Any) -> str:
        raise problem

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(EngineError, match="tvbench fetch --model"):
        hub.snapshot("org/m", kind="model", offline=True)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with pytest.raises(TvbenchError, match="cannot reach the hub for dataset org/m"):
        hub.snapshot("org/m", kind="dataset")
    problem = OSError(28, "No space left on device")
    with pytest.raises(TvbenchError, match="No space left"):
        hub.snapshot("org/m", kind="model")


def test_what_is_in_the_cache_is_found_offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The hub's own library, its cache laid out by hand: no network is needed."""
    import huggingface_hub.constants as constants

    store = tmp_path / "models--org--m"
    commit = "0" * 40
    (store / "refs").mkdir(parents=True)
    (store / "refs" / "main").write_text(commit)
    (store / "snapshots" / commit).mkdir(parents=True)
    (store / "snapshots" / commit / "config.json").write_text("{}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    assert hub.model_folder(ModelCard("m", "hub", "org/m"), offline=True) == store / "snapshots" / commit
