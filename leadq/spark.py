"""`leadq score --engine spark`: the session, and what is said of a scoring on a cluster."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from features.errors import UsageError
from features.home import Home
from leadq.common import (
    now,
    open_the_store,
    print_json,
    publish_champion,
    say,
    standing_of,
    steps,
)
from serving.batch import ALL, Choices, Kept
from serving.published import champion_archive

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def score_by_spark(
    home: Home, source: Path, output: Path, reasons: int, choices: Choices, as_json: bool
) -> None:
    """Score on the cluster that Spark is set up for (`spark-submit`, SPARK_CONF_DIR, or here).

    Raises:
        UsageError: when pyspark is not installed, or Spark has no such choice.

    """
    session = _session()
    from leadq.leads import keeping
    from serving.spark import Archive, score_on_spark
    from serving.spark_frames import place_of
    from serving.summary import scoring_json, scoring_lines

    if choices.columns == (ALL,):
        raise UsageError("--keep all: on Spark name the columns, --keep a,b")
    with open_the_store(home) as store, steps() as progress:
        progress("loading the champion")
        publish_champion(home, store)
        archive = Archive(*champion_archive(store))
        progress("scoring on Spark")
        summary = score_on_spark(
            session,
            archive,
            place_of(str(source)),
            place_of(str(output)),
            reasons,
            choices,
            Kept(now(), keeping(store, archive.model)) if home.store_is_named else None,
        )
    standing = standing_of(home, archive.model.artefact.scorer.agreement)
    say(*scoring_lines(summary, archive.model, output, standing))
    if as_json:
        print_json(scoring_json(summary, archive.model, output, standing))


def _session() -> SparkSession:
    # What leadq uses of Spark has nothing to do with pandas.
    warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas")
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise UsageError(
            "--engine spark: pyspark is not installed; install it with: pip install 'leadq[spark]'"
        ) from error
    # Where nothing else is said, workers run the Python that runs here.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    return SparkSession.builder.appName("leadq score").getOrCreate()
