"""The sets that every run of the benchmark knows: shared real data, and simulated CRMs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.sets import Set, from_table, read_table
from features.simulate import ROLES, Settings
from features.simulate import simulate as run

# What sales fills in after the first contact, or what holds the state at the time of the export.
_XEDUCATION_LEAKS = [
    "Tags", "Lead Quality", "Lead Profile", "Asymmetrique Activity Index",
    "Asymmetrique Profile Index", "Asymmetrique Activity Score", "Asymmetrique Profile Score",
    "Last Activity", "Last Notable Activity",
]  # fmt: skip
_DECIDED = ("Closed Won", "Closed Lost", "Disqualified")


def _xeducation(folder: Path) -> Set:
    table = read_table(folder / "xeducation" / "Leads.csv")
    drop = ["Prospect ID", *_XEDUCATION_LEAKS]
    return from_table("xeducation", table, "Converted", ["1"], time="Lead Number", drop=drop)


def _bank_marketing(folder: Path) -> Set:
    """The file is in the order of time and has no date; `duration` is that of the deciding call."""
    table = read_table(folder / "bank_marketing" / "bank-full.csv")
    table["row"] = [str(i) for i in range(len(table))]
    return from_table("bank_marketing", table, "y", ["yes"], time="row", drop=["duration"])


def _caravan(folder: Path) -> Set:
    table = read_table(folder / "caravan_coil2000" / "caravan-insurance-challenge.csv")
    return from_table("caravan_coil2000", table, "CARAVAN", ["1"], drop=["ORIGIN"])


def _maven(folder: Path) -> Set:
    """Labels that are random by all that is known: the control in which nothing can be learned."""
    data = folder / "maven_crm"
    table = read_table(data / "sales_pipeline.csv")
    table = table[table["deal_stage"].isin(["Won", "Lost"])]
    table["product"] = table["product"].replace("GTXPro", "GTX Pro")
    facts = (("accounts", "account"), ("products", "product"), ("sales_teams", "sales_agent"))
    for name, key in facts:
        table = table.merge(read_table(data / f"{name}.csv"), on=key, how="left")
    drop = ["opportunity_id", "close_date", "close_value"]
    return from_table(
        "maven_crm", table.fillna(""), "deal_stage", ["Won"], time="engage_date", drop=drop
    )


def _facebook(folder: Path) -> Set:
    """One row is an ad; the order is that of its number. Enquiries are a step before the sale."""
    table = read_table(folder / "facebook_ads_kag" / "KAG_conversion_data.csv")
    table["sold"] = (table["Approved_Conversion"].astype(int) > 0).astype(int).astype(str)
    drop = ["Approved_Conversion", "Total_Conversion"]
    return from_table("facebook_ads_kag", table, "sold", ["1"], time="ad_id", drop=drop)


SHARED: dict[str, Callable[[Path], Set]] = {
    "xeducation": _xeducation,
    "bank_marketing": _bank_marketing,
    "caravan_coil2000": _caravan,
    "maven_crm": _maven,
    "facebook_ads_kag": _facebook,
}
"""Readers of the shared sets, each given the folder with all of them."""


def simulated_set(name: str, settings: Settings) -> Set:
    """The decided leads of a simulated CRM, labelled as leadq labels them, with their truth.

    What sales knows only later is dropped, as a careful owner would; names are dropped because
    they mark persons.
    """
    crm = run(settings)
    table = pd.DataFrame(crm.export)
    truth = dict(zip(crm.truth["id"], map(float, crm.truth["probability"]), strict=True))
    horizon = timedelta(days=settings.horizon_days)
    as_of = settings.as_of.astype("datetime64[s]").astype(datetime)
    created = [datetime.fromisoformat(text) for text in table["created_at"]]
    old_enough = np.array([moment + horizon <= as_of for moment in created])
    table["won_in_time"] = [
        str(int(status == "Closed Won" and _closed_in(start, closed, horizon)))
        for status, start, closed in zip(table["status"], created, table["closed_at"], strict=True)
    ]
    rows = np.flatnonzero(old_enough & table["status"].isin(_DECIDED).to_numpy())
    late = [n for role in ("id", "outcome", "closed", "value", "leak") for n in ROLES[role]]
    drop = [*late, "first_name", "last_name"]
    return from_table(
        name,
        table.iloc[rows].reset_index(drop=True),
        "won_in_time",
        ["1"],
        time="created_at",
        drop=drop,
        truth=np.array([truth[lead] for lead in table["id"].iloc[rows]]),
        campaign="campaign",
    )


def _closed_in(start: datetime, closed: str, horizon: timedelta) -> bool:
    return datetime.fromisoformat(closed) < start + horizon


SIMULATED: dict[str, Callable[[int], Set]] = {
    "simulated": lambda seed: simulated_set("simulated", Settings(seed=seed)),
    "simulated_drift": lambda seed: simulated_set(
        "simulated_drift", Settings(seed=seed, drift=1.0)
    ),
    "simulated_little": lambda seed: simulated_set(
        "simulated_little", Settings(seed=seed, leads=1_500)
    ),
}
"""Makers of simulated CRMs from a seed: the default world, a fast-moving one, a small one."""
