"""What must hold for any input of what reads leadq's bodies, leads, agreements, models and spool.

Each property of `PROPERTIES` is run shortly by `tests/serving/test_fuzz.py`, and for as long as one
likes by `python -m benchmarks.fuzz`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zlib import crc32

from hypothesis import HealthCheck, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from starlette.exceptions import HTTPException

from features.agreement import load
from features.errors import AgreementError, ModelError
from features.home import ServeSettings
from serving.artefact import Files, LoadedModel, files_in, read_files, write
from serving.bodies import read_items
from serving.replies import score_records
from serving.segments import lead_of, lines_of, score_of, told_by
from tests.features.store.making import agreed
from tests.serving.small import small_model
from tests.serving.spooling import scored

LIMITS = ServeSettings(body_bytes=10_000, items=20, fields=20, text=50, depth=6)
NAMES = st.sampled_from(
    ["id", "leads", "created", "industry", "visits", "status", "", "\0", "\ud800", "größe", "#row"]
) | st.text(max_size=5)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(10**18, 10**60) | st.integers(-(10**60), -(10**18)),
    st.floats(),
    st.text(st.characters(), max_size=20),
    st.sampled_from(
        ["Software", "2026-03-01", "\ud800", "\0", "=1+1", "NaN", "1e999", "-0", "１", "x" * 60,
         2**63, 2**64, -(2**63) - 1, 1e308, 5e-324, float("nan"), float("-inf"), 10**400]
    ),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
LEADS = st.dictionaries(NAMES, VALUES, max_size=6)
GOOD = {"id": "good", "industry": "Software", "visits": 3}
ENCODINGS = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
JUNK = st.one_of(
    st.binary(min_size=1, max_size=4),
    st.sampled_from(
        [b"-1", b"0", b"1e308", b"1e999", b"NaN", b"Infinity", b"null", b"true", b'"x"', b"[]",
         b"{}", b"[[", b"2147483648", b"9" * 30, b"9" * 5000, b"[" * 2000, b'{"a":' * 2000,
         b"\\ud800", b"\\u0000", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b",", b"]", b"}", b'"',
         b"\n", b"=", b"2026-01-01", b"1979-05-27T07:32:00Z", b"inf", b"'''"]
    ),
)  # fmt: skip
AGREEMENT = b"""format = 1
version = 1
name = "fuzz"
horizon_days = 60

[columns]
id = "id"
outcome = "status"
created = "created"
closed = "closed"
value = "value"

[export]
decimal = "."
day_first = false
missing = ["-", "N/A"]

[outcomes]
won = ["Won"]
lost = ["Lost"]
not_ready = ["Nurture"]

[learning]
open = "censored"

[recycle]
not_ready_after_days = 90

[grades]
A = 0.5
B = 0.25
C = 0.1

[bar]
mql_probability = 0.1
handoff_grade = "C"

[capacity]
leads_per_day = 50

[gate]
sure = 0.95

[exploration]
share = 0.02

[retrain]
drift = 0.25

[sla.sales]
first_touch_hours = 24

[[personas]]
name = "builders"
all = [{ field = "industry", is = ["Software"] }]

[[routes]]
owner = "kim"
all = [{ field = "visits", at_least = 3 }]

[[points]]
field = "visits"
at_least = 5
points = 10

[fields]
industry = { use = "yes", kind = "category" }
visits = { use = "yes", kind = "number" }
email = { use = "yes", kind = "email" }
"""
LINE = lines_of(scored("a"), told_by("3", agreed()), 1_772_000_000_000_000).rstrip(b"\n")


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """A file or a body as a bad disk, a cut wire or a careless hand leaves it."""
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(content)))
        skipped = draw(st.sampled_from([0, 0, 1, 2, 5, 30, len(content)]))
        content = content[:at] + draw(JUNK | st.just(b"")) + content[at + skipped :]
    return content


def bodies() -> st.SearchStrategy[bytes]:
    """Any bytes, any JSON in any encoding, and damaged JSON."""
    whole = st.one_of(LEADS, st.builds(lambda some: {"leads": some}, st.lists(LEADS | VALUES)))
    encoded = st.builds(
        lambda body, how: json.dumps(body).encode(how),
        whole | VALUES,
        ENCODINGS,
    )
    half = st.builds(lambda body: json.dumps(body, ensure_ascii=False), whole)
    raw = half.map(lambda text: text.encode("utf-8", "surrogatepass"))
    return st.one_of(st.binary(max_size=60), encoded, raw, encoded.flatmap(damaged))


def a_body_is_read_as_json_or_refused(content: bytes) -> None:
    """Whatever comes is refused by a documented status, or is what Python's json reads."""
    try:
        items = read_items(content, "leads", LIMITS)
    except HTTPException as error:
        assert error.status_code in (400, 413, 422)  # noqa: PT017  # others are read
        return
    assert len(items.values) <= LIMITS.items
    body = json.loads(content, parse_int=lambda d: int(d) if len(d) < 4000 else d)
    asked = body.get("leads", [body])
    for position, (found, meant) in enumerate(zip(items.values, asked, strict=True)):
        is_lead = isinstance(found, dict) and position not in items.faults
        assert not is_lead or repr(found) == repr(meant)


