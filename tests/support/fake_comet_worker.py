"""A fake COMET worker: speaks the protocol, misbehaves as told, and scores by a formula. Needs no comet.

    python fake_comet_worker.py FOLDER CHECKPOINT --precision P --batch-size N

FOLDER/plan.json holds {"die_after", "quiet_after", "garbage", "child", "fail", "nan", "hold", "never_ready", "starts"}:
`starts` is how many starts misbehave. FOLDER/log.jsonl gets the process ids of each start, and what it was sent.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

folder = Path(sys.argv[1])
plan = json.loads((folder / "plan.json").read_text()) if (folder / "plan.json").exists() else {}
log = folder / "log.jsonl"
start = sum('"pid"' in line for line in log.read_text().splitlines()) if log.exists() else 0
if start >= plan.get("starts", 1000):
    plan = {}


def note(**fields: object) -> None:
    with log.open("a") as file:
        file.write(json.dumps(fields) + "\n")


def say(kind: str, **fields: object) -> None:
    sys.stdout.write(json.dumps({"tvbench": kind, **fields}) + "\n")
    sys.stdout.flush()


def score(segment: dict[str, str]) -> float:
    return len(segment["mt"]) / (1 + len(segment["src"]) + len(segment.get("ref", "")))


child = None
if plan.get("child"):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
note(pid=os.getpid(), child=child.pid if child else None, args=sys.argv[2:])
print("Weights are 31 % loaded", file=sys.stderr, flush=True)
if plan.get("garbage"):
    for noise in (b"Lightning says hello", b"\xff\xfe", b"null", b"[1]", b'{"tvbench": 3}', b'{"id": 1}', b"[" * 9000):
        sys.stdout.buffer.write(noise + b"\n")
    sys.stdout.buffer.flush()
say("beat", doing="loading the checkpoint")
if plan.get("never_ready"):
    sys.exit(3)
say(
    "ready",
    versions={"unbabel-comet": "fake", "torch": "0.1+cpu"},
    **{"class": "Fake"},
    device="cpu",
    needs_reference=True,
)
for line in sys.stdin:
    asked = json.loads(line)
    segments = [segment for segment in asked["segments"] if segment["id"] not in asked["done"]]
    note(sent=[segment["id"] for segment in segments], segments=segments)
    for number, segment in enumerate(segments):
        if number == plan.get("die_after"):
            if plan.get("hold"):
                # Somebody else keeps our output open: its end is never seen.
                subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            os.kill(os.getpid(), signal.SIGKILL)
        if number == plan.get("quiet_after"):
            time.sleep(600)
        if plan.get("garbage"):
            print("50%|#####     | it/s")
            say("result", id=["not", "a", "key"], score=1.0)
            say("result", id="nobody asked", score=1.0)
        if plan.get("fail") and plan["fail"] in segment["mt"]:
            say("error", id=segment["id"], error="IndexError: out of range")
        elif plan.get("nan"):
            say("result", id=segment["id"], score=float("nan"))
        else:
            say("result", id=segment["id"], score=score(segment))
    say("done")
say("bye")
