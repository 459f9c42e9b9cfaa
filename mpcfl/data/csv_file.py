"""CSV files, streamed by pyarrow; a scan in plain Python finds the cell to blame when pyarrow refuses a block.

Every chosen column is read as float64 (or true/false), whatever the first block looks like, so that one text in row
100,000 is one fault and not another type. pyarrow's own messages quote the cell, so none of them is ever passed on.
"""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from mpcfl.data import faults
from mpcfl.data.arrow import kind_of, to_block
from mpcfl.data.faults import refused_cell, refused_os_error
from mpcfl.data.names import check_names, choose
from mpcfl.data.source import Array, Impute, Source
from mpcfl.errors import DataError

BLOCK_BYTES = 8 << 20
NULLS = ["", "NA", "N/A", "n/a", "#N/A", "#NA", "NULL", "null", "None", "<NA>", "NaN", "nan", "-NaN", "-nan"]
_NUMBER = re.compile(r"[ \t]*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?[ \t]*", re.ASCII)
_OTHER_WORDS = {
    faults.DATE: re.compile(r"\s*\d{1,4}([-./])\d{1,2}\1\d{1,4}([T\s].*)?"),
    faults.MARKED: re.compile(r"(?=.*\d)\s*[<>$£€¥]?\s*[-+\u2212]?[\d.,'’_\s]+[%$£€¥]?\s*"),
    faults.NO_VALUE: re.compile(r"[^\w\s]+|#[\w/]+[!?]?"),
}
"""What a cell of text is, where that says better what to do about it."""
_SPECIAL = re.compile(r"[ \t]*[+-]?(?:(inf|infinity)|nan)[ \t]*", re.ASCII | re.IGNORECASE)


