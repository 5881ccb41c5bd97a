"""`leadq nightly`: everything that a scheduler shall do while nobody watches."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from features.errors import LeadqError, UsageError
from leadq.common import (
    DEFAULT_AGREEMENT,
    AgreementFile,
    AsJson,
    champion_of,
    now,
    open_home,
    open_the_store,
    print_json,
    read_agreement,
    say,
    steps,
    write_text,
)
from leadq.leads import columns_of, keeping, share_of

if TYPE_CHECKING:
    from features.agreement import Agreement
    from features.home import Home
    from features.store.database import Store
    from serving.artefact import LoadedModel
    from serving.batch import Choices
    from serving.night import Night, Taken, Waiting

commands = typer.Typer()


@commands.command(epilog="Example: leadq nightly inbox outbox --kind parquet")
def nightly(
    inbox: Annotated[Path, typer.Argument(help="The folder that exports come into.")],
    outbox: Annotated[Path, typer.Argument(help="The folder for scores, lists and the summary.")],
    kind: Annotated[
        Literal["csv", "parquet", "jsonl"], typer.Option(help="What the scored files are.")
    ] = "csv",
    reasons: Annotated[int, typer.Option(min=0, max=50, help="Reasons for each lead.")] = 5,
    keep: Annotated[
        str, typer.Option("--keep", help="Columns of the input that go along: a,b or all.")
    ] = "",
    max_reject: Annotated[
        str, typer.Option(help="Share of a file's rows that may be set aside; beyond it: refused.")
    ] = "10%",
    settle: Annotated[
        float, typer.Option(min=0, help="Seconds that a file must have rested to be whole.")
    ] = 60,
    agreement: AgreementFile = DEFAULT_AGREEMENT,
    as_json: AsJson = False,
) -> None:
    """Score what is new in the inbox, list who comes back, retrain if due, send the summary.

    Nothing of the inbox is moved or changed. Exit codes: 0 done, 1 something failed, 2 a file was
    refused, 3 done and somebody must look.
    """
    from serving.batch import Choices
    from serving.journal import alone
    from serving.night import Night, record_of

    if inbox.resolve() == outbox.resolve():
        raise UsageError(f"{outbox}: is the inbox itself; the next night would score its scores")
    choices = Choices(columns_of(keep), share_of(max_reject, "--max-reject"))
    home, agreed = open_home(), read_agreement(agreement)
    nights, begun = home.folder("nights"), now()
    night = Night(begun.isoformat(timespec="seconds"), str(inbox), str(outbox))
    with alone(nights), open_the_store(home) as store, steps() as progress:
        record = record_of(nights, begun)
        work = _Work(home, store, agreed, night, record, outbox, choices, reasons, kind, progress)
        work.run(inbox, settle)
    say(*night.lines())
    if as_json:
        print_json(night.told())
    raise typer.Exit(night.exit_code)


@dataclass(frozen=True)
class _Work:
    """What the steps of a night share."""

    home: Home
    store: Store
    agreement: Agreement
    night: Night
    record: Path
    outbox: Path
    choices: Choices
    reasons: int
    kind: str
    progress: Callable[[str], None]

    def run(self, inbox: Path, settle: float) -> None:
        """Do all that a night does; what fails is told, and the rest is done all the same."""
        from serving.night import listed

        began = time.monotonic()
        self._step("scores", lambda: self._score_all(listed(inbox), settle), silent=True)
        self._step("store", self._mended)
        self._step("recycled", self._recycled)
        self._step("retrain", self._retrained)
        self.night.seconds = round(time.monotonic() - began, 1)
        self._step("outbox", self._written, silent=True)
        self._step("webhooks", self._told)
        self._step("e-mail", self._mailed)
        self.night.ended = True
        self.save()

    def save(self) -> None:
        """Write the record down as it is now."""
        import json

        text = json.dumps(self.night.told(), ensure_ascii=False, indent=1) + "\n"
        write_text(self.record, text)

    def _step(self, name: str, work: Callable[[], str], silent: bool = False) -> None:
        """Do one thing, and note what came of it; a silent one only where it failed."""
        from serving.night import FAILED, Step

        self.progress(name)
        try:
            step = Step(name, work())
        except LeadqError as error:
            step = Step(name, str(error), error.exit_code)
        except Exception as error:  # the other steps must be done all the same
            step = Step(name, f"{type(error).__name__}; a fault of leadq's own", FAILED)
        if step.code or not silent:
            self.night.steps.append(step)
        self.save()

    def _score_all(self, files: list[Waiting], settle: float) -> str:
        from serving.night import digest_of, scored_before, still_written

        known, model = scored_before(self.record.parent, self.outbox), None
        for file in files:
            try:
                if why := still_written(file, now(), settle):
                    self._note(file, "waits", why)
                    continue
                digest = digest_of(file.path)
                if (file.path.name, digest) in known:
                    self.night.known += 1
                    continue
                model = model or self._champion()
                self.night.files.append(self._scored(file, digest, model))
            except FileNotFoundError:
                self._note(file, "waits", "is gone from the inbox")
            except LeadqError as error:
                self._note(file, "refused" if error.exit_code == 2 else "failed", str(error))
            except Exception as error:  # one file must not stop the others
                self._note(file, "failed", f"{type(error).__name__}; a fault of leadq's own")
            self.save()
        return ""

    def _champion(self) -> LoadedModel:
        model = champion_of(self.home, self.store)
        self.night.model_version = model.version
        return model

    def _note(
        self, file: Waiting, outcome: Literal["waits", "refused", "failed"], why: str
    ) -> None:
        from serving.night import Taken

        self.night.files.append(Taken(file.path.name, outcome, why=why))

    def _scored(self, file: Waiting, digest: str, model: LoadedModel) -> Taken:
        from serving.batch import Kept, score_file
        from serving.night import Taken

        name = file.path.name
        target = self.outbox / f"{file.target}.{self.kind}"
        summary = score_file(
            model,
            file.path,
            target,
            self.reasons,
            self.choices,
            lambda done: self.progress(f"{name}: {done.sentence}"),
            Kept(now(), keeping(self.store, model)),
        )
        return Taken(
            name,
            "unchanged" if summary.unchanged else "scored",
            digest,
            target.name,
            summary.read,
            summary.scored,
            summary.rejected,
            dict(summary.grades),
            summary.expected_wins,
            summary.warnings,
            summary.alarming,
        )

    def _mended(self) -> str:
        from features.counted import counted
        from features.store.mended import mend

        if not (leads := mend(self.store)):
            return "all lines say what happened"
        return (
            f"the lines of {counted(leads, 'lead')} did not say what happened and were drawn "
            "anew; does an older leadq still write to this store?"
        )

    def _recycled(self) -> str:
        from features.counted import counted
        from features.spreadsheet import csv_text
        from leadq.loop import coming_back
        from serving.recycled import COLUMNS, rows

        moment = now()
        leads = coming_back(self.home, self.store, self.agreement, moment, moment.date())
        target = self.outbox / "recycled.csv"
        self._make_outbox()
        write_text(target, csv_text(COLUMNS, rows(leads)))
        return f"{counted(len(leads), 'lead')} in {target.name}"

    def _make_outbox(self) -> None:
        try:
            self.outbox.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LeadqError(f"{self.outbox}: cannot be made: {error.strerror}") from error

    def _retrained(self) -> str:
        from features.store.jobs import HeldError
        from leadq.model import retrained

        try:
            result, _ = retrained(
                self.home, self.store, self.agreement, "nightly", self.progress, if_due=True
            )
        except HeldError as held:
            return f"nothing done: {held}"
        return f"{result.outcome}: {result.why}"

    def _written(self) -> str:
        self._make_outbox()
        write_text(self.outbox / "nightly.txt", "\n".join(self.night.lines()) + "\n")
        return ""

    def _told(self) -> str:
        from features.store.hooks import live_hooks, tell_night

        with self.store.reading() as connection:
            hooks = [hook for hook in live_hooks(connection) if "night" in hook.events]
        if not hooks:
            return "none asked for"
        told = self.night.news()
        self.store.write(lambda connection: tell_night(connection, told, now()))
        return f"{len(hooks)} on their way"

    def _mailed(self) -> str:
        from serving.mail import send

        if not self.home.mail.host:
            return "no server set"
        send(self.home.mail, self.night.subject, list(self.night.lines(of_leads=False)), now())
        return f"sent by {self.home.mail.host}"
