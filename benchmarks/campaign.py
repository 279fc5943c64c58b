"""One run over three ways at once, with processes killed all the time: is anything lost, or paid for twice?

    python benchmarks/campaign.py                                                 # a small one, a minute or two
    python benchmarks/campaign.py --requests 1000000 --kills 100 --pause 0 --folder DIR     # at size: 4 GB of disk

What is tried. N questions of one model, asked in one run:

  shards   processes of `--shard I/N` write one folder together, each a part of its own
  actors   one of these shards has its questions answered by `--replicas R`: actors of Ray, each with a file of its own
  batches  a wave (`tvbench export batch`) is out while shards and actors answer the rest; what comes back, in pieces,
           shuffled, doubled and torn, is taken in by `tvbench import batch` in a copy of the folder, as on another
           machine, for an import needs a folder for itself; `tvbench merge` brings the copy's answers home

There are three divisions, of 4, 3 and 2 shards: the first gives way to the second the moment all its processes were
killed, with nothing in between, so that its actors may live on for a moment; before the last one everything is merged
into a folder of another place, where the run goes on, while half of a wave is out, and a second wave is written. K
processes are killed by SIGKILL when so many answers were paid for, at seeded counts: shards, actors, the drivers of
actors; imports and merges besides. What was killed is started again at once. Now and then a second writer begins the
same shard, or the whole run: one of the two has to be refused, and pays nothing.

What is made up. The engine (campaigns/given.py, through the public protocol) and the service of batches answer by the
key alone, so that equal questions get equal answers. By the command line no run could go all three ways: a batch is
answered by a server, and a server's client is opened once. So sessions begin one layer below `tvbench run`
(`api.plan`, then RunSession, as `api.ask` does), and are lent the engine, or its replicas. `export`, `import`, `merge`
and `score` are the commands themselves. The parts of this program lie in campaigns/.

How it is counted. Each engine appends a key to a log of its own before it hands the answer over, and goes on when that
is stored; the service logs what it answers, and fails without pay. Of an engine that was killed, only the last line can
be in flight: paid for, and not stored. These are counted apart, where the question had to be paid for again. Any other
second payment is one too many, and any question without its answer is lost. At the end the answers, and the figures of
`tvbench score`, must be those of one process that asked everything. Exit code 1 where anything is otherwise.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # this checkout's tvbench, whatever is installed

from benchmarks.campaigns.asking import work
from benchmarks.campaigns.camp import Camp
from benchmarks.campaigns.course import Campaign


def main() -> int:
    """Play a campaign, and say what came of it; or, with --work, be one of its processes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=3000, metavar="N")
    parser.add_argument("--kills", type=int, default=12, metavar="K")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pause", type=float, default=0.01, metavar="S", help="seconds that an answer takes")
    parser.add_argument("--no-ray", action="store_true", help="shards and batches alone")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where to keep all (default: a temporary folder)")
    parser.add_argument("--work", metavar="RESULTS", help=argparse.SUPPRESS)
    parser.add_argument("--paid", default="paid", help=argparse.SUPPRESS)
    parser.add_argument("--shard", help=argparse.SUPPRESS)
    parser.add_argument("--replicas", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        return work(args)
    with contextlib.ExitStack() as stack:
        folder = args.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        campaign = Campaign(Camp(folder.resolve(), args))
        try:
            return campaign.play()
        finally:
            campaign.crowd.kill_all()


if __name__ == "__main__":
    sys.exit(main())
