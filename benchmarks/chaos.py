"""Serve under load while everything around it fails, and count what was lost.

    python -m benchmarks.chaos --minutes 10 [--workers 4] [--share 0.8]

Leads are scored at a share of what the service can do, over PostgreSQL. Meanwhile a model is
promoted every 20 seconds, a worker is killed (SIGKILL) every 30, PostgreSQL is stopped for a tenth
of the time, and MLflow's files are gone for another tenth. Afterwards every answered score must
stand in the store once, with the probability that the answering version gives; no request may have
failed but those that a killed worker had in hand.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from benchmarks.load import Target
from benchmarks.servers import ROOT, Running, family, free_port, leadq, run_leadq, serving
from features.store.database import open_store
from features.store.tables import Lead, Score
from serving.artefact import leads_of_records
from serving.published import load_version
from serving.spool import waiting
from tests import postgres

IDS = 2_000
_IN_HAND_SECONDS = 3.0
"""A request that broke off so soon before or after a kill was in that worker's hands."""
_DRAIN_SECONDS = 300.0


@dataclass
class Chaos:
    """What was done, and what was found."""

    requests: int = 0
    per_second: float = 0.0
    promotions: int = 0
    refused_promotions: int = 0
    """Tried while MLflow's files or the store were gone."""
    kills: int = 0
    in_hand: int = 0
    """Requests that broke off with the worker that had them."""
    failed: int = 0
    """Requests that failed otherwise."""
    lost: int = 0
    """Answered scores that are not in the store."""
    doubled: int = 0
    wrong: int = 0
    """Answers whose probability is not that of the version they name."""
    p99_ms: float = 0.0
    rss_mb_start: float = 0.0
    """Of the largest process, after the first tenth of the time."""
    rss_mb_end: float = 0.0
    reasons: Counter[str] = field(default_factory=Counter)
    """Why requests failed."""

    @property
    def is_clean(self) -> bool:
        """Whether nothing was lost."""
        return not (self.failed or self.lost or self.doubled or self.wrong)


@dataclass
class Scene:
    """The service that is hammered, and what stands around it."""

    folder: Path
    env: dict[str, str]
    server: postgres.Server
    url: str
    port: int
    key: str
    leads: list[dict[str, str]]
    expected: dict[str, dict[str, float]]
    """Probability by version and id."""

    def say(self, *words: str) -> dict[str, object]:
        """Run a command of leadq."""
        return run_leadq(self.folder, self.env, *words)


@dataclass(frozen=True)
class Plan:
    """How the service is used and disturbed."""

    seconds: float = 600.0
    workers: int = 4
    share: float = 0.8
    """Of the requests a second that it can do."""
    promote_every: float = 20.0
    kill_every: float = 30.0
    seed: int = 0
    """Which worker is killed."""


@contextmanager
def scene(folder: Path, leads: int) -> Iterator[Scene]:
    """Train two models over a PostgreSQL of its own, and make a key."""
    with tempfile.TemporaryDirectory(prefix="pg-") as home, postgres.server(Path(home)) as server:
        url = server.fresh()
        env = {
            **os.environ,
            "LEADQ_HOME": str(folder / "home"),
            "LEADQ_STORE__URL": url,
            "LEADQ_SECRET": secrets.token_hex(32),
        }
        run_leadq(folder, env, "simulate", "-o", "crm", "--leads", str(leads))
        run_leadq(folder, env, "init", "crm/export.csv", "-o", "agreement.toml", "--yes")
        for recipe in ("logistic", "trees"):
            run_leadq(folder, env, "train", "crm/export.csv", "--recipe", recipe)
        made = run_leadq(folder, env, "keys", "new", "--name", "x", "--scope", "score", "--json")
        for version in ("2", "1"):
            run_leadq(folder, env, "promote", version)
        sent, expected = _leads(folder, url)
        yield Scene(folder, env, server, url, free_port(), str(made["key"]), sent, expected)


