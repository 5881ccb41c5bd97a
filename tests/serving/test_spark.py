"""Scores on Spark: real executors, the same numbers as on one machine."""

from __future__ import annotations

import csv
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
from pyspark.sql import SparkSession, functions

from benchmarks.servers import family
from features.cells import moment, text_of
from features.errors import FileError, StoreError, UsageError
from features.leads import NESTED_ID, Leads
from serving.archive import open_model, pack
from serving.artefact import leads_of_records, write
from serving.batch import Choices, Kept, Scores, score_file
from serving.spark import Archive, score_on_spark
from serving.spark_frames import Place, heal, place_of
from tests.serving.versions import champion, files
from training.track import _example, _signature

# What leadq uses of Spark has nothing to do with pandas.
pytestmark = pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas")
ROOT = Path(__file__).parents[2]
MANY = 600


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """A cluster of two executors, each a process of its own."""
    home = tmp_path_factory.mktemp("spark")
    os.environ["PYSPARK_PYTHON"] = sys.executable
    made = (
        SparkSession.builder.master("local-cluster[2,1,1024]")
        .appName("leadq")
        .config("spark.ui.enabled", "false")
        .config("spark.executorEnv.PYTHONPATH", str(ROOT))
        .config("spark.local.dir", str(home / "local"))
        .config("spark.sql.warehouse.dir", str(home / "tables"))
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.shuffle.partitions", "2")
        .getOrCreate()
    )
    made.sparkContext.setLogLevel("ERROR")
    yield made
    made.stop()


@pytest.fixture(scope="module")
def archive() -> Archive:
    content = pack(files(1))
    return Archive(open_model("1", champion(1).digest, content), content)


def _write(folder: Path, rows: list[dict[str, Any]], files: int = 4) -> Path:
    folder.mkdir()
    for i in range(files):
        part = pa.Table.from_pylist(rows[i::files], pa.schema([(n, pa.string()) for n in rows[0]]))
        pa.parquet.write_table(part, folder / f"part-{i}.parquet")
    return folder


