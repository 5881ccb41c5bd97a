"""How fast a file is scored, beside the usual pipeline and LightGBM's own prediction.

    python -m benchmarks.batch [--folder DIR] [--export FILE] [--rows 400000] [--rounds 3] [--json]

The model is the one that `leadq train` gives by default on 50,000 simulated leads of 40 columns, or
on an export of one's own: a CSV that pandas reads as it is, whose first column is the id. The usual
pipeline (pandas, scikit-learn, LightGBM) has as many leaves, and the floor is LightGBM's prediction
of leadq's own trees. Each way runs in a process of its own on all cores, in turns, so that a busy
machine is busy for all of them; imports and loading of models are not counted.
"""

from __future__ import annotations

import argparse
import filecmp
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from itertools import cycle, islice
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.batch_job import TOP
from benchmarks.serving import LEADS, prepare

Found = dict[str, float]


def write_rows(export: Path, target: Path, rows: int) -> None:
    """Write the leads of an export again and again, each under an id of its own.

    Args:
        export: the first column is the id, and is not in quotes.
        target: what is written.
        rows: how many.

    Raises:
        ValueError: when the export ends inside of quotes.

    """
    with export.open(encoding="utf-8", newline="") as file:
        header, *records = _records(file, export)
    rest = [record.partition(",")[2] for record in records]
    with target.open("w", encoding="utf-8", newline="") as file:
        file.write(header)
        file.writelines(f"R{i},{own}" for i, own in enumerate(islice(cycle(rest), rows)))


def _records(lines: Iterable[str], export: Path) -> Iterator[str]:
    """Yield records as they stand there; a value in quotes may span lines."""
    record = ""
    for line in lines:
        record += line
        if record.count('"') % 2 == 0:
            yield record
            record = ""
    if record:
        raise ValueError(f"{export}: ends inside of quotes")


class Bench:
    """Runs ways to score in turns."""

    def __init__(self, folder: Path, work: Path) -> None:
        self._folder, self._work = folder, work
        self.found: dict[str, list[Found]] = {}

    def source(self, rows: int) -> Path:
        """Return a file of so many leads."""
        path = self._work / f"{rows}.csv"
        if not path.exists():
            write_rows(self._folder / "crm" / "export.csv", path, rows)
        return path

    def run(self, name: str, way: str, rows: int, reasons: int) -> Found:
        """Run one way in a process of its own.

        Raises:
            RuntimeError: when it fails.

        """
        ending = ".parquet" if way == "leadq" else ".csv"
        arguments = [
            *(way, str(self._folder), str(self.source(rows))),
            *(str(self._work / f"scored{ending}"), str(reasons)),
        ]
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.batch_job", *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{name}: {done.stderr[-2000:]}")
        found: Found = json.loads(done.stdout.splitlines()[-1])
        if found["rows"] != rows:
            raise RuntimeError(f"{name}: scored {found['rows']:,} of {rows:,} rows")
        self.found.setdefault(name, []).append(found)
        print(f"... {name}: {_rate(found):,.0f} rows/s", file=sys.stderr)
        return found

    def over(self, name: str, of: str) -> float:
        """Return the median over the rounds of the ratio of rows/s."""
        pairs = zip(self.found[name], self.found[of], strict=True)
        return statistics.median(_rate(one) / _rate(other) for one, other in pairs)


def _rate(found: Found) -> float:
    return found["rows"] / found["seconds"]


def measured(bench: Bench, args: argparse.Namespace) -> dict[str, float]:
    """Return the figures; those of sizes that are not asked for are left out."""
    for _ in range(args.rounds):
        bench.run("leadq, score alone", "leadq", args.rows, 0)
        bench.run("usual, no reasons", "usual", args.rows, 0)
        bench.run("leadq, 5 reasons", "leadq", args.rows, TOP)
        bench.run("LightGBM's prediction alone", "floor", min(args.rows, 200_000), 0)
        bench.run("usual, pred_contrib", "usual", min(args.rows, args.contrib_rows), TOP)
    reasons = "leadq, 5 reasons"
    figures = {
        "score_speedup_over_usual": bench.over("leadq, score alone", "usual, no reasons"),
        "reasons_speedup_over_usual": bench.over(reasons, "usual, pred_contrib"),
        "reasons_share_of_lightgbm_floor": bench.over(reasons, "LightGBM's prediction alone"),
        "tree_time_share": statistics.median(
            found["model_cpu"] / found["cpu"] for found in bench.found[reasons]
        ),
    }
    sized = {rows: bench.run(f"leadq, {rows:,} rows", "leadq", rows, TOP) for rows in args.sizes}
    if sized:
        small, large = min(sized), max(sized)
        figures["peak_gb_5m"] = sized[large]["peak_gb"]
        figures["peak_5m_over_1m"] = sized[large]["peak_gb"] / sized[small]["peak_gb"]
    return figures


def _show(bench: Bench, figures: dict[str, float]) -> None:
    table = Table()
    for head in ("", "rows/s", "us of a processor a row", "share in the model", "peak, GB"):
        table.add_column(head, justify="right" if head else "left")
    for name, runs in bench.found.items():
        found = sorted(runs, key=_rate)[len(runs) // 2]
        cpu, model = found.get("cpu"), found.get("model_cpu")
        table.add_row(
            name,
            f"{_rate(found):,.0f}",
            f"{1e6 * cpu / found['rows']:.1f}" if cpu else "",
            f"{model / cpu:.0%}" if cpu and model else "",
            f"{found['peak_gb']:.2f}",
        )
    console = Console(stderr=True)
    console.print(table)
    for name, value in figures.items():
        console.print(f"{name}: {value:.3g}")


def lay_down(export: Path | None, folder: Path) -> None:
    """Put an export of one's own where that of the simulation would be.

    Raises:
        SystemExit: when the folder holds a model of another export.

    """
    laid = folder / "crm" / "export.csv"
    if export is None or (laid.exists() and filecmp.cmp(export, laid, shallow=False)):
        return
    if laid.exists():
        raise SystemExit(f"{folder}: holds another export already; name a folder of its own")
    laid.parent.mkdir(parents=True)
    shutil.copyfile(export, laid)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="keeps the trained model for the next run")
    parser.add_argument("--export", type=Path, help="with outcomes, in place of simulated leads")
    parser.add_argument("--leads", type=int, default=LEADS, help="that the model learns from")
    parser.add_argument("--rows", type=int, default=400_000, help="of the file that is scored")
    parser.add_argument(
        "--contrib-rows", type=int, default=10_000, help="of the file for pred_contrib at most"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--sizes",
        type=int,
        nargs="*",
        default=[1_000_000, 5_000_000],
        help="rows of files for the peak of memory, from the smallest to the largest",
    )
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = (args.folder or Path(made, "model")).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        lay_down(args.export, folder)
        prepare(folder, args.leads)
        work = Path(made, "work")
        work.mkdir()
        bench = Bench(folder, work)
        figures = measured(bench, args)
        _show(bench, figures)
    if args.json:
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