def _leads(folder: Path, url: str) -> tuple[list[dict[str, str]], dict[str, dict[str, float]]]:
    """Return leads to be sent, and what each version says of each."""
    store = open_store(url)
    scorers = {v: load_version(store, v).artefact.scorer for v in ("1", "2")}
    store.close()
    wanted = {name for scorer in scorers.values() for name in scorer.read_names}
    with (folder / "crm" / "export.csv").open(newline="", encoding="utf-8") as file:
        rows = list(islice(csv.DictReader(file), IDS))
    sent = [{name: cell for name, cell in row.items() if cell and name in wanted} for row in rows]
    expected = {}
    for version, scorer in scorers.items():
        scores = scorer.score(leads_of_records(list(sent), scorer, {}), reasons=0)
        expected[version] = {score.id: score.probability for score in scores}
    return sent, expected


def run(at: Scene, plan: Plan) -> Chaos:
    """Hammer the service, disturb it, and count."""
    found, kills, over = Chaos(), list[float](), threading.Event()
    target = Target(f"http://127.0.0.1:{at.port}/v1/score", [json.dumps(at.leads[0])], at.key)
    command = leadq("serve", "--port", str(at.port), "--workers", str(plan.workers))
    with serving(command, target, at.folder, at.env, core=None) as running:
        trial = max(2.0, plan.seconds / 60)
        found.per_second = plan.share * len(_hammered(at, "limit", trial, 0)) / trial
        print(f"... {found.per_second:,.0f} requests a second from now on", file=sys.stderr)
        rng, away = random.Random(plan.seed), plan.seconds / 10
        acts: list[tuple[Callable[..., None], float, Callable[[], None]]] = [
            (_every, plan.promote_every, lambda: _promote(at, found)),
            (_every, plan.kill_every, lambda: _kill_worker(running, rng, kills)),
            (_once, 0.3 * plan.seconds, lambda: _outage(at, away)),
            (_once, 0.6 * plan.seconds, lambda: _no_mlflow(at, away)),
            (_once, plan.seconds / 10, lambda: _watch(over, running, plan.seconds / 60, found)),
        ]
        threads = [threading.Thread(target=how, args=(over, *act)) for how, *act in acts]
        for thread in threads:
            thread.start()
        answers = _hammered(at, "load", plan.seconds, found.per_second)
        over.set()
        for thread in threads:
            thread.join()
        _wait_until_drained(at)
    found.kills = len(kills)
    _judge(at, answers, kills, found)
    return found


def _hammered(at: Scene, name: str, seconds: float, rate: float) -> list[dict[str, Any]]:
    job = at.folder / f"{name}.json"
    said = {"port": at.port, "key": at.key, "leads": at.leads, "seconds": seconds, "rate": rate}
    job.write_text(json.dumps(said), encoding="utf-8")
    command = [sys.executable, "-m", "benchmarks.hammer", str(job)]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    lines = job.with_suffix(".answers").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def _every(over: threading.Event, seconds: float, act: Callable[[], None]) -> None:
    """Act at fixed moments, however long each act takes; one that comes late is done at once."""
    due = time.monotonic() + seconds
    while not over.wait(max(0.0, due - time.monotonic())):
        act()
        due += seconds


def _once(over: threading.Event, seconds: float, act: Callable[[], None]) -> None:
    if not over.wait(seconds):
        act()


def _promote(at: Scene, found: Chaos) -> None:
    version = "2" if (found.promotions + found.refused_promotions) % 2 == 0 else "1"
    try:
        at.say("promote", version)
        found.promotions += 1
    except RuntimeError as error:
        print(f"... not promoted: {str(error).splitlines()[-1]}", file=sys.stderr)
        found.refused_promotions += 1


def _kill_worker(running: Running, rng: random.Random, kills: list[float]) -> None:
    workers = [pid for pid in family(running.process.pid) if _is_worker(pid)]
    if workers:
        kills.append(time.time())
        os.kill(rng.choice(workers), signal.SIGKILL)