def _rows(count: int = MANY) -> list[dict[str, Any]]:
    return [
        {
            "id": f"L{i}",
            "source": ("web", "fair", None, "Never seen")[i // 4 % 4],
            "visits": None if i % 7 == 0 else str(i % 20),
        }
        for i in range(count)
    ]


def _read(target: Path) -> list[dict[str, Any]]:
    return sorted(pa.parquet.read_table(target).to_pylist(), key=lambda row: row["id"])


def test_a_lead_scores_on_executors_as_on_one_machine_to_the_last_bit(
    session: SparkSession, archive: Archive, tmp_path: Path
) -> None:
    source = _write(tmp_path / "leads", _rows())
    alone, spread = tmp_path / "alone.parquet", tmp_path / "spread.parquet"
    summary = score_file(archive.model, source, alone, 5)
    found = score_on_spark(session, archive, Place("", str(source)), Place("", str(spread)), 5)
    assert _read(spread) == _read(alone)
    assert (found.read, found.scored, found.rejected) == (MANY, MANY, 0)
    assert found.grades == summary.grades
    assert found.expected_wins == pytest.approx(summary.expected_wins)


def test_csv_with_quotes_and_broken_lines_scores_what_is_whole(
    session: SparkSession, archive: Archive, tmp_path: Path
) -> None:
    source = tmp_path / "leads.csv"
    source.write_text(
        '\ufeffid;source;visits;note\n1;web;3;"two\nlines; one cell"\n2;fair;x\n'
        ';fair;1;-\n4;web;5;said ""so""\n1;fair;1;again\n',
        encoding="utf-8",
    )
    target = tmp_path / "scored.parquet"
    choices = Choices(("note",), 0.7)
    found = score_on_spark(
        session, archive, Place("", str(source)), Place("", str(target)), choices=choices
    )
    assert [(row["id"], row["note"]) for row in _read(target)] == [
        ("1", "two\nlines; one cell"),
        ("4", 'said ""so""'),
    ]
    assert (found.read, found.scored, found.rejected) == (5, 2, 3)
    (rejects,) = (tmp_path / "scored.parquet.rejects").glob("*.csv")
    with rejects.open(newline="", encoding="utf-8") as file:
        reasons = sorted((row["id"], row["reason"]) for row in csv.DictReader(file))
    assert reasons == [
        ("", "the id is missing"),
        ("1", "the same id stands in a row before"),
        ("2", "cannot be split into its fields; look for a stray delimiter or quote"),
    ]


def test_an_id_that_is_a_list_is_set_aside(
    session: SparkSession, archive: Archive, tmp_path: Path
) -> None:
    source, target = tmp_path / "leads.parquet", tmp_path / "scored.parquet"
    pa.parquet.write_table(pa.table({"id": [["1", "2"], None], "source": ["web", "fair"]}), source)
    found = score_on_spark(
        session, archive, Place("", str(source)), Place("", str(target)), choices=Choices((), 1.0)
    )
    assert (found.read, found.scored, found.rejected) == (2, 0, 2)
    (rejects,) = (tmp_path / "scored.parquet.rejects").glob("*.csv")
    with rejects.open(newline="", encoding="utf-8") as file:
        values = sorted((row["value"], row["reason"]) for row in csv.DictReader(file))
    assert values == [("", "the id is missing"), ("1;2", NESTED_ID)]


def test_of_leads_that_come_again_the_first_by_file_and_row_is_scored(
    session: SparkSession, archive: Archive, tmp_path: Path
) -> None:
    folder = tmp_path / "leads"
    folder.mkdir()
    for name, first in (("b", 100), ("a", 0)):
        rows = [{"id": "same", "source": "fair", "visits": str(first + i)} for i in range(3)]
        pa.parquet.write_table(pa.Table.from_pylist(rows), folder / f"{name}.parquet")
    target = tmp_path / "scored.parquet"
    choices = Choices(("visits",), 1.0)
    found = score_on_spark(
        session, archive, Place("", str(folder)), Place("", str(target)), choices=choices
    )
    assert [row["visits"] for row in _read(target)] == ["0"]
    assert (found.scored, found.rejected) == (1, 5)


def test_where_the_first_row_of_an_id_is_no_lead_the_second_is_scored(
    session: SparkSession, archive: Archive, tmp_path: Path
) -> None:
    made = ("soon", "2026-03-02", "2026-03-03")
    rows = [
        {"id": "same", "source": "fair", "visits": str(i), "created": made[i]} for i in (0, 1, 2)
    ]
    source, target = _write(tmp_path / "leads", rows, files=1), tmp_path / "scored.parquet"
    found = score_on_spark(
        *(session, archive, Place("", str(source)), Place("", str(target))),
        choices=Choices(("visits",), 1.0),
    )
    alone = score_file(archive.model, source, tmp_path / "a.parquet", 5, Choices(("visits",), 1.0))
    assert _read(target) == _read(tmp_path / "a.parquet")
    assert (found.scored, found.rejected) == (alone.scored, alone.rejected) == (1, 2)


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16"])
def test_csv_in_another_encoding_is_read_as_on_one_machine(
    session: SparkSession, archive: Archive, tmp_path: Path, encoding: str
) -> None:
    source, target = tmp_path / "leads.csv", tmp_path / "scored.parquet"
    source.write_bytes("id;source;visits;note\n1;web;3;Köln\n2;fair;x;Süd\n".encode(encoding))
    score_on_spark(
        *(session, archive, Place("", str(source)), Place("", str(target))),
        choices=Choices(("note",)),
    )
    assert [row["note"] for row in _read(target)] == ["Köln", "Süd"]


def test_a_job_leaves_a_manifest_keeps_its_scores_and_is_nothing_to_do_again(
    session: SparkSession, archive: Archive, tmp_path: Path
) -> None:
    source = _write(tmp_path / "leads", [*_rows(40), {**_rows(1)[0], "id": ""}])
    target, monday = tmp_path / "scored.parquet", datetime(2028, 6, 5)
    told: dict[str, tuple[float, datetime]] = {}

    def keep(leads: Leads, scores: Scores, at: datetime) -> None:
        told.update(zip(leads.ids, ((p, at) for p in scores.probability), strict=True))

    places = Place("", str(source)), Place("", str(target))
    score_on_spark(session, archive, *places, kept=Kept(monday, keep))
    again = score_on_spark(session, archive, *places, kept=Kept(datetime(2028, 6, 6), keep))

    assert told == {row["id"]: (row["probability"], monday) for row in _read(target)}
    manifest = json.loads((tmp_path / "scored.parquet.manifest.json").read_text())
    assert (manifest["read"], manifest["scored"], manifest["rejected"]) == (41, 40, 1)
    assert (manifest["begun"], manifest["input"]) == (monday.isoformat(), "leads")
    assert again.unchanged
    assert again.scored == 40
    assert (tmp_path / "scored.parquet.rejects").exists()
    _write(tmp_path / "clean", _rows(41))
    assert not score_on_spark(
        session, archive, Place("", str(tmp_path / "clean")), places[1]
    ).unchanged
    assert not (tmp_path / "scored.parquet.rejects").exists()


def test_scores_that_a_killed_job_put_aside_come_back(
    session: SparkSession, tmp_path: Path
) -> None:
    target = tmp_path / "scored.parquet"
    (tmp_path / "scored.parquet.old").mkdir()
    (tmp_path / "scored.parquet.old" / "part").write_text("old")
    for _ in range(2):
        heal(session, str(target))
    assert (target / "part").read_text() == "old"
    assert not (tmp_path / "scored.parquet.old").exists()


def test_a_table_of_the_catalogue_is_scored_into_another(
    session: SparkSession, archive: Archive, tmp_path: Path
) -> None:
    session.createDataFrame(_rows(8), "id string, source string, visits string").write.mode(
        "overwrite"
    ).saveAsTable("leads")
    found = score_on_spark(session, archive, place_of("table:leads"), place_of("table:scored"))
    assert found.scored == session.table("scored").count() == 8


def test_a_table_with_times_and_nested_columns_is_kept_as_it_is_scored(
    session: SparkSession, archive: Archive
) -> None:
    frame = session.createDataFrame(_rows(4), "id string, source string, visits string").selectExpr(
        "*",
        "timestamp'2028-06-05 12:00:00+02:00' as seen",
        "named_struct('city', 'Ulm', 'since', map('x', 1)) as place",
        "map('a', id) as marks",
    )
    frame.write.mode("overwrite").saveAsTable("rich")
    told: dict[str, Leads] = {}

    def keep(leads: Leads, scores: Scores, at: datetime) -> None:
        told.update(dict.fromkeys(leads.ids, leads))

    zone = session.conf.get("spark.sql.session.timeZone")
    session.conf.set("spark.sql.session.timeZone", "America/New_York")
    try:
        choices, kept = Choices(("seen", "place")), Kept(datetime(2028, 6, 5), keep)
        places = place_of("table:rich"), place_of("table:rich_scored")
        found = score_on_spark(session, archive, *places, choices=choices, kept=kept)
    finally:
        session.conf.set("spark.sql.session.timeZone", zone or "UTC")

    assert found.scored == len(told) == 4
    written = {row["id"]: row for row in session.table("rich_scored").collect()}
    for i, (name, leads) in enumerate(told.items()):
        place = leads.ids.index(name)
        seen, where = (text_of(leads.column(n)[place]) for n in ("seen", "place"))
        assert (seen, where) == (written[name]["seen"], written[name]["place"]), i
        assert moment(seen) == datetime(2028, 6, 5, 10)
        assert "Ulm" in where


def test_a_table_is_not_replaced_where_its_scores_cannot_be_kept(
    session: SparkSession, archive: Archive
) -> None:
    rows = session.createDataFrame(_rows(4), "id string, source string, visits string")
    rows.write.mode("overwrite").saveAsTable("some")
    rows.write.mode("overwrite").saveAsTable("some_scored")

    def fail(leads: Leads, scores: Scores, at: datetime) -> None:
        raise StoreError("gone")

    kept, places = (
        Kept(datetime(2028, 6, 5), fail),
        map(place_of, ("table:some", "table:some_scored")),
    )
    with pytest.raises(StoreError, match="gone"):
        score_on_spark(session, archive, *places, kept=kept)
    session.catalog.refreshTable("some_scored")
    assert session.table("some_scored").columns == rows.columns


def test_a_file_that_is_mostly_no_leads_leaves_the_old_scores(
    session: SparkSession, archive: Archive, tmp_path: Path
) -> None:
    source = _write(tmp_path / "leads", [{**row, "id": ""} for row in _rows(20)])
    target = tmp_path / "scored.parquet"
    target.mkdir()
    (target / "old").write_text("old")
    with pytest.raises(FileError, match=r"20 of 20 rows are no leads.*most often: id \(20\)"):
        score_on_spark(session, archive, Place("", str(source)), Place("", str(target)))
    assert (target / "old").read_text() == "old"


def test_columns_that_are_not_there_and_other_targets_are_refused(
    session: SparkSession, archive: Archive, tmp_path: Path
) -> None:
    source = Place("", str(_write(tmp_path / "leads", _rows(4))))
    with pytest.raises(UsageError, match=r"has no column budget"):
        score_on_spark(
            session, archive, source, Place("", "x.parquet"), choices=Choices(("budget",))
        )
    with pytest.raises(UsageError, match=r"scores go to \.parquet"):
        score_on_spark(session, archive, source, Place("", str(tmp_path / "x.csv")))
    for inside in (source.address, f"{source.address}/scores.parquet"):
        with pytest.raises(UsageError, match="lies where the leads are read from"):
            score_on_spark(session, archive, source, Place("parquet", inside))
    nowhere = Place("", str(tmp_path / "nowhere"))
    with pytest.raises(FileError, match=r"nowhere"):
        score_on_spark(session, archive, nowhere, Place("", "x.parquet"))


def test_an_executor_that_is_killed_changes_nothing_in_the_result(
    session: SparkSession, archive: Archive, tmp_path: Path
) -> None:
    source = _write(tmp_path / "leads", _rows(40_000), files=16)
    calm, disturbed = tmp_path / "calm.parquet", tmp_path / "disturbed.parquet"
    score_on_spark(session, archive, Place("", str(source)), Place("", str(calm)))
    killed: list[int] = []
    timer = threading.Thread(
        target=_kill_at_work, args=(tmp_path / "disturbed.parquet.new", killed)
    )
    timer.start()
    found = score_on_spark(session, archive, Place("", str(source)), Place("", str(disturbed)))
    timer.join()
    assert killed, "no executor was found"
    assert found.scored == 40_000
    assert _read(disturbed) == _read(calm)


def _kill_at_work(output: Path, killed: list[int]) -> None:
    """Kill an executor once the output is being written."""
    while not output.exists():
        threading.Event().wait(0.01)
    (pid, *_) = _executors()
    os.kill(pid, signal.SIGKILL)
    killed.append(pid)


def _executors() -> list[int]:
    def is_one(pid: int) -> bool:
        with suppress(OSError):  # it has ended meanwhile
            return b"CoarseGrainedExecutorBackend" in Path(f"/proc/{pid}/cmdline").read_bytes()
        return False

    return [pid for pid in family(os.getpid()) if is_one(pid)]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("exports/2026-11", Place("", "exports/2026-11")),
        ("s3a:/bucket/leads", Place("", "s3a://bucket/leads")),
        ("s3a://bucket/leads", Place("", "s3a://bucket/leads")),
        ("delta:s3a:/lake/leads", Place("delta", "s3a://lake/leads")),
        ("table:crm.leads", Place("table", "crm.leads")),
        ("C:/leads.parquet", Place("", "C:/leads.parquet")),
    ],
)
def test_a_place_is_read_as_it_was_meant(text: str, place: Place) -> None:
    assert place_of(text) == place