class CsvFile(Source):
    """A comma-separated UTF-8 file with one header line. Empty lines are skipped, save in a file of one column, where
    an empty line is a missing cell."""

    def __init__(self, path: Path, columns: Sequence[str] | None, impute: Impute, target: str | None) -> None:
        self._path = path
        self._header = _read_header(path)
        chosen = choose(str(path), self._header, columns)
        super().__init__(str(path), chosen, ["any"] * len(chosen), impute, target)
        self.kinds = self._infer_kinds()

    def _open(self, types: dict[str, pa.DataType] | None) -> "pyarrow.csv.CSVStreamingReader":
        return pyarrow.csv.open_csv(
            str(self._path),
            read_options=pyarrow.csv.ReadOptions(block_size=BLOCK_BYTES),
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=len(self._header) > 1),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=types, include_columns=list(self.columns), null_values=NULLS
            ),
        )

    def _infer_kinds(self) -> tuple[str, ...]:
        """Kinds as the first block shows them; DataError where a column there is no number at all."""
        types = None
        try:
            with self._open(None) as reader:
                types = list(reader.schema.types)
        except pa.ArrowException:
            pass
        except OSError as error:
            raise refused_os_error(self._path, error) from None
        if types is None or all(map(pa.types.is_null, types)):
            if next(self._records(), None) is None:
                self._remember_rows(0)  # refuses the file
        if types is None:
            raise self._locate(0)
        kinds = tuple(map(kind_of, types))
        refused = {name: kind for name, kind in zip(self.columns, kinds, strict=True) if kind in faults.HINTS}
        if refused:
            raise self._locate(0, refused)
        return kinds

    def _blocks(self, rows: int) -> Iterator[Array]:
        types = {n: pa.bool_() if k == "bool" else pa.float64() for n, k in zip(self.columns, self.kinds, strict=True)}
        done = 0
        try:
            with self._open(types) as reader:
                for batch in reader:
                    if len(batch):
                        yield to_block(batch, self.columns)
                        done += len(batch)
            return
        except pa.ArrowException:
            pass  # leave the handler first: the error's context would quote the cell
        except OSError as error:
            raise refused_os_error(self._path, error) from None
        raise self._locate(done)

    def _refuse(self, row: int, column: str, found: str) -> DataError:
        position = self._header.index(column)
        for number, line, cells in self._records():
            if number == row:
                if found == faults.NAN and position < len(cells):
                    found = faults.MISSING if not cells[position].strip() else faults.NAN
                return self._refused_at(f"row {row} (line {line})", column, found)
        return super()._refuse(row, column, found)

    def _refused_at(self, where: str, column: str, found: str) -> DataError:
        if len(self._header) == 1 and found == faults.MISSING:
            return refused_cell(self.name, where, column, found, faults.EMPTY_LINE_HINT)
        return super()._refused_at(where, column, found)

    def _records(self) -> Iterator[tuple[int, int, list[str]]]:
        """(1-based data row, line, cells) of every data row; bytes that are not UTF-8 come as lone surrogates."""
        with open(self._path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            reader = csv.reader(file)
            row = 0
            header = True
            while True:
                try:
                    cells = next(reader, None)
                except csv.Error:
                    raise DataError(
                        f"{self.name}: row {row + 1} is not valid CSV",
                        hint="look for a quote that is not closed, or a cell of more than 131,072 characters",
                    ) from None
                if cells is None:
                    return
                if not cells:
                    if len(self._header) > 1 or header:
                        continue
                    cells = [""]
                if header:
                    header = False
                    continue
                row += 1
                yield row, reader.line_num, cells

    def _locate(self, rows_before: int, refused: Mapping[str, str] | None = None) -> DataError:
        """The error for the first bad row after `rows_before` good ones: too few or many cells, or a cell.

        `refused` are the columns that pyarrow takes for something else than numbers, and what it takes them for.
        """
        wanted = [(self._header.index(name), name, kind) for name, kind in zip(self.columns, self.kinds, strict=True)]
        refused = refused or {}
        for row, line, cells in self._records():
            if row <= rows_before:
                continue
            where = f"row {row} (line {line})"
            if len(cells) != len(self._header):
                return self._ragged(where, cells)
            for position, name, kind in wanted:
                found = self._found(cells[position], name, kind)
                if found is not None:
                    found = refused.get(name, found) if found == faults.TEXT else found
                    return self._refused_at(where, name, found)
        for name in refused:
            return DataError(f"{self.name}: column {name!r} mixes true/false with numbers", hint="write 0 and 1")
        return DataError(
            f"{self.name}: cannot be read as CSV after row {rows_before}",
            hint="look for a quote that is not closed, or save the file again",
        )

    def _ragged(self, where: str, cells: list[str]) -> DataError:
        hint = "a text with a comma in it needs quotes; a decimal comma must become a point"
        if any("\n" in cell or "\r" in cell for cell in cells):
            hint = "look for a quote that is not closed: one cell goes over several lines"
        elif len(self._header) == 1:
            hint = "the first line must be the header: one name for each column, with commas between"
        count = "1 cell" if len(cells) == 1 else f"{len(cells)} cells"
        return DataError(f"{self.name}: {where}: has {count}, the header has {len(self._header)}", hint=hint)

    def _found(self, cell: str, column: str, kind: str) -> str | None:
        """What is wrong with a cell, None if nothing is: the same verdict as pyarrow's, cell by cell.

        `kind` is "any" while the kinds are still being found out: true and false are as good as numbers then.
        """
        special = _SPECIAL.fullmatch(cell)
        if cell in NULLS or (special and not special[1]):
            imputed = self._impute is not None and column != self._target
            return None if imputed else faults.MISSING if cell == "" else faults.NAN
        if special:
            return faults.INFINITY
        if not cell.strip():
            return faults.BLANKS
        if any("\udc80" <= letter <= "\udcff" for letter in cell):
            return faults.BYTES
        word = cell.strip().lower()
        if kind != "float" and word in ("true", "false"):
            return None
        if kind == "bool" and word not in ("0", "1"):
            return faults.TEXT
        if _NUMBER.fullmatch(cell):
            return None if abs(float(cell)) <= faults.LIMIT else faults.LARGE
        return next((found for found, words in _OTHER_WORDS.items() if words.fullmatch(cell)), faults.TEXT)


def _read_header(path: Path) -> list[str]:
    """The column names; DataError where the first line is no header."""
    try:
        with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            header = next((cells for cells in csv.reader(file) if cells), None)
    except OSError as error:
        raise refused_os_error(path, error) from None
    except csv.Error:
        raise DataError(f"{path}: the first line is not valid CSV", hint="save the file as UTF-8 CSV") from None
    if header is None or not any(cell.strip() for cell in header):
        raise DataError(f"{path}: is empty", hint="a table needs a header line and rows below it")
    if any("\udc80" <= letter <= "\udcff" for cell in header for letter in cell):
        raise DataError(f"{path}: the header is not UTF-8", hint="save the file again as UTF-8")
    if any("\0" in cell for cell in header):
        raise DataError(f"{path}: the header holds zero bytes", hint="save the file as UTF-8 CSV (this may be UTF-16)")
    for position, cell in enumerate(header, start=1):
        # A number there is most likely a row of data, which would travel to the other parties as a name.
        if _NUMBER.fullmatch(cell) or _SPECIAL.fullmatch(cell):
            raise DataError(
                f"{path}: has no header: the first line holds a number at column number {position}",
                hint="write the column names into the first line; a name may not be a number alone",
            )
    if len(header) == 1 and (";" in header[0] or "\t" in header[0]):
        raise DataError(
            f"{path}: the columns are not separated by commas",
            hint="save the file with commas between columns and points in numbers",
        )
    check_names(str(path), header)
    return header
