"""tvbench beside its peers: the same model, the same engine, the same questions on pictures, in turns.

    python benchmarks/peers.py --make           # an environment for lmms-eval, over that of tools/vllm_env.py
    python benchmarks/peers.py                  # bare vLLM, tvbench, lmms-eval: vLLM in the process
    python benchmarks/peers.py --served --vlmevalkit CHECKOUT       # tvbench, VLMEvalKit: one vLLM server
    python benchmarks/peers.py --kill           # each side killed half-way, and the same command given again

Every side is a whole process, from its start to its end with figures written. Its own clock, where it has one, tells
the generation alone: from the loaded model to the last answer. The parts of this program lie in peer_sides/, where
bare.py, the bare side, knows nothing of tvbench. lmms-eval runs at its best flags (`--batch_size` of all questions)
and, with `--small-batch`, at its default of 1. Answers of all sides are compared; what an incremental detokenizer
leaves out at a cut character is no difference. Seconds of processors are told too: they move less with whatever else
the machine does.

VLMEvalKit is not on the package index: CHECKOUT is a clone of its repository. It has no vLLM path for LLaVA-NeXT
checkpoints, so that it is compared through a server, with 32 requests at a time on both sides. Linux only.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # this checkout's tvbench, whatever is installed

from benchmarks.peer_sides.comparing import compare
from benchmarks.peer_sides.environments import checkpoint, made, vllm_python
from benchmarks.peer_sides.killing import killed
from benchmarks.peer_sides.place import Place
from benchmarks.peer_sides.questions import write_questions
from benchmarks.peer_sides.server import server
from benchmarks.peer_sides.sides import sides


def main() -> int:
    """Compare, or kill. 1 when an answer differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--make", action="store_true", help="make the environments, and stop")
    parser.add_argument("--prompts", type=int, default=200)
    parser.add_argument("--tokens", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--small-batch", action="store_true", help="lmms-eval at its default batch of 1 too")
    parser.add_argument("--served", action="store_true", help="through one vLLM server")
    parser.add_argument("--vlmevalkit", type=Path, metavar="CHECKOUT", help="a clone of VLMEvalKit")
    parser.add_argument("--warm", action="store_true", help="byte code and caches are warm: no round for them")
    parser.add_argument("--kill", action="store_true", help="kill each side half-way, and give its command again")
    args = parser.parse_args()
    python = {"vllm": vllm_python(), "lmms-eval": made("lmms-eval", "lmms_eval")}
    if args.vlmevalkit:
        python["vlmevalkit"] = made("vlmevalkit", "Levenshtein")
    if args.make:
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        here = Path(scratch)
        place = Place(checkpoint(), here / "data", here, args.tokens, python, args.vlmevalkit, args.served)
        write_questions(place.data, args.prompts, args.tokens)
        with server(place) if args.served else contextlib.nullcontext():
            if not args.kill:
                return compare(place, sides(args), args.rounds, warm=args.warm)
            for side in sides(args):
                killed(place, side, args.prompts, warm=args.warm)
    return 0


if __name__ == "__main__":
    sys.exit(main())
