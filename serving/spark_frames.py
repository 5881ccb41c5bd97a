"""Leads as Spark reads and writes them: files of a cluster's storage, and tables of its catalogue.

exports/2026-11/          a folder or file of Parquet, JSON lines or CSV, on any storage
delta:s3a://lake/leads    a format that the cluster knows: delta, iceberg, orc, parquet, ...
table:crm.leads           a table of the catalogue
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from features.agreement import Export
from features.delimited import find_delimiter
from features.errors import FileError, UsageError
from features.table import checked_header

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

BROKEN = "_broken_record"
"""The column that holds the text of a line that cannot be split into fields."""
_NAMED = re.compile(r"(table|delta|iceberg|orc|parquet|json|csv):(?!//)(.+)")
_SCHEME = re.compile(r"^([a-zA-Z][a-zA-Z0-9+.-]+):/(?=[^/])")
_ENDING = re.compile(r"(?i)\.(csv|tsv|jsonl|ndjson|json|parquet|orc)(\.gz|\.bz2|\.zst|\.snappy)?$")
_FORMATS = {"tsv": "csv", "jsonl": "json", "ndjson": "json"}
_COMMITS = ("delta", "iceberg")
"""Formats whose writing is all or nothing by itself."""
_ASIDE = ".old"
"""Behind the name of what is being replaced."""
_SAMPLE = 200
_HEAD = 1 << 20
_IN_JAVA = {"utf-8-sig": "UTF-8", "cp1252": "windows-1252", "iso8859-1": "ISO-8859-1"}
"""Java's names of encodings by Python's, where they differ."""
_PLACE = ("_leadq_file", "_leadq_block", "_leadq_row")
_KEY = "_leadq_id"
FAULTY = "_leadq_faulty"
"""The column that says whether a row is no lead."""
OWN = frozenset((*_PLACE, _KEY, FAULTY))
"""Columns of leadq's own, while it looks for ids that come again."""


class Place(NamedTuple):
    """Where leads lie or scores go."""

    format: str
    address: str


def place_of(text: str) -> Place:
    """Read where leads lie.

    Args:
        text: as on the command line, where `s3a://` may have lost one of its slashes.

    """
    named = _NAMED.fullmatch(text)
    kind, address = (named[1], named[2]) if named else ("", text)
    return Place(kind, address if kind == "table" else _SCHEME.sub(r"\1://", address))


def read_frame(session: SparkSession, source: Place, export: Export) -> DataFrame:
    """Read leads, every value as it is typed there, text from CSV.

    Raises:
        FileError: when the format cannot be told.

    """
    if source.format == "table":
        return session.table(source.address)
    kind = source.format or _format_of(session, source.address)
    if kind == "csv":
        return _csv(session, source.address, export)
    return session.read.format(kind).load(source.address)


