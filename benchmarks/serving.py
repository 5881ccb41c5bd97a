"""How fast leads are served, beside an empty request, MLflow's server and the usual pipeline.

    python -m benchmarks.serving [--folder DIR] [--seconds 6] [--rounds 3] [--json]

All in one run: each server has one core, the client (wrk) the other, and each measurement of leadq
stands between two of the echo, an empty FastAPI request. The model is the one that `leadq train`
gives by default on 50,000 simulated leads; keys, spool and metrics are switched on.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from benchmarks.load import Latency, Target, measure, need_tools, stream
from benchmarks.servers import free_port, leadq, run_leadq, serving, uvicorn
from benchmarks.usual import fit_usual
from features.encoder import Encoder
from serving.artefact import Artefact, leads_of_records, read
from serving.members import Trees
from serving.spool import waiting

LEADS, MANY, SENT = 50_000, 100, 1_000
_LEAVES = 3_100
"""Of the usual pipeline where leadq's model has no trees: LightGBM's own default."""
_PATIENCE = 300.0
_NO_REASONS = "?reasons=0"
_FRAME = "dataframe_records"
_OWN = "mlflow with leadq"


@dataclass(frozen=True)
class Prepared:
    """A trained model, leads to be sent, and the folder that holds both."""

    folder: Path
    env: dict[str, str]
    key: str
    artefact: Artefact
    model: Path
    """leadq's, as MLflow has it."""
    usual: Path
    """The usual pipeline, as MLflow has it."""
    records: list[dict[str, str]]


