"""Receipts of a month for the whole stock: letters a second and core, archive and print file included.

    python -m benchmarks.receipts [--leases 4250] [--months 3]

Over a scratch stock on SQLite, or on the server that DATABASE_URL names (`python -m tests.postgres --
python -m benchmarks.receipts`). The limit is the typesetter alone on the same letters.
"""

import argparse
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from time import process_time

GOAL = 100  # letters a second and core


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.receipts", description=__doc__.split("\n")[0])
    parser.add_argument("--leases", type=int, default=4250)
    parser.add_argument("--months", type=int, default=3, help="months of history (3)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gla-bench-") as place:
        os.environ.setdefault("DATABASE_URL", f"sqlite:///{place}/bench.sqlite3")
        os.environ |= {"DJANGO_SETTINGS_MODULE": "gla.settings", "GLA_DEMO": "1"}
        from benchmarks.build import build

        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            pool.submit(build, asked.leases, asked.months).result()
        import django

        django.setup()
        print(measure(asked.months))
    return 0


def measure(months: int) -> str:
    """A line of figures: letters, letters a core-second, the typesetter's own, their ratio, peak MB."""
    from benchmarks import stock
    from core import documents
    from core.documents import letterhead
    from leases.papers import batch
    from leases.papers.months import RECEIPT, ranges, to_make

    month: date = stock.month_number(months - 2)
    on = stock.month_number(months)
    head, bare = letterhead(), 0.0
    presses = {kind: documents.press(kind) for kind in batch.KINDS[RECEIPT]}
    for low, high in ranges(RECEIPT, month, batch.SIZE):
        letters = to_make(RECEIPT, month, on, head=head, leases=(low, high))
        started = process_time()
        for one in letters:
            presses[one.kind].pdf(one.data, on=on)
        bare += process_time() - started
    Path("/proc/self/clear_refs").write_text("5")
    started = process_time()
    done = batch.begin(RECEIPT, month, on=on, by=None, wait=True)
    size = sum(len(body) for _ids, body in batch.print_files(RECEIPT, month))
    took = process_time() - started
    status = Path("/proc/self/status").read_text().splitlines()
    peak = int(next(line for line in status if line.startswith("VmHWM")).split()[1]) / 1024
    made = done.result["made"]
    rate = made / took
    return (
        f"receipts: {made} letters in {took:.1f} core-seconds, {rate:.0f}/s (goal ≥ {GOAL});"
        f" typesetter alone {made / bare:.0f}/s, ratio {took / bare:.2f}; print file {size / 1e6:.0f} MB;"
        f" peak {peak:.0f} MB"
    )


if __name__ == "__main__":
    sys.exit(main())