@contextmanager
def named_errors(place: Place) -> Iterator[None]:
    """Turn what Spark raises into a `FileError` that names the place and says the cause."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        yield
    except (PySparkException, Py4JError) as error:
        lines = [line.strip() for line in str(error).splitlines()]
        # The first line of a failed job names its number; what it died of is the last cause.
        causes = [line for line in lines if line.startswith("Caused by: ")] or lines
        raise FileError(
            f"{place.address}: {causes[-1].removeprefix('Caused by: ')[:300]}"
        ) from error


def _first_file(session: SparkSession, address: str) -> str:
    from pyspark.sql import functions

    files = session.read.format("binaryFile").option("recursiveFileLookup", "true").load(address)
    first = files.agg(functions.min("path")).first()
    if first is None or first[0] is None:
        raise FileError(f"{address}: holds no file")
    return str(first[0])


def _format_of(session: SparkSession, address: str) -> str:
    if _exists(session, f"{address}/_delta_log"):
        raise FileError(f"{address}: is a Delta table; say delta:{address}")
    first = _first_file(session, address)
    ending = _ENDING.search(first)
    if ending is None:
        raise FileError(
            f"{first}: its ending tells no format; say one before the address, such as "
            f"parquet:{address}"
        )
    kind = ending[1].lower()
    return _FORMATS.get(kind, kind)


def _csv(session: SparkSession, address: str, export: Export) -> DataFrame:
    """Read CSV, its header first; a line that cannot be split is kept whole in `BROKEN`."""
    first = _first_file(session, address)
    encoding = _encoding_of(session, address, first, export.encoding)
    # Else Spark reads Unicode, ASCII and Latin-1 alone.
    session.conf.set("spark.sql.legacy.javaCharsets", "true")
    lines = _first_lines(session, first, encoding)
    reader = (
        session.read.option("sep", export.delimiter or find_delimiter(lines))
        .option("encoding", encoding)
        .option("multiLine", "true")
        .option("escape", '"')
        .option("mode", "PERMISSIVE")
        .option("columnNameOfCorruptRecord", BROKEN)
    )
    header = reader.csv(first).first()
    if header is None:
        raise FileError(f"{first}: the file is empty")
    names = checked_header(first, [str(n or "").removeprefix("\ufeff") for n in header])
    types = ", ".join(f"`{name.replace('`', '``')}` string" for name in (*names, BROKEN))
    # Where a file has other columns, or in another order, Spark says so.
    session.conf.set("spark.sql.csv.parser.columnPruning.enabled", "false")
    frame = reader.option("header", "true").option("enforceSchema", "false").schema(types)
    return frame.csv(address)


def _encoding_of(session: SparkSession, address: str, first: str, agreed: str | None) -> str:
    """Return the encoding as Java names it: the agreed one, or as one machine finds it.

    By byte order mark, else by most lines: a few broken lines are rows to reject; files full of
    them are in the Windows code page.
    """
    from pyspark.sql import functions

    if agreed:
        name = codecs.lookup(agreed).name
        return _IN_JAVA.get(name, name)
    if _head(session, first, 2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return "UTF-16"
    lines = session.read.text(address).where(r"value rlike '[^\\x00-\\x7F]'")
    broken = functions.sum((~functions.is_valid_utf8("value")).cast("long"))
    row = lines.agg(broken, functions.count("*")).first()
    return "windows-1252" if row and row[0] and 2 * row[0] > row[1] else "UTF-8"


def _head(session: SparkSession, file: str, size: int) -> bytes:
    files, path = _hadoop(session, file)
    with closing(files.open(path)) as stream:
        return bytes(stream.readNBytes(size))


def _first_lines(session: SparkSession, file: str, encoding: str) -> list[str]:
    if encoding.upper().startswith("UTF-16"):  # which Spark's reader of lines does not know
        return _head(session, file, _HEAD).decode(encoding, "ignore").splitlines()[:_SAMPLE]
    return [row[0] for row in session.read.text(file).take(_SAMPLE)]


Flag = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]
"""Adds to batches of rows the column `FAULTY`: whether a row is no lead."""


def without_repeats(
    frame: DataFrame, id_column: str, flag: Flag
) -> tuple[DataFrame, DataFrame | None]:
    """Part the rows whose id stands in a row before: the first keeps the lead, as on one machine.

    A row that is no lead keeps nothing: the next one does.

    Args:
        frame: the rows.
        id_column: the column of the id.
        flag: finds out which rows are no leads.

    Returns:
        The rows to be scored, with those that are no leads, and the others, None where there are
        none. "Before" is by name of the file and place in it, or for a table by its partitions.

    """
    from pyspark.sql import Window, functions
    from pyspark.sql.types import BooleanType, StructField, StructType

    key = functions.trim(functions.col(_quoted(id_column)).cast("string"))
    rows = frame.withColumn(_KEY, key)
    whole = rows.where(functions.col(BROKEN).isNull()) if BROKEN in frame.columns else rows
    named = whole.where(functions.col(_KEY) != "")
    several = named.groupBy(_KEY).count().where("count > 1").select(_KEY).persist()
    if several.isEmpty():
        return frame, None
    placed = _placed(whole).join(functions.broadcast(several), _KEY, "left_semi")
    schema = StructType([*placed.schema.fields, StructField(FAULTY, BooleanType())])
    flagged = placed.mapInArrow(flag, schema)
    order = Window.partitionBy(_KEY, FAULTY).orderBy(*_PLACE)
    ranked = flagged.withColumn("_leadq_rank", functions.row_number().over(order))
    keeps = f"_leadq_rank = 1 or {FAULTY}"
    first = ranked.where(keeps).select(*map(_quoted, frame.columns))
    again = ranked.where(f"not ({keeps})").select(*map(_quoted, frame.columns))
    once = rows.join(functions.broadcast(several), _KEY, "left_anti").select(
        *map(_quoted, frame.columns)
    )
    return once.unionByName(first), again


def _placed(frame: DataFrame) -> DataFrame:
    from pyspark.errors import AnalysisException
    from pyspark.sql import functions

    row = functions.monotonically_increasing_id()
    try:
        found = frame.select("*", "_metadata.file_path", "_metadata.file_block_start")
        found = found.withColumnsRenamed({"file_path": _PLACE[0], "file_block_start": _PLACE[1]})
    except AnalysisException:  # a table that does not lie in files
        found = frame.withColumns({_PLACE[0]: functions.lit(""), _PLACE[1]: functions.lit(0)})
    return found.withColumn(_PLACE[2], row)


def _quoted(name: str) -> str:
    return f"`{name.replace('`', '``')}`"


def format_of_target(target: Place) -> str:
    """Return the format in which scores are written.

    Raises:
        UsageError: when neither the target nor its ending names one that holds reasons.

    """
    ending = _ENDING.search(target.address)
    kind = target.format or (ending[1].lower() if ending else "")
    kind = _FORMATS.get(kind, kind)
    if kind in ("", "csv"):
        raise UsageError(
            f"{target.address}: on Spark scores go to .parquet, .jsonl, table:NAME or delta:ADDRESS"
        )
    return kind


def write_frame(frame: DataFrame, target: Place) -> None:
    """Write scores; a folder is put in place by `put_in_place`, a table is there in one commit."""
    kind = format_of_target(target)
    if kind == "table":
        frame.write.mode("overwrite").saveAsTable(target.address)
    elif kind in _COMMITS:
        frame.write.format(kind).mode("overwrite").save(target.address)
    else:
        frame.write.format(kind).mode("overwrite").save(f"{folder_of(target)}.new")


def put_in_place(session: SparkSession, target: Place) -> None:
    """Give a folder that is written whole its name; where it is a table it has it already.

    Raises:
        FileError: when the storage does not do it; the scores of before stand there then.

    """
    if format_of_target(target) not in ("table", *_COMMITS):
        move(session, f"{folder_of(target)}.new", folder_of(target))


def folder_of(target: Place) -> str:
    """Return the address of a folder without a slash at its end; empty for a table."""
    return "" if target.format == "table" else target.address.rstrip("/")


def size_of(session: SparkSession, target: Place) -> int:
    """Return the bytes of a folder; 0 where there is none, and for a table."""
    if not folder_of(target):
        return 0
    files, path = _hadoop(session, folder_of(target))
    return int(files.getContentSummary(path).getLength()) if files.exists(path) else 0


def _hadoop(session: SparkSession, address: str) -> tuple[Any, Any]:
    java: Any = session._jvm
    path = java.org.apache.hadoop.fs.Path(address)
    return path.getFileSystem(session._jsparkSession.sessionState().newHadoopConf()), path


def _exists(session: SparkSession, address: str) -> bool:
    files, path = _hadoop(session, address)
    return bool(files.exists(path))


def need_apart(session: SparkSession, source: Place, target: Place) -> None:
    """Refuse a target that would destroy what is read.

    Raises:
        UsageError: when one lies in the other, or both are the same.

    """
    if (source.format == "table") != (target.format == "table"):
        return
    first, second = source.address.lower(), target.address.lower()
    if source.format != "table":
        first, second = (_whole_path(session, place.address) for place in (source, target))
    ends = ("", ".new", _ASIDE, ".rejects")
    if any(f"{first}/".startswith(f"{second}{end}/") for end in ends) or (
        f"{second}/".startswith(f"{first}/")
    ):
        raise UsageError(
            f"{target.address}: lies where the leads are read from; write the scores elsewhere"
        )


def _whole_path(session: SparkSession, address: str) -> str:
    files, path = _hadoop(session, address)
    return str(files.makeQualified(path).toString()).rstrip("/")


def remove(session: SparkSession, address: str) -> None:
    """Remove a folder, if it is there.

    Raises:
        FileError: when the storage does not do it.

    """
    files, path = _hadoop(session, address)
    if files.exists(path) and not files.delete(path, True):
        raise FileError(f"{address}: cannot be removed; it is of an earlier job")


def move(session: SparkSession, source: str, target: str) -> None:
    """Give a folder another's name. What stood there steps aside until that is done.

    Raises:
        FileError: when the storage does not do it; what stood there stands there again.

    """
    files, new = _hadoop(session, source)
    _, old = _hadoop(session, target)
    _, aside = _hadoop(session, f"{target}{_ASIDE}")
    heal(session, target)
    if files.exists(old) and not files.rename(old, aside):
        raise FileError(f"{target}: cannot be replaced; the new one lies in {source}")
    if not files.rename(new, old):
        if files.exists(aside):
            files.rename(aside, old)
        raise FileError(f"{target}: cannot be put in place; the new one lies in {source}")
    remove(session, f"{target}{_ASIDE}")


def heal(session: SparkSession, target: str) -> None:
    """Bring back what a killed job had put aside and not replaced; else remove it."""
    files, old = _hadoop(session, target)
    _, aside = _hadoop(session, f"{target}{_ASIDE}")
    if files.exists(aside) and not files.exists(old) and not files.rename(aside, old):
        raise FileError(f"{target}: lies in {target}{_ASIDE}, from a killed job; move it back")
    remove(session, f"{target}{_ASIDE}")


def write_text(session: SparkSession, address: str, text: str) -> None:
    """Write a small file, whole or not at all."""
    files, work = _hadoop(session, f"{address}.new")
    with closing(files.create(work, True)) as stream:
        stream.write(bytearray(text.encode()))
    move(session, f"{address}.new", address)


def read_text(session: SparkSession, address: str) -> str | None:
    """Read a small file; None where there is none."""
    files, path = _hadoop(session, address)
    if not files.exists(path):
        return None
    with closing(files.open(path)) as stream:
        return bytes(stream.readAllBytes()).decode()