def prepare(folder: Path, leads: int) -> Prepared:
    """Simulate and train, unless the folder holds an export or a trained model; make a key."""
    env = {**os.environ, "LEADQ_HOME": str(folder / "home"), "LEADQ_SECRET": secrets.token_hex(32)}
    if not (folder / "agreement.toml").exists():
        if not (folder / "crm" / "export.csv").exists():
            run_leadq(folder, env, "simulate", "-o", "crm", "--leads", str(leads))
        run_leadq(folder, env, "init", "crm/export.csv", "-o", "agreement.toml", "--yes")
        run_leadq(folder, env, "train", "crm/export.csv")
    made = run_leadq(folder, env, "keys", "new", "--name", "bench", "--scope", "score", "--json")
    (model,) = folder.glob("home/artefacts/models/m-*/artifacts")
    artefact = read(model / "artifacts" / "leadq")
    wanted = {field.field for field in artefact.scorer.encoder.fields}
    wanted |= {n for n in artefact.scorer.agreement.columns.model_dump().values() if n}
    with (folder / "crm" / "export.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row, _ in zip(csv.DictReader(file), range(SENT), strict=False)]
    records = [{n: v for n, v in row.items() if v and n in wanted} for row in rows]
    usual = _usual(folder, artefact)
    return Prepared(folder, env, str(made["key"]), artefact, model, usual, records)


def _usual(folder: Path, artefact: Artefact) -> Path:
    export = pd.read_csv(folder / "crm" / "export.csv", dtype=str)
    names = [field.field for field in artefact.scorer.encoder.fields]
    agreement = artefact.scorer.agreement
    won = export[agreement.columns.outcome].isin(agreement.outcomes.won).astype(int).to_numpy()
    leaves = own_trees(artefact)[0].size[1] if own_trees(artefact) else _LEAVES
    return fit_usual(export[names], won, leaves, folder)


def own_trees(artefact: Artefact) -> list[Trees]:
    """Return the model's trees; none where it came out without."""
    return [member for member in artefact.scorer.blend.members if isinstance(member, Trees)]


def trees_of(artefact: Artefact) -> Trees:
    """Return the model's trees.

    Raises:
        SystemExit: when it has none, so that LightGBM has nothing to predict by.

    """
    found = own_trees(artefact)
    if not found:
        raise SystemExit("the model came out without trees; train on more leads, with --leads")
    return found[0]


def reason_error(at: Prepared) -> float:
    """Return the largest difference of a contribution from LightGBM's `pred_contrib`."""
    import lightgbm

    encoder: Encoder = at.artefact.scorer.encoder
    matrix = encoder.encode(leads_of_records(list(at.records), at.artefact.scorer, {}))
    trees = trees_of(at.artefact)
    theirs = lightgbm.Booster(model_str=trees.text).predict(matrix, pred_contrib=True)
    return float(np.abs(trees.explained(matrix)[1] - np.asarray(theirs)).max())


class Bench:
    """Measures targets in turns, so that a busy machine is busy for all of them."""

    def __init__(self, at: Prepared, seconds: int, rounds: int) -> None:
        self._at, self._seconds, self._rounds = at, seconds, rounds
        self.found: dict[str, dict[str, Any]] = {}

    def leadq(self) -> None:
        """Measure leadq beside the echo, round by round."""
        at, port, floor = self._at, free_port(), free_port()
        echo = Target(f"http://127.0.0.1:{floor}/", [json.dumps(r) for r in at.records])
        one = Target(f"http://127.0.0.1:{port}/v1/score", echo.bodies, at.key)
        bare = Target(one.url + _NO_REASONS, echo.bodies, at.key)
        many = Target(one.url, _bulks(at.records, "leads"), at.key)
        with (
            serving(uvicorn("benchmarks.echo:app", floor), echo, at.folder),
            self._server(port, one) as running,
        ):
            for _ in range(self._rounds):
                self._rest()
                before = self._one(echo, "echo")
                quiet = self._one(one, "leadq, 5 reasons", before)
                self._one(bare, "leadq, score alone", before)
                self._one(many, f"leadq, {MANY} leads, 5 reasons", before)
                with stream(many, self._seconds + 5, at.folder):
                    self._one(one, "leadq, one beside bulks", quiet)
            self._note("leadq", first_answer_s=running.first_answer_s, rss_mb=running.rss_mb())

    def _rest(self) -> None:
        """Wait until the scores given are in the store: on the echo's core, that would be work."""
        end = time.monotonic() + _PATIENCE
        while waiting(self._at.folder / "home" / "spool", time.time()).scores:
            if time.monotonic() > end:
                raise RuntimeError(f"after {_PATIENCE:g} s scores still wait for the store")
            time.sleep(0.2)

    def _server(self, port: int, target: Target) -> Any:
        at = self._at
        command = leadq("serve", "--port", str(port))
        return serving(command, target, at.folder, at.env)

    def peer(self, name: str, command: Callable[[int], list[str]], path: str, many: str) -> None:
        """Measure a peer that gives no reasons: one lead, and many."""
        at, port = self._at, free_port()
        url = f"http://127.0.0.1:{port}{path}"
        one = Target(url, [json.dumps({many: [r]}) for r in at.records])
        env = {**os.environ, "BENCH_FOLDER": str(at.folder)}
        with serving(command(port), one, at.folder, env) as running:
            for _ in range(self._rounds):
                self._one(one, name)
                self._one(Target(url, _bulks(at.records, many)), f"{name}, {MANY} leads")
            self._note(name, first_answer_s=running.first_answer_s, rss_mb=running.rss_mb())

    def _one(self, target: Target, name: str, beside: Latency | None = None) -> Latency:
        found = measure(target, self._seconds, self._at.folder)
        if found.failed or not found.requests:
            raise RuntimeError(f"{name}: {found.failed} of {found.requests} requests failed")
        rounds = self.found.setdefault(name, {}).setdefault("rounds", [])
        rounds.append((found, beside))
        print(f"... {name}: p50 {found.p50_us:,.0f} us, p99 {found.p99_us:,.0f}", file=sys.stderr)
        return found

    def _note(self, name: str, **facts: float) -> None:
        self.found.setdefault(name, {}).update(facts)

    def p50(self, name: str) -> float:
        """Return the median over the rounds of the median reply, in microseconds."""
        return statistics.median(f.p50_us for f, _ in self.found[name]["rounds"])

    def over(self, name: str, of: str = "p50_us") -> float:
        """Return the median over the rounds of the ratio to what was measured beside it."""
        pairs = self.found[name]["rounds"]
        return statistics.median(getattr(f, of) / beside.p50_us for f, beside in pairs)


def _bulks(records: list[dict[str, str]], name: str) -> list[str]:
    parts = [records[i : i + MANY] for i in range(0, len(records), MANY)]
    return [json.dumps({name: part}) for part in parts if len(part) == MANY]


def _figures(bench: Bench, at: Prepared) -> dict[str, float]:
    one, many = "leadq, 5 reasons", f"leadq, {MANY} leads, 5 reasons"
    return {
        "single_reasons_p50_over_echo": bench.over(one),
        "single_score_p50_over_echo": bench.over("leadq, score alone"),
        "single_reasons_speedup_over_mlflow": bench.p50("mlflow") / bench.p50(one),
        "bulk100_reasons_speedup_over_mlflow": bench.p50(f"mlflow, {MANY} leads") / bench.p50(many),
        "single_reasons_speedup_over_mlflow_with_leadq": bench.p50(_OWN) / bench.p50(one),
        "bulk100_reasons_speedup_over_mlflow_with_leadq": (
            bench.p50(f"{_OWN}, {MANY} leads") / bench.p50(many)
        ),
        "singles_beside_bulk_p99_over_quiet_p50": bench.over("leadq, one beside bulks", "p99_us"),
        "first_answer_s": bench.found["leadq"]["first_answer_s"],
        "rss_mb": bench.found["leadq"]["rss_mb"],
        "max_abs_reason_error": reason_error(at),
    }


def _show(bench: Bench, at: Prepared, figures: dict[str, float]) -> None:
    trees, leaves = trees_of(at.artefact).size
    echo = bench.p50("echo")
    table = Table(title=f"{trees:,} trees, {leaves:,} leaves; one core for the server")
    for head in ("", "p50, us", "p99, us", "times the echo"):
        table.add_column(head, justify="right" if head else "left")
    for name, found in bench.found.items():
        if "rounds" in found:
            p99 = statistics.median(f.p99_us for f, _ in found["rounds"])
            p50 = bench.p50(name)
            table.add_row(name, f"{p50:,.0f}", f"{p99:,.0f}", f"{p50 / echo:,.2f}")
    console = Console(stderr=True)
    console.print(table)
    for name, value in figures.items():
        console.print(f"{name}: {value:.3g}")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="keeps the trained model for the next run")
    parser.add_argument("--leads", type=int, default=LEADS)
    parser.add_argument("--seconds", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    need_tools()
    with tempfile.TemporaryDirectory() as made:
        folder = (args.folder or Path(made)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        at = prepare(folder, args.leads)
        bench = Bench(at, args.seconds, args.rounds)
        bench.leadq()
        mlflow = [sys.executable, "-m", "mlflow", "models", "serve", "--env-manager", "local"]
        for name, model in (("mlflow", at.usual), (_OWN, at.model)):
            command = [*mlflow, "-m", str(model), "-p"]
            bench.peer(name, lambda port, c=command: [*c, str(port)], "/invocations", _FRAME)
        bench.peer("usual", lambda port: uvicorn("benchmarks.usual:app", port), "/", "leads")
        figures = _figures(bench, at)
        _show(bench, at, figures)
    if args.json:
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
