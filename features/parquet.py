"""A Parquet file as a table; its row numbers count from 1."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from features import table
from features.coded import CodedCells, coded, narrow
from features.errors import FileError
from features.source import Source
from features.table import CHUNK_CELLS, Chunk, Form, Reject, Rows, checked_header, plain_cell

_BUFFERS = 64 << 20
"""Bytes that are read ahead at most, for all columns together."""
_BUFFER = 1 << 20


class Parquet:
    """A Parquet file, read page by page, however large its row groups are."""

    def __init__(self, source: Source) -> None:
        """Read the footer.

        Raises:
            FileError: when it is broken.

        """
        self._source, self._path = source, source.path
        file = self._open()
        self.columns = checked_header(self._path, file.schema_arrow.names)
        self.files: tuple[str, ...] = (self._path.name,)
        self.form = Form("Parquet")

    def _open(self) -> Any:
        import pyarrow
        import pyarrow.parquet

        try:
            file = pyarrow.parquet.ParquetFile(self._path)
            each = max(4096, min(_BUFFER, _BUFFERS // max(file.metadata.num_columns, 1)))
            return pyarrow.parquet.ParquetFile(
                self._path, metadata=file.metadata, buffer_size=each, pre_buffer=False
            )
        except (pyarrow.ArrowException, ValueError) as error:
            raise FileError(
                f"{self._path}: is a broken Parquet file: {error}; copy or export it again"
            ) from error

    def chunks(self, reject: Callable[[Reject], None]) -> Iterator[Chunk]:
        """Yield the rows in order."""
        import pyarrow

        line = 1
        try:
            self._source.need_same(self._path.stat())
            file = self._open()
            nested = [
                name
                for name, field in zip(self.columns, file.schema_arrow, strict=True)
                if pyarrow.types.is_nested(field.type)
            ]
            for batch in file.iter_batches(batch_size=_rows_at_once(file.metadata)):
                columns = {
                    name: cells_of(column)
                    for name, column in zip(self.columns, batch.columns, strict=True)
                }
                lines = list(range(line, line + batch.num_rows))
                every = range(batch.num_rows)
                yield Rows(self._path.name, lines, columns, dict.fromkeys(nested, every))
                line += batch.num_rows
            self._source.need_same(self._path.stat())
        except (pyarrow.ArrowException, OSError, OverflowError, ValueError) as error:
            if isinstance(error, OSError) and error.errno:
                raise
            raise FileError(
                f"{self._path}: unreadable near row {line}: {error}; copy or export it again"
            ) from error


def _rows_at_once(metadata: Any) -> int:
    """Return how many rows are a chunk: by their number, their cells and their bytes."""
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    widest = max((g.total_byte_size / max(g.num_rows, 1) for g in groups), default=1.0)
    by_bytes = 4 * table.CHUNK_BYTES / max(widest, 1.0)
    by_cells = CHUNK_CELLS / max(metadata.num_columns, 1)
    return max(1, int(min(table.CHUNK_ROWS, by_bytes, by_cells)))


def cells_of(column: Any) -> CodedCells:
    """Return the cells of an Arrow array."""
    import pyarrow

    if isinstance(column, pyarrow.DictionaryArray):
        column = column.dictionary_decode()
    try:
        values = column.dictionary_encode(null_encoding="encode")
    except pyarrow.ArrowNotImplementedError:  # lists and other nested values
        return coded(plain_cell(value) for value in column.to_pylist())
    cells = [plain_cell(value) for value in values.dictionary.to_pylist()]
    return CodedCells(cells, narrow(values.indices.to_numpy(), len(cells)))
