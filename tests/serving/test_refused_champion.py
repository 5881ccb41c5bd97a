"""A champion that is not sound is refused, and the running one goes on."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from io import BytesIO

import pytest
from structlog.testing import capture_logs

from features.store.database import Store
from features.store.published import publish
from serving import champion as followed
from serving.archive import LARGEST, pack
from serving.artefact import Files
from serving.champion import Live
from tests.serving.versions import NOW, champion, crown, files, scored


def zipped(*entries: tuple[str, bytes]) -> bytes:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return packed.getvalue()


def changed(name: str, change: Callable[[bytes], bytes]) -> Files:
    found = dict(files(2))
    found[name] = change(found[name])
    return found


def golden_otherwise(content: bytes) -> bytes:
    rows = json.loads(content)
    rows[0]["probability"] += 0.001
    return json.dumps(rows).encode()


def named_small(content: bytes) -> bytes:
    """An archive whose file is larger than the archive says of it."""
    whole, size = zipped(("artefact.json", content)), len(content).to_bytes(4, "little")
    assert whole.count(size) == 2
    return whole.replace(size, (10).to_bytes(4, "little"))


BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "another model's files": (lambda: pack(files(3)), "not those that were registered"),
    "a changed file": (
        lambda: pack(changed("golden.json", golden_otherwise)),
        "not those that were registered",
    ),
    "a missing file": (
        lambda: pack({n: c for n, c in files(2).items() if n != "encoder.json"}),
        "not those that were registered",
    ),
    "half an archive": (lambda: pack(files(2))[:-400], "is no archive of a model"),
    "no archive": (lambda: b"nothing of the kind", "is no archive of a model"),
    "a path out of the folder": (lambda: zipped(("../../evil.json", b"{}")), "is no file of a"),
    "an absolute path": (lambda: zipped(("/etc/cron.d/evil", b"{}")), "is no file of a model"),
    "a bomb": (
        lambda: zipped(
            *((n, bytes(LARGEST // 2)) for n in ("artefact.json", "value.json", "trees.txt"))
        ),
        "unpacks to more than",
    ),
    "a bomb that says it is small": (lambda: named_small(bytes(3_000_000)), "is no archive"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_artefact_is_refused_once_and_the_old_model_goes_on(
    live: Live, store: Store, monkeypatch, what: str
) -> None:
    content, reason = BAD[what]
    fetched = []
    fetch = followed.content_of
    monkeypatch.setattr(followed, "content_of", lambda c, one: fetched.append(one) or fetch(c, one))
    crown(store, 2, content())
    with capture_logs() as told:
        for _ in range(3):
            live.poll()

    assert scored(live)[0] == "1"
    assert reason in live.trouble
    assert (len(fetched), len(told), live.refusals) == (1, 1, 1)


def with_digest(found: Files, monkeypatch) -> bytes:
    """An archive that passes for version 2, whatever its files say."""
    monkeypatch.setattr("serving.artefact.digest", lambda _: champion(2).digest)
    return pack(found)


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("golden.json", golden_otherwise, "golden row 0 scores"),
        ("artefact.json", lambda c: c.replace(b'"format": 2', b'"format": 99'), "format 99"),
        ("encoder.json", lambda c: c[: len(c) // 2], "is no readable model"),
        ("additive.json", lambda c: b"{}", "is no readable model"),
    ],
)
def test_the_digest_alone_is_no_pass(
    live: Live, store: Store, monkeypatch, name: str, change: Callable[[bytes], bytes], reason: str
) -> None:
    crown(store, 2)
    content = with_digest(changed(name, change), monkeypatch)
    store.write(lambda c: publish(c, champion(2), content, NOW))
    live.poll()
    assert scored(live)[0] == "1"
    assert reason in live.trouble


def test_after_a_bad_one_a_newer_one_is_taken(live: Live, store: Store) -> None:
    crown(store, 2, b"broken")
    live.poll()
    crown(store, 3)
    with capture_logs() as told:
        live.poll()
    assert scored(live)[0] == "3"
    assert live.trouble == ""
    assert [line["event"] for line in told] == ["model loaded", "the champion is followed again"]


def test_a_bad_one_is_taken_once_it_was_published_anew(live: Live, store: Store) -> None:
    crown(store, 2, b"broken")
    live.poll()
    store.write(lambda c: publish(c, champion(2), pack(files(2)), NOW.replace(hour=13)))
    live.poll()
    assert scored(live)[0] == "2"


def test_a_champion_without_files_is_told_and_taken_once_it_has_them(
    live: Live, store: Store
) -> None:
    crown(store, 2, b"")
    live.poll()
    assert "leadq promote 2" in live.trouble
    assert scored(live)[0] == "1"
    crown(store, 2)
    live.poll()
    assert scored(live)[0] == "2"


def test_a_model_that_cannot_score_a_request_is_refused(
    live: Live, store: Store, monkeypatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    crown(store, 2)
    with monkeypatch.context() as broken:
        broken.setattr(followed, "score_records", fail)
        live.poll()
    assert scored(live)[0] == "1"
    assert "cannot score" in live.trouble