def test_mlflow_gives_the_same_model_to_a_frame_of_spark(
    session: SparkSession, archive: Archive, tmp_path: Path
) -> None:
    import mlflow

    write(archive.model.artefact, tmp_path / "leadq")
    mlflow.pyfunc.save_model(
        tmp_path / "model",
        python_model=str(ROOT / "serving" / "pyfunc.py"),
        artifacts={"leadq": str(tmp_path / "leadq")},
        signature=_signature(archive.model.artefact),
        pip_requirements=[],
        input_example=_example(archive.model.artefact),
    )
    frame = session.createDataFrame(_rows(8), "id string, source string, visits string")
    udf = mlflow.pyfunc.spark_udf(
        session, str(tmp_path / "model"), "probability double, grade string", env_manager="local"
    )
    found = frame.withColumn("score", udf(functions.struct(*frame.columns))).collect()
    leads = leads_of_records(_rows(8), archive.model.artefact.scorer, {})
    alone = archive.model.artefact.scorer.score(leads, 0)
    assert [(row["score"]["probability"], row["score"]["grade"]) for row in found] == [
        (score.probability, score.grade) for score in alone
    ]


def test_files_of_one_folder_with_columns_in_another_order_are_refused(
    session: SparkSession, archive: Archive, tmp_path: Path
) -> None:
    (tmp_path / "leads").mkdir()
    (tmp_path / "leads" / "a.csv").write_text("id,source,visits\n1,web,3\n")
    (tmp_path / "leads" / "b.csv").write_text("id,visits,source\n2,3,web\n")
    source, target = Place("", str(tmp_path / "leads")), Place("", str(tmp_path / "x.parquet"))
    with pytest.raises(FileError, match="header"):
        score_on_spark(session, archive, source, target)
    assert not (tmp_path / "x.parquet").exists()
