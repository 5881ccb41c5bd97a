"""Leaks and honest fields as CRMs write them, to be planted into tables without leaks.

Each kind has names in plain words, shortened, in another language, and one that means nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.measures import Floats

Cells = npt.NDArray[np.object_]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Fates:
    """What became of the leads of a table."""

    won: Mask
    open: Mask
    """Leads without an outcome yet; for them little of what sales writes is there."""
    created: npt.NDArray[np.datetime64]
    random: np.random.Generator

    def chance(self, won: float, lost: float, still_open: float = 0.0) -> Mask:
        """Draw one yes or no for each lead, by what became of it."""
        share = np.where(self.open, still_open, np.where(self.won, won, lost))
        drawn: Mask = self.random.random(len(share)) < share
        return drawn

    def normal(self, apart: float) -> Floats:
        """Draw a number that lies so many standard deviations higher for won leads."""
        won: Floats = np.where(self.open, 0.5, self.won) * apart
        return won + self.random.normal(size=len(won))

    def pick(self, words: tuple[str, ...], when: Mask | None = None) -> Cells:
        """Draw one of some words for each lead, or "" where a mask says no."""
        drawn = self.random.choice(np.array(words, dtype=object), len(self.won))
        return drawn if when is None else np.where(when, drawn, "")

    def dates(self, days: Floats, when: Mask) -> Cells:
        """Return the day so many days after the creation, "" where a mask says no."""
        later = self.created + np.maximum(days, 0).astype("timedelta64[D]")
        return np.where(when, np.datetime_as_string(later, unit="D").astype(object), "")


Make = Callable[[Fates], Cells]


@dataclass(frozen=True)
class Kind:
    """One kind of field: its names, and how its cells are made."""

    names: tuple[str, ...]
    make: Make


def _numbers(values: Floats, when: Mask | None = None, digits: int = 0) -> Cells:
    texts = np.array([f"{value:.{digits}f}" for value in values], dtype=object)
    return texts if when is None else np.where(when, texts, "")


def _money(f: Fates, when: Mask) -> Cells:
    return _numbers(np.exp(f.random.normal(8, 1, len(f.won))), when, 2)


def _count(f: Fates, won: float, lost: float) -> Cells:
    mean = np.where(f.open, lost / 2, np.where(f.won, won, lost))
    return _numbers(f.random.poisson(mean).astype(float))


def _words(f: Fates, won: tuple[str, ...], lost: tuple[str, ...], mixed: float) -> Cells:
    """Words of the outcome, exchanged for a share of the leads; the open ones have none."""
    said = np.where(f.won ^ f.chance(mixed, mixed), f.pick(won), f.pick(lost))
    return np.where(f.open, "", said)


def _serial(f: Fates) -> Cells:
    number = np.arange(len(f.won)) + np.where(f.won, 4 * len(f.won), 0) + 10_000
    return np.where(f.open, "", _numbers(number.astype(float)))


def _after(days: float, won: float, lost: float) -> Make:
    return lambda f: f.dates(f.random.exponential(days, len(f.won)), f.chance(won, lost))


LEAKS = (
    Kind(("Order Date", "OrdDt", "Bestelldatum", "dt_04"), _after(40, 0.97, 0.0)),
    Kind(("Closed On", "ClsdOn", "Fecha de cierre", "dt_11"), _after(45, 0.98, 0.95)),
    Kind(("Last Contact", "LstCntct", "Letzter Kontakt", "dt_07"), _after(30, 0.97, 0.75)),
    Kind(("Invoice Total", "InvTot", "Rechnungsbetrag", "amt_2"), lambda f: _money(f, f.won)),
    Kind(
        ("Quoted Price", "QtdPrc", "Angebotspreis", "amt_5"),
        lambda f: _money(f, f.chance(0.9, 0.3, 0.05)),
    ),
    Kind(
        ("Discount Granted", "DiscPct", "Rabatt", "pct_1"),
        lambda f: _numbers(f.random.uniform(1, 20, len(f.won)), f.chance(0.6, 0.03)),
    ),
    Kind(
        ("Contract No", "ContrNo", "Vertragsnummer", "ref_b"),
        lambda f: _numbers(f.random.uniform(1e5, 9e5, len(f.won)), f.won & f.chance(0.95, 0)),
    ),
    Kind(("Account Number", "AcctNo", "Kundennummer", "ref_k"), _serial),
    Kind(
        ("Loss Reason", "LossRsn", "Verlustgrund", "attr_9"),
        lambda f: f.pick(("Price", "Competitor", "No budget", "Timing"), f.chance(0.0, 0.85)),
    ),
    Kind(
        ("Sales Stage", "SlsStg", "Vertriebsphase", "attr_3"),
        lambda f: _words(f, ("Agreement", "Handover"), ("Contacted", "Parked", "Discovery"), 0.06),
    ),
    Kind(
        ("Lead Rating", "LdRtg", "Bewertung", "attr_6"),
        lambda f: _words(f, ("Hot",), ("Warm", "Cold"), 0.2),
    ),
    Kind(
        ("Call Outcome", "CallOutc", "Anrufergebnis", "attr_2"),
        lambda f: _words(f, ("Interested", "Sent offer"), ("No answer", "Not interested"), 0.15),
    ),
    Kind(
        ("Next Step", "NxtStp", "Nächster Schritt", "attr_8"),
        lambda f: f.pick(("Onboarding", "Kick-off", "Call back"), f.chance(0.9, 0.25, 0.1)),
    ),
    Kind(
        ("Remarks", "Rmks", "Bemerkungen", "txt_1"),
        lambda f: _words(
            f,
            ("happy with the offer", "wants to start soon", "sent the papers"),
            ("did not pick up", "no answer after two tries", "went with another firm"),
            0.1,
        ),
    ),
    Kind(("Number of Calls", "NumCalls", "Anzahl Anrufe", "n_1"), lambda f: _count(f, 5, 2.2)),
    Kind(("Meetings Held", "MtgsHld", "Gehaltene Termine", "n_2"), lambda f: _count(f, 1.6, 0.2)),
    Kind(("Emails Sent", "EmlSnt", "Gesendete E-Mails", "n_3"), lambda f: _count(f, 7, 3)),
    Kind(
        ("Call Minutes", "CallMin", "Gesprächsdauer", "n_6"),
        lambda f: _numbers(np.exp(1.5 + 0.5 * f.normal(1.8))),
    ),
    Kind(("Lead Score", "LdScr", "Punktestand", "n_9"), lambda f: _numbers(50 + 15 * f.normal(2))),
    Kind(
        ("Win Probability", "WinProb", "Abschlusswahrscheinlichkeit", "n_8"),
        lambda f: _numbers(np.clip(45 + 18 * f.normal(3), 0, 100)),
    ),
    Kind(
        ("Days to Close", "DaysToCls", "Tage bis Abschluss", "n_5"),
        lambda f: np.where(f.open, "", _numbers(60 * np.exp(-0.5 * f.normal(1.6)))),
    ),
    Kind(
        ("Proposal Sent", "PropSnt", "Angebot gesendet", "flag_1"),
        lambda f: np.where(f.chance(0.9, 0.2, 0.05), "Yes", "No"),
    ),
    Kind(
        ("Demo Done", "DemoDn", "Demo erfolgt", "flag_2"),
        lambda f: np.where(f.chance(0.75, 0.3, 0.1), "1", "0"),
    ),
    Kind(
        ("Payment Status", "PymtSts", "Zahlungsstatus", "flag_3"),
        lambda f: f.pick(("Deposit", "In full"), f.chance(0.45, 0.02)),
    ),
    Kind(
        ("Opted Out", "OptOut", "Abgemeldet", "flag_4"),
        lambda f: np.where(f.chance(0.01, 0.35, 0.03), "true", "false"),
    ),
    Kind(
        ("Source Detail", "SrcDtl", "Herkunft", "attr_4"),
        lambda f: np.where(
            f.chance(0.65, 0.02), "Existing customer", f.pick(("Web", "Fair", "Ads", "Referral"))
        ),
    ),
)
"""What is written once the outcome is known, or nearly so."""

HONEST = (
    Kind(
        ("Years as Member", "YrsMbr", "Mitglied seit Jahren", "h_1"),
        lambda f: _numbers(np.exp(1 + 0.6 * f.normal(1.6))),
    ),
    Kind(("Site Visits", "SiteVst", "Besuche", "h_2"), lambda f: _count(f, 4, 2.5)),
    Kind(
        ("Plan Asked For", "PlanAsk", "Gewünschter Tarif", "h_3"),
        lambda f: np.where(f.normal(1.2) > 1, f.pick(("Large", "Medium")), f.pick(("Small", "?"))),
    ),
    Kind(
        ("Newsletter", "Nwsltr", "Rundbrief", "h_4"),
        lambda f: np.where(f.normal(0.8) > 0.5, "yes", "no"),
    ),
    Kind(
        ("Household Income", "HhInc", "Einkommen", "h_5"),
        lambda f: _numbers(np.exp(10 + 0.4 * f.normal(0.6)), f.random.random(len(f.won)) < 0.8),
    ),
    Kind(
        ("Preferred Start", "PrefStrt", "Wunschtermin", "h_6"),
        lambda f: f.dates(f.random.uniform(5, 200, len(f.won)), f.random.random(len(f.won)) < 0.7),
    ),
    Kind(
        ("Region", "Rgn", "Gebiet", "h_7"), lambda f: f.pick(("North", "South", "East", "West", ""))
    ),
    Kind(
        ("Fax", "FaxNr", "Telefax", "h_8"),
        lambda f: f.pick(("yes",), f.random.random(len(f.won)) < 0.1),
    ),
)
"""What the lead came with, strong and weak."""