def a_faulty_lead_costs_its_neighbours_nothing(records: list[Any], place: int) -> None:
    """Any values have an answer in their place, and a good lead among them its own bits."""
    model, place = _model(), min(place, len(records))
    together = [*records[:place], GOOD, *records[place:]]
    results = score_records(model, together, 5)["results"]
    assert results[place] == _alone()
    assert len(results) == len(together)
    for result in results:
        assert ("error" in result) != ("probability" in result)
        json.dumps(result, allow_nan=False).encode()
        assert "error" in result or 0 <= result["probability"] <= 1
        assert "error" in result or _adds_up(result)


def _adds_up(result: dict[str, Any]) -> bool:
    parts = [reason["log_odds"] for reason in result["reasons"]]
    return math.isfinite(math.fsum([result["base_log_odds"], result["rest_log_odds"], *parts]))


def an_agreement_is_read_or_refused_in_words(content: bytes) -> None:
    """A file of any content is an agreement, or an AgreementError that names the file and why."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "agreement.toml"
        path.write_bytes(content)
        try:
            load(path)
        except AgreementError as error:
            assert "agreement.toml: " in str(error)  # noqa: PT017  # others are read


def a_damaged_model_is_refused_or_scores(data: st.DataObject) -> None:
    """Files of a model with any damage are a ModelError, or a model that has an answer."""
    files = dict(_files())
    name = data.draw(st.sampled_from(sorted(files)))
    files[name] = data.draw(damaged(files[name]))
    try:
        artefact = read_files(files, "here")
        score_records(LoadedModel("1", "", artefact), [GOOD, {"id": "b"}], 5)
    except ModelError as error:
        assert len(str(error)) < 1000  # noqa: PT017  # others score


def a_damaged_line_of_the_spool_is_told_apart(line: bytes, is_whole: bool) -> None:
    """A line with any damage, under a true sum or a false one, is a ValueError or a score."""
    line = b"%08x %b" % (crc32(line), line) if is_whole else LINE[:9] + line
    assert lead_of(line) is None or is_whole or line == LINE
    with suppress(ValueError):
        assert isinstance(score_of(line).lead, str)


@lru_cache
def _model() -> LoadedModel:
    return small_model()


@lru_cache
def _alone() -> dict[str, Any]:
    (result,) = score_records(_model(), [GOOD], 5)["results"]
    found: dict[str, Any] = result
    return found


@lru_cache
def _files() -> Files:
    with TemporaryDirectory() as folder:
        write(_model().artefact, Path(folder) / "leadq")
        return files_in(Path(folder) / "leadq")


PROPERTIES: dict[str, tuple[Callable[..., None], dict[str, st.SearchStrategy[Any]]]] = {
    "bodies": (a_body_is_read_as_json_or_refused, {"content": bodies()}),
    "leads": (
        a_faulty_lead_costs_its_neighbours_nothing,
        {"records": st.lists(LEADS | VALUES, max_size=5), "place": st.integers(0, 5)},
    ),
    "agreements": (
        an_agreement_is_read_or_refused_in_words,
        {"content": st.binary(max_size=60) | damaged(AGREEMENT)},
    ),
    "models": (a_damaged_model_is_refused_or_scores, {"data": st.data()}),
    "spool": (
        a_damaged_line_of_the_spool_is_told_apart,
        {"line": damaged(LINE[9:]) | st.binary(max_size=60), "is_whole": st.booleans()},
    ),
}


def run(name: str, cases: int, seed: int) -> None:
    """Try a property on so many inputs; the same seed makes the same ones.

    Raises:
        AssertionError: or whatever else an input brought about, with the input in its notes.

    """
    function, strategies = PROPERTIES[name]
    chosen = settings(
        max_examples=cases,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    chosen(seeded(seed)(given(**strategies)(function)))()
