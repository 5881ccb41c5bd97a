"""Two hundred and more broken exports: each is read to the last row, or refused in clear words."""

import errno
import gzip
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from features.errors import FileError, OutputError, UsageError
from features.files import open_table

from .making import an_agreement, nightly_of
from .zoo import ZOO, Specimen
from .zoo_of_programs import odd_exports, odd_json, odd_reports

AGREED = an_agreement()
ALL = [*ZOO, *odd_exports(), *odd_reports(), *odd_json()]


def account_of(source: Path) -> tuple[int, int, int]:
    """Rows read, leads, rejects."""
    parts, intake = nightly_of(source, AGREED)
    return intake.read, sum(map(len, parts)), len(intake.rejects)


def laid_out(specimen: Specimen, folder: Path) -> Path:
    if not isinstance(specimen.content, bytes):
        return specimen.content(folder)
    path = folder / specimen.file
    path.write_bytes(specimen.content)
    return path


def test_the_zoo_is_large() -> None:
    assert len({specimen.name for specimen in ALL}) == len(ALL) >= 200


@pytest.mark.parametrize("specimen", ALL, ids=lambda specimen: specimen.name)
def test_a_broken_export_is_accounted_for_or_refused(specimen: Specimen, tmp_path: Path) -> None:
    source = laid_out(specimen, tmp_path)
    if isinstance(specimen.becomes, str):
        with pytest.raises(UsageError, match=specimen.becomes) as caught:
            account_of(source)
        assert source.name in str(caught.value) or source.is_dir()
    else:
        read, leads, rejects = account_of(source)
        assert (read, leads + rejects) == (specimen.becomes, specimen.becomes)


