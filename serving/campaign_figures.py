"""The figures of campaigns, as page, REST, command line and report show them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from serving.outlook import Range
from serving.replies import Moment

Budget = Literal["more", "less", "unclear"]
Pace = Literal["ahead", "behind", "as expected"]


class CostOfWin(BaseModel):
    """What an expected win costs."""

    value: float
    low: float
    high: float | None = Field(description="Null: the campaign may bring no win at all.")


class Trend(BaseModel):
    """Wins to expect of the leads of the last 28 days, and of those of the 28 before."""

    now: float
    before: float
    change: Range | None = Field(description="As a share: .2 is a fifth more. Null without leads.")


class ReasonCount(BaseModel):
    """Why leads were not won, as sales last said."""

    code: str
    reason: str = Field(description="Empty: none was given. Rare ones are counted as others.")
    leads: int


class NoteReply(BaseModel):
    """What somebody had to say of a campaign."""

    text: str
    by: str | None
    at: Moment


class Campaign(BaseModel):
    """The figures of one campaign, or of all together. Intervals are of 90 %."""

    name: str
    known: bool = Field(description="Whether the model learned the spellings of half of its leads.")
    leads: int
    scored: int
    grades: dict[str, int]
    won: int = Field(description="Within the horizon, so far; of all leads.")
    won_late: int = Field(description="Past the horizon; not in `won`.")
    wins: Range | None = Field(
        description="Wins by the end of the horizon: those so far, and those to come. Null where "
        "no lead has a score."
    )
    by_now: Range | None = Field(description="Wins that were to be expected at this age.")
    pace: Pace | None = Field(
        description="Wins so far of leads with a score against `by_now`: outside its interval, or "
        "inside."
    )
    value: float = Field(description="What the wins so far are worth.")
    revenue: Range | None = Field(description="`value` and that of the wins to come.")
    cost: float | None
    visits: int | None
    cost_per_lead: float | None
    cost_per_win: CostOfWin | None
    accepted: int = Field(description="Leads that sales accepted, won ones among them.")
    answered: int = Field(description="Those, and those that sales turned down or sent back.")
    acceptance: Range | None
    reasons: list[ReasonCount] = Field(description="Empty where leads are grouped by a field.")
    trend: Trend
    gain: Range | None = Field(
        description="Wins more (or fewer) than its cost brings on the average of all campaigns."
    )
    budget: Budget | None = Field(
        description="more, less: `gain` is surely above, or below, none. Null without a cost."
    )
    notes: list[NoteReply]


class Campaigns(BaseModel):
    """All campaigns, those first whose budget matters most."""

    by: str = Field(description="campaign, source, or a field.")
    days: int = Field(description="Leads created within so many days are counted.")
    since: Moment
    as_of: Moment
    horizon_days: int
    model_version: str | None
    timed: bool = Field(
        description="Whether the model knows when wins come; else they are taken to come evenly."
    )
    total: Campaign
    campaigns: list[Campaign]
