"""The simulated CRM as a whole: from settings to the tables that become files."""

from dataclasses import dataclass

from features.simulate.draw import Table
from features.simulate.journey import choose, feedback, follow_up, handoffs
from features.simulate.market import Campaigns, arrive, launch, spend
from features.simulate.people import enquire
from features.simulate.record import records
from features.simulate.settings import Settings
from features.simulate.truth import log_odds, probabilities


@dataclass(frozen=True)
class Crm:
    """One simulated CRM; a table maps each column to its cells, all of them text."""

    settings: Settings
    campaigns: Campaigns
    export: Table
    nightly: Table
    handoffs: Table
    feedback: Table
    spend: Table
    truth: Table

    @property
    def tables(self) -> dict[str, Table]:
        """The tables by the name of their file."""
        return {
            "export.csv": self.export,
            "nightly.csv": self.nightly,
            "handoffs.csv": self.handoffs,
            "feedback.csv": self.feedback,
            "spend.csv": self.spend,
            "truth.csv": self.truth,
        }


def simulate(settings: Settings) -> Crm:
    """Let marketing and sales live through the history; equal settings give equal worlds."""
    campaigns = launch(settings)
    leads = enquire(settings, arrive(settings, campaigns))
    shape = log_odds(settings, campaigns, leads)
    worked = choose(settings, leads, shape)
    truth = probabilities(settings, leads, shape, worked)
    journey = follow_up(settings, leads, truth, worked)
    rows = records(settings, campaigns, leads, journey)
    ids = rows["id"]
    return Crm(
        settings=settings,
        campaigns=campaigns,
        export={name: cells[: settings.leads] for name, cells in rows.items()},
        nightly={name: cells[settings.leads :] for name, cells in rows.items()},
        handoffs=handoffs(settings, ids, journey),
        feedback=feedback(settings, ids, journey),
        spend=spend(settings, campaigns),
        truth={"id": ids, "probability": [f"{chance:.6f}" for chance in truth.tolist()]},
    )