class TestWhileItIsRead:
    """A file that changes is read as it was, or not at all."""

    @pytest.fixture(autouse=True)
    def small_pieces(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("features.table.CHUNK_BYTES", 64)
        monkeypatch.setattr("features.source._PIECE", 64)

    @staticmethod
    def disturbed(path: Path, disturb: Callable[[Path], object]) -> int:
        """Leads of a file to which something happens after its first chunk."""
        chunks = open_table(path).chunks(lambda _: None)
        first = len(next(chunks).lines)
        disturb(path)
        return first + sum(len(chunk.lines) for chunk in chunks)

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        path = tmp_path / "in" / "leads.csv"
        path.parent.mkdir()
        path.write_text("id,town\n" + "".join(f"{i},x\n" for i in range(500)))
        return path

    @pytest.mark.parametrize(
        "disturb",
        [
            lambda path: os.truncate(path, 900),
            lambda path: os.truncate(path, 0),
            lambda path: path.write_text(path.read_text() + "501,x\n"),
            lambda path: path.write_text("id,town\n1,x\n"),
        ],
        ids=["cut off", "emptied", "grown", "written anew"],
    )
    def test_a_changed_file_ends_the_reading(
        self, path: Path, disturb: Callable[[Path], object]
    ) -> None:
        with pytest.raises(FileError, match=r"leads\.csv: was changed while it was read; wait"):
            self.disturbed(path, disturb)

    @pytest.mark.parametrize(
        "disturb",
        [
            lambda path: path.unlink(),
            lambda path: shutil.rmtree(path.parent),
            lambda path: (path.parent / "new").rename(path),
        ],
        ids=["removed", "removed with its folder", "replaced"],
    )
    def test_an_open_file_is_read_to_its_end(
        self, path: Path, disturb: Callable[[Path], object]
    ) -> None:
        (path.parent / "new").write_text("id,town\n1,x\n")
        assert self.disturbed(path, disturb) == 500

    def test_a_disk_that_fails_is_one_clear_line(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def failing(*_: object) -> None:
            raise OSError(errno.EIO, "Input/output error")

        def fail(_: Path) -> None:
            monkeypatch.setattr("features.source.Source.need_same", failing)

        with pytest.raises(OutputError, match=r"leads\.csv: cannot be read any more: input/output"):
            self.disturbed(path, fail)


GIANTS = """
import gzip, json, resource, sys
from collections import Counter
from pathlib import Path
import pyarrow as pa, pyarrow.parquet as pq
from features.errors import UsageError
from features.files import open_table
from features.table import CHUNK_BYTES

folder = Path(sys.argv[1])

def sparse(name, begin, size, end=b""):
    with (folder / name).open("wb") as file:
        file.write(begin)
        file.seek(size)
        file.write(end)

sparse("line.csv", b"id,town\\n1,a\\n2,", 1 << 30, b"\\n3,b\\n")
sparse("header.csv", b"id,town", 1 << 30, b"\\n")
sparse("line.jsonl", b'{"id": "1", "town": "a"}\\n{"id": "', 1 << 30, b'"}\\n')
zeros = bytes(1 << 26)
(folder / "bomb.csv.gz").write_bytes(gzip.compress(b"id,town\\n1,") + 40 * gzip.compress(zeros))
packed = pa.Codec("zstd").compress(zeros, asbytes=True)
(folder / "bomb.csv.zst").write_bytes(40 * packed)
quotes = "".join(f'{i},"an unclosed quote of line {i}\\n' for i in range(50_000))
(folder / "quotes.csv").write_text("id,note\\n" + quotes)
(folder / "quoted.csv").write_text('id,note\\n1,"' + "long\\n" * 100_000)
wide = ",".join(f"c{i}" for i in range(10_000))
(folder / "wide.csv").write_text("id," + wide + ("\\n1" + "," * 10_000) * 500)
group = {f"c{i}": pa.array(["value of some length"] * 200_000) for i in range(20)}
ids = pa.array([f"lead {i}" for i in range(200_000)])
pq.write_table(pa.table({"id": ids, **group}), folder / "group.parquet", row_group_size=1 << 20)
names = "".join(json.dumps({f"n{i}_{j}": 1 for j in range(30)}) + "\\n" for i in range(700))
(folder / "names.jsonl").write_text(names)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
found = {}
for path in sorted(folder.iterdir()):
    rejects = Counter()
    try:
        chunks = open_table(path).chunks(lambda row: rejects.update([row.file]))
        found[path.name] = [sum(len(chunk.lines) for chunk in chunks), rejects.total()]
    except UsageError as error:
        found[path.name] = str(error)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"found": found, "grown": after - before}))
"""


def test_giants_are_ended_soon_and_in_bounded_memory(tmp_path: Path) -> None:
    run = [sys.executable, "-c", GIANTS, str(tmp_path)]
    told = subprocess.run(run, capture_output=True, text=True, timeout=120, check=True)
    result = json.loads(told.stdout)
    found = result["found"]
    assert "line 3 is longer than 8 million bytes" in found["line.csv"]
    assert "line 1 is longer than 8 million bytes" in found["header.csv"]
    assert "line 2 is longer than 8 million bytes" in found["line.jsonl"]
    assert "line 2 is longer than 8 million bytes" in found["bomb.csv.gz"]
    assert "line 1 is longer than 8 million bytes" in found["bomb.csv.zst"]
    assert found["quotes.csv"] == [0, 50_000]
    assert found["quoted.csv"] == [0, 100_000]
    assert found["wide.csv"] == [500, 0]
    assert found["group.parquet"] == [200_000, 0]
    assert "more than 20,000 names" in found["names.jsonl"]
    assert result["grown"] < 300


def test_what_unpacks_to_far_more_than_an_export_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("features.source._BOMB_SIZE", 1 << 22)
    path = tmp_path / "leads.csv"
    path.write_bytes(gzip.compress(b"id,town\n" + b"1,a\n" * 3_000_000))
    with pytest.raises(FileError, match=r"leads\.csv: unpacks to more than 500 times its size"):
        account_of(path)
