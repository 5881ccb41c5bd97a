"""Erasure: no byte of a person is left under the home, and the counts stay."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select

from features.errors import StoreError
from features.files import Reject, open_table
from features.store import feedback
from features.store.database import Store, open_store
from features.store.entries import NO_FIELDS
from features.store.erasure import Erased, erase, expired, remove_expired, scrub
from features.store.hooks import News, add_hook, tell
from features.store.intake import take_feedback
from features.store.meetings import answer, answers, decide, decisions
from features.store.said import Said
from features.store.scores import GivenScore, add_scores_of_known
from features.store.tables import (
    Audit,
    Disposition,
    Handoff,
    Lead,
    Reply,
    Score,
    Snapshot,
    Waiting,
)
from serving.written import write_rejects
from tests.features.making import a_file
from tests.features.store.making import MONDAY, NOW, agreed, hand, lost, say

SECRETS = ("zaphod-42", "Zaphod Beeblebrox", "zaphod@galaxy.example", "moved to Magrathea", "trill")
_ERASURES = select(Audit.who, Audit.what).where(Audit.act == "erase")


def _fill(store: Store) -> None:
    others = [f"lead-{n}" for n in range(300)]
    hand(store, *others[:150], name="Somebody Else")
    hand(store, "zaphod-42", name=SECRETS[1], email=SECRETS[2])
    hand(store, "zaphod-42", at=MONDAY + timedelta(days=9), name=SECRETS[1], email=SECRETS[2])
    hand(store, *others[150:], name="Somebody Else")
    say(store, *(lost(id_, reason="no budget") for id_ in others))
    say(store, lost("zaphod-42", 12, reason=SECRETS[3], by=SECRETS[4]))
    reply = {"key": "k1", "request": "r", "reply": json.dumps([{"id": "zaphod-42"}]), "at": NOW}
    store.write(lambda c: c.execute(insert(Reply), [reply]))
    with store.reading() as connection:
        key = connection.execute(select(Lead.key).where(Lead.id == "zaphod-42")).scalar_one()
    news = News("recycled", "recycled_1", NOW, {"lead": "zaphod-42"}, key)
    store.write(lambda c: add_hook(c, "https://crm.example.com", ("recycled",), "A", "kim", NOW))
    store.write(lambda c: tell(c, [news], NOW))


def _count(store: Store, table: type) -> int:
    with store.reading() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def _found_in(folder: Path) -> list[str]:
    content = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    return [secret for secret in SECRETS if secret.encode() in content]


def test_no_byte_of_the_person_is_left_in_any_file_of_the_home(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'store.db'}")
    _fill(store)
    assert _found_in(tmp_path) == list(SECRETS)
    assert erase(store, ["zaphod-42"], "dpo", NOW) == {
        "zaphod-42": Erased(snapshots=2, words=1, waiting=0)
    }
    assert _found_in(tmp_path) == []
    store.close()
    assert _found_in(tmp_path) == []


def test_the_counts_stay_and_the_others_too(store: Store) -> None:
    _fill(store)
    before = [_count(store, table) for table in (Lead, Handoff, Snapshot, Disposition)]
    erase(store, ["zaphod-42"], "dpo", NOW)
    assert [_count(store, table) for table in (Lead, Handoff, Snapshot, Disposition)] == before
    assert _count(store, Reply) == 0
    with store.reading() as connection:
        left = connection.execute(select(Lead).where(Lead.erased.is_not(None))).one()
        others = connection.execute(
            select(func.count()).where(Disposition.reason == "no budget")
        ).scalar_one()
        noted = connection.execute(_ERASURES).all()
    assert (left.campaign, left.created is None) == ("Spring fair", False)
    assert others == 300
    assert noted == [("dpo", "one lead")]


def test_what_meetings_wrote_down_names_the_person_no_more(store: Store) -> None:
    _fill(store)
    due = NOW.date() + timedelta(days=7)
    text = "Call Zaphod-42 again, not zaphod-421"
    store.write(
        lambda c: decide(c, text, "ann", due, f"write to {SECRETS[2]}", "kim", "key 1", NOW)
    )
    store.write(lambda c: answer(c, "2026-W27", "sales", 2, "zaphod-42!", "kim", "key 1", NOW))
    erase(store, ["zaphod-42", "7"], "dpo", NOW)

    with store.reading() as connection:
        (decided,) = decisions(connection, NOW, NOW + timedelta(days=1))
        (answered,) = answers(connection, ["2026-W27"])
    assert decided.text == "Call [erased] again, not zaphod-421"
    assert decided.consequence == "write to [erased]"
    assert answered.comment == "[erased]!"


def test_the_address_of_a_colleague_stays_in_what_meetings_wrote_down(store: Store) -> None:
    colleague, own = "Kim@seller.example", "zaphod@home.example"
    hand(store, "first", owner=colleague, email=own)
    hand(store, "second", owner=colleague.lower())
    due = NOW.date() + timedelta(days=7)
    text = f"{colleague} writes to {own}"
    store.write(lambda c: decide(c, text, colleague, due, "none", "kim", "key 1", NOW))
    erase(store, ["first"], "dpo", NOW)

    with store.reading() as connection:
        (decided,) = decisions(connection, NOW, NOW + timedelta(days=1))
    assert (decided.text, decided.owner) == (f"{colleague} writes to [erased]", colleague)


def test_a_short_number_stays_in_what_meetings_wrote_down(store: Store) -> None:
    hand(store, "7")
    due = NOW.date() + timedelta(days=7)
    store.write(lambda c: decide(c, "7 calls a day", "ann", due, "none", "kim", "key 1", NOW))
    erase(store, ["7"], "dpo", NOW)

    with store.reading() as connection:
        (decided,) = decisions(connection, NOW, NOW + timedelta(days=1))
    assert decided.text == "7 calls a day"


def test_words_that_wait_for_an_unknown_lead_are_erased_too(store: Store) -> None:
    say(store, lost("zaphod-42", reason=SECRETS[3]))
    assert erase(store, ["zaphod-42"], "dpo", NOW) == {"zaphod-42": Erased(0, 0, waiting=1)}
    assert _count(store, Waiting) == 0


def test_an_erased_lead_that_comes_again_is_a_new_lead(store: Store) -> None:
    _fill(store)
    erase(store, ["zaphod-42"], "dpo", NOW)
    assert erase(store, ["zaphod-42"], "dpo", NOW) == {}
    hand(store, "zaphod-42")
    assert say(store, Said("zaphod-42", "contacted", MONDAY)) == ["stored"]


def test_only_what_has_long_been_quiet_expires(store: Store) -> None:
    hand(store, "quiet", "again")
    hand(store, "again", at=NOW + timedelta(days=150))
    with store.reading() as connection:
        assert expired(connection, 100, NOW + timedelta(days=99)) == []
        assert expired(connection, 100, NOW + timedelta(days=200)) == ["quiet"]
        assert expired(connection, 100, NOW + timedelta(days=251)) == ["again", "quiet"]


def test_rows_that_name_the_lead_leave_the_rejects(tmp_path: Path) -> None:
    path = tmp_path / "leads.rejects.csv"
    path.write_text('file,line,field,value,reason\nx.csv,2,id,"a,b",twice\nx.csv,3,id,c,twice\n')
    assert scrub(tmp_path, ["a,b"]) == 1
    assert path.read_text().splitlines()[1:] == ["x.csv,3,id,c,twice"]
    assert scrub(tmp_path, ["a,b", "3", "x.csv"]) == 0


def test_a_line_that_could_not_be_split_leaves_the_rejects_with_its_lead(tmp_path: Path) -> None:
    path = tmp_path / "leads.rejects.csv"
    lines = ["file,line,field,value,reason", 'x,2,,"z-4;Zaphod;;",wide', 'x,3,,"z-42;Ford;;",wide']
    path.write_text("\n".join(lines) + "\n")
    assert scrub(tmp_path, ["z-4"]) == 1
    assert "Zaphod" not in path.read_text()
    assert "Ford" in path.read_text()


def test_a_name_of_several_words_is_found_in_a_line_that_could_not_be_split(tmp_path: Path) -> None:
    path = tmp_path / "leads.rejects.csv"
    lines = ["file,line,field,value,reason", 'x,2,,"7;Zaphod B, 42;;",wide', 'x,3,,"Zaphod;B",wide']
    path.write_text("\n".join(lines) + "\n")
    assert scrub(tmp_path, ["Zaphod B, 42"]) == 1
    assert path.read_text().splitlines() == [lines[0], "x,3,,Zaphod;B,wide"]


def test_what_a_killed_run_left_of_rejects_is_looked_through_too(tmp_path: Path) -> None:
    left = tmp_path / ".said.rejects.csv-x1y2"
    left.write_text("file,line,field,value,reason,id\nx,2,code,sold,no code,z-4\n")
    assert scrub(tmp_path, ["z-4"]) == 1
    assert "z-4" not in left.read_text()


def test_rejects_expire_with_the_age_of_their_file_whatever_was_erased_in_it(
    tmp_path: Path,
) -> None:
    for name, age in (("old", 101), ("young", 99)):
        path = tmp_path / f"{name}.rejects.csv"
        path.write_text("file,line,field,value,reason,id\nx,2,,,no,a\nx,3,,,no,b\n")
        written = (NOW - timedelta(days=age)).replace(tzinfo=UTC).timestamp()
        os.utime(path, (written, written))
    assert scrub(tmp_path, ["a"]) == 2
    assert remove_expired(tmp_path, 100, NOW) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["young.rejects.csv"]


def test_the_refused_value_of_an_erased_person_leaves_the_rejects(
    store: Store, tmp_path: Path
) -> None:
    words = "id,at,code,value\n-z,2026-03-05,lost,Zaphod\n3,2026-03-05,lost,Ford\n"
    table = open_table(a_file(tmp_path, words, "said.csv"))
    refused: list[Reject] = []
    take_feedback(store, table, agreed(), NOW, refused.append)
    rejects = write_rejects(refused, tmp_path / "rejects" / "said.rejects.csv")
    assert rejects is not None

    assert scrub(rejects.parent, ["-z", "2"]) == 1

    assert "Zaphod" not in rejects.read_text()
    assert "Ford" in rejects.read_text()  # it stands in line 3, and is the lead 3
    assert scrub(rejects.parent, ["3"]) == 1


def test_feedback_that_waits_for_a_lead_that_never_comes_expires(store: Store) -> None:
    hand(store, "known", at=NOW + timedelta(days=150))
    say(store, lost("known", -20), lost("nobody"))
    with store.reading() as connection:
        assert expired(connection, 100, NOW + timedelta(days=99)) == []
        assert expired(connection, 100, NOW + timedelta(days=101)) == ["nobody"]


def test_what_is_written_while_a_lead_is_erased_does_not_stay(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand(store, "zaphod-42")
    looked_up = feedback._handed_since
    with ThreadPoolExecutor() as pool:

        def slowly(*about: Any) -> Any:
            erasing = pool.submit(erase, store, ["zaphod-42"], "dpo", NOW)
            wait([erasing], timeout=0.3)
            return looked_up(*about)

        monkeypatch.setattr(feedback, "_handed_since", slowly)
        say(store, lost("zaphod-42", reason=SECRETS[3]))
    with store.reading() as connection:
        assert connection.execute(select(Disposition.reason)).scalars().all() == [None]


def test_erasing_again_empties_the_journal_that_a_reader_held_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("features.store.database._BUSY_SECONDS", 0.1)
    store = open_store(f"sqlite:///{tmp_path / 'store.db'}")
    _fill(store)
    with store.reading() as reader:
        reader.execute(select(func.count()).select_from(Lead))
        with pytest.raises(StoreError, match="say it again"):
            erase(store, ["zaphod-42"], "dpo", NOW)
        assert _found_in(tmp_path) == list(SECRETS)
    assert erase(store, ["zaphod-42"], "dpo", NOW) == {}
    assert _found_in(tmp_path) == []
    store.close()


def test_a_score_of_a_lead_that_was_erased_meanwhile_does_not_bring_it_back(store: Store) -> None:
    hand(store, "a", "b")
    given = [
        GivenScore(id_, None, None, None, NO_FIELDS, NOW, "1", "1-x", 0.5, "B", None)
        for id_ in ("a", "b")
    ]
    erase(store, ["a"], "test", NOW)
    assert store.write(lambda c: add_scores_of_known(c, given, NOW)) == 1
    with store.reading() as connection:
        assert not connection.execute(select(Lead).where(Lead.id == "a")).all()
        assert connection.execute(select(func.count()).select_from(Score)).scalar_one() == 1