def _is_worker(pid: int) -> bool:
    """Whether a process listens: the one that takes requests, not its parent, not the keeper."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return b"spawn_main" in command


def _outage(at: Scene, seconds: float) -> None:
    print("... PostgreSQL stops", file=sys.stderr)
    at.server.stop()
    time.sleep(seconds)
    at.server.start()
    print("... PostgreSQL is back", file=sys.stderr)


def _no_mlflow(at: Scene, seconds: float) -> None:
    home, away = at.folder / "home", at.folder / "away"
    away.mkdir()
    for name in ("mlflow.db", "artefacts"):
        (home / name).rename(away / name)
    time.sleep(seconds)
    for name in ("mlflow.db", "artefacts"):
        made = home / name  # by a command that found nothing
        if made.is_dir():
            shutil.rmtree(made)
        (away / name).replace(made)


def _watch(over: threading.Event, running: Running, seconds: float, found: Chaos) -> None:
    found.rss_mb_start = found.rss_mb_end = running.rss_mb()
    while not over.wait(seconds):
        found.rss_mb_end = running.rss_mb()


def _wait_until_drained(at: Scene) -> None:
    until = time.time() + _DRAIN_SECONDS
    while time.time() < until and waiting(at.folder / "home" / "spool", time.time()).scores:
        time.sleep(0.5)


def _judge(at: Scene, answers: list[dict[str, Any]], kills: list[float], found: Chaos) -> None:
    limit = (at.folder / "limit.answers").read_text(encoding="utf-8").splitlines()
    everything = [*map(json.loads, limit), *answers]
    answered = Counter((a["id"], a["version"]) for a in everything if "version" in a)
    broken = Counter(a["id"] for a in everything if "failed" in a)
    # The first answers of the service were asked for to see whether it runs.
    broken[at.leads[0]["id"]] += 1
    store = open_store(at.url)
    with store.reading() as connection:
        rows = connection.execute(
            select(Lead.id, Score.model, func.count())
            .join(Lead, Lead.key == Score.lead)
            .group_by(Lead.id, Score.model)
        ).all()
    store.close()
    stored = {(lead, model): count for lead, model, count in rows}
    for pair, count in answered.items():
        found.lost += max(0, count - stored.get(pair, 0))
    surplus: Counter[str] = Counter()
    for (lead, model), count in stored.items():
        surplus[lead] += max(0, count - answered[lead, model])
    found.doubled = sum(max(0, count - broken[lead]) for lead, count in surplus.items())
    _judge_answers(at, answers, kills, found)


def _judge_answers(
    at: Scene, answers: list[dict[str, Any]], kills: list[float], found: Chaos
) -> None:
    found.requests = len(answers)
    for answer in answers:
        if "version" in answer:
            right = at.expected[answer["version"]][answer["id"]]
            found.wrong += answer["probability"] != right
            continue
        is_status = answer["failed"].startswith("status")
        if not is_status and any(abs(k - answer["at"]) < _IN_HAND_SECONDS for k in kills):
            found.in_hand += 1
        else:
            found.failed += 1
            found.reasons[answer["failed"]] += 1
    waits = sorted(a["at"] - a["sent"] for a in answers if "version" in a)
    found.p99_ms = 1000 * waits[int(0.99 * len(waits))] if waits else 0.0


def main() -> None:
    """Run the scene and print what was found; fail if anything was lost."""
    parser, usual = argparse.ArgumentParser(description=__doc__), Plan()
    parser.add_argument("--minutes", type=float, default=usual.seconds / 60)
    parser.add_argument("--workers", type=int, default=usual.workers)
    parser.add_argument("--share", type=float, default=usual.share, help="of the limit")
    parser.add_argument("--promote-every", type=float, default=usual.promote_every)
    parser.add_argument("--kill-every", type=float, default=usual.kill_every)
    parser.add_argument("--leads", type=int, default=4_000, help="to train on")
    parser.add_argument("--seed", type=int, default=usual.seed)
    asked = vars(parser.parse_args())
    leads, seconds = asked.pop("leads"), 60 * asked.pop("minutes")
    with tempfile.TemporaryDirectory() as folder, scene(Path(folder), leads) as at:
        found = run(at, Plan(seconds, **asked))
    print(json.dumps({**asdict(found), "clean": found.is_clean}))
    sys.exit(not found.is_clean)


if __name__ == "__main__":
    main()
