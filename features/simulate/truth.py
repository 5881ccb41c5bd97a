"""The true model: the probability that a lead, worked to its end, is won within the horizon.

It is a function of recorded values only. A value that was not recorded has an effect of its
own (the last place of each table, reached by the code -1), so nothing is left out and nothing
has to be integrated: a perfect model of the export reaches exactly these probabilities.
"""

from typing import NamedTuple

import numpy as np

from features.simulate.draw import Codes, Floats, Mask
from features.simulate.market import Campaigns, season
from features.simulate.people import BUSINESS, FREE, Company, Contact, Leads, Request, department
from features.simulate.settings import Settings
from features.simulate.words import INDUSTRIES, MESSAGES_A_KIND, PRODUCT_SETS

ENOUGH = 20_000  # leads that fix scale and base rate to a few thousandths
BASE_DRIFT = -1.2  # log-odds that the base rate loses over a history at full drift
INDUSTRY = np.array([0.4, 0.3, 0.0, 0.2, 0.1, -0.2, 0.3, -0.3, -0.7, 0.1, -0.4, -0.9, -0.2])
INDUSTRY_DRIFT = np.array([-0.8, 0.6, 0.3, 0.0, 0.5, 0.7, -0.4, 0, 0, -0.5, 0, 0.4, 0])
COUNTRY = np.array([0.25, 0.15, 0.2, 0.1, -0.2, 0.0, -0.35, 0.1, 0.15, -0.3])
FORM = np.array([1.7, 1.5, 0.45, -0.4, -0.2, -1.1, -1.8])  # honest, and merely strong
FORM_DRIFT = np.array([-0.5, 0.1, 0.1, 0.8, -0.5, -0.3, 0.0])
CHANNEL = np.array([0.15, 0.0, 0.6, 0.35, -0.4, 0.05, -0.1, -0.35])
CHANNEL_DRIFT = np.array([-0.3, 0.3, 0.0, 0.2, -0.6, -0.2, 0.2, 0.6])
SENIORITY = np.array([0.25, 0.4, 0.45, 0.1, -0.25, -2.0, -0.2])
SENIORITY_BY_CHANNEL = np.array(
    [  # chiefs answer a referral or a call; on social channels they only look
        [0.2, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0],
        [-0.3, 0.0, 0.2, 0.2, 0.0, 0.0, 0.0],
        [0.6, 0.4, 0.0, -0.1, -0.2, 0.0, 0.0],
        [0.3, 0.2, 0.0, 0.0, -0.1, 0.0, 0.0],
        [-0.7, -0.4, 0.0, 0.2, 0.1, 0.0, 0.0],
        [-0.4, 0.0, 0.3, 0.2, 0.0, 0.0, 0.0],
        [0.2, 0.0, 0.1, 0.0, 0.0, -0.3, 0.0],
        [0.7, 0.4, 0.1, -0.3, -0.4, 0.0, 0.0],
    ]
)
DEPARTMENT = np.array([0.2, 0.05, 0.3, 0.1, -0.1, -0.3, -0.05, 0.0])
BUDGET = np.array([-0.5, 0.0, 0.35, 0.5, 0.2, -0.15])
TIMELINE = np.array([0.5, 0.45, 0.0, -0.45, -0.8, -0.15])
BUDGET_BY_TIMELINE = np.array(
    [  # money and hurry count together; a big budget "now" is rarely true
        [-0.2, -0.1, 0.0, 0.1, 0.1, 0.0],
        [0.1, 0.1, 0.0, 0.0, 0.0, 0.0],
        [0.4, 0.5, 0.1, -0.1, -0.2, 0.0],
        [0.3, 0.6, 0.2, 0.0, -0.4, 0.0],
        [-0.6, 0.2, 0.3, 0.1, -0.5, 0.0],
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    ]
)
MESSAGE = np.array([0.0, 0.25, 0.45, 0.4, 0.5, -1.6, 0.0])
PRODUCTS = np.array(
    [
        0.2 * min(2, name.count(";")) + 0.35 * ("CRM;Analytics" in name) - 0.4 * (name[:2] == "Tr")
        for name in PRODUCT_SETS
    ]
    + [-0.25]
)


def log_odds(settings: Settings, campaigns: Campaigns, leads: Leads) -> Floats:
    """The shape of the true log-odds (leads,), before scale, base rate and base drift."""
    moved = settings.drift * leads.arrivals.elapsed
    shape: Floats = (
        _fit(leads.company, moved)
        + _person(settings, leads.contact, leads.arrivals.channel)
        + _need(settings, leads.request)
        + _engagement(leads, moved)
        + _marketing(campaigns, leads, moved)
    )
    return shape


def _fit(company: Company, moved: Floats) -> Floats:
    """Industry, country, and size against the size that suits the industry."""
    best = np.log([*(i.best for i in INDUSTRIES), 200.0])[company.industry]
    off = (np.log(company.employees) - best) / 1.5
    size = np.where(np.isnan(off), -0.6, -0.45 * np.minimum(off**2, 5.0))
    wealth = np.log(company.revenue / company.employees / 140_000)
    term: Floats = (
        INDUSTRY[company.industry]
        + moved * INDUSTRY_DRIFT[company.industry]
        + COUNTRY[company.country]
        + size
        + 0.2 * np.nan_to_num(np.clip(wealth, -1.5, 1.5))
    )
    return term


def _person(settings: Settings, contact: Contact, channel: Codes) -> Floats:
    """Seniority (differently by channel), department, and how they can be reached."""
    mail = np.select([contact.mail == FREE, contact.mail == BUSINESS], [-0.6, 0.1], -0.4)
    term: Floats = (
        SENIORITY[contact.seniority]
        + settings.interactions * SENIORITY_BY_CHANNEL[channel, contact.seniority]
        + DEPARTMENT[department(contact.title)]
        + mail
        + np.where(contact.phone < 0, -0.3, 0.1)
    )
    return term


def _need(settings: Settings, request: Request) -> Floats:
    """Budget with timeline, products wanted, and what the message is about."""
    kind = np.where(request.message < 0, -1, request.message // MESSAGES_A_KIND)
    term: Floats = (
        BUDGET[request.budget]
        + TIMELINE[request.timeline]
        + settings.interactions * BUDGET_BY_TIMELINE[request.budget, request.timeline]
        + PRODUCTS[request.products]
        + MESSAGE[kind]
        + np.where(request.consent == 0, 0.1, -0.1)
    )
    return term


def _engagement(leads: Leads, moved: Floats) -> Floats:
    """Visits saturate, time on site has a best middle, interest cools day by day."""
    seen = leads.engagement
    minutes = np.log1p(seen.minutes) - 2.6
    web = 0.7 * np.log1p(np.minimum(seen.visits, 8)) - 0.3 * minutes**2
    depth = 0.3 * np.log(seen.pages / seen.visits) - 0.035 * np.minimum(seen.last_visit, 25)
    term: Floats = (
        np.where(np.isnan(web), 0.2, web + depth)
        + 0.12 * np.minimum(seen.emails, 5)
        + 0.15 * np.minimum(seen.downloads, 2)
        + np.where(seen.webinar == 0, 0.6 - 0.7 * moved, 0.0)
    )
    return term


def _marketing(campaigns: Campaigns, leads: Leads, moved: Floats) -> Floats:
    """Form, channel, season, and the campaign, whose own quality changes as time goes by."""
    came = leads.arrivals
    term: Floats = (
        FORM[leads.request.form]
        + moved * FORM_DRIFT[leads.request.form]
        + CHANNEL[came.channel]
        + moved * CHANNEL_DRIFT[came.channel]
        + campaigns.level[came.campaign]
        + campaigns.trend[came.campaign] * (came.elapsed - 0.5)
        + 0.15 * season(came.created)
    )
    return term


class Level(NamedTuple):
    """What turns the shape of the log-odds into log-odds."""

    scale: float
    shift: float


def probabilities(settings: Settings, leads: Leads, shape: Floats, worked: Mask) -> Floats:
    """True probabilities (leads,), scaled so that worked leads show `win_rate` and `signal`."""
    return chances(settings, leads, shape, find_level(settings, leads, shape, worked))


def chances(settings: Settings, leads: Leads, shape: Floats, level: Level) -> Floats:
    """True probabilities (leads,) at a given scale and base rate."""
    return _chance(level.scale * shape + _drifted(settings, leads) + level.shift)


def find_level(settings: Settings, leads: Leads, shape: Floats, worked: Mask) -> Level:
    """The level at which worked leads show `win_rate` and `signal`."""
    found = np.flatnonzero(worked)
    sample = found[:: max(1, len(found) // ENOUGH)]
    return _solve(settings, shape[sample], _drifted(settings, leads)[sample])


def _drifted(settings: Settings, leads: Leads) -> Floats:
    drifted: Floats = BASE_DRIFT * settings.drift * leads.arrivals.elapsed
    return drifted


def _solve(settings: Settings, shape: Floats, drifted: Floats) -> Level:
    """The scale that gives the wanted AUC and the shift that gives the wanted rate."""
    low, high = 0.0, 4.0
    for _ in range(18):
        scale = (low + high) / 2
        score = scale * shape + drifted
        shift = _shift(settings.win_rate, score)
        weak = expected_auc(_chance(score + shift)) < settings.signal
        low, high = (scale, high) if weak else (low, scale)
    return Level(scale, shift)


def _shift(rate: float, score: Floats) -> float:
    """The constant to add at which the mean chance is `rate`."""
    low, high = -40.0, 40.0
    for _ in range(32):
        middle = (low + high) / 2
        scarce = _chance(score + middle).mean() < rate
        low, high = (middle, high) if scarce else (low, middle)
    return middle


def _chance(score: Floats) -> Floats:
    chance: Floats = 1.0 / (1.0 + np.exp(-score))
    return chance


def expected_auc(chance: Floats) -> float:
    """The AUC of a perfect model: P(a winner's chance is above a loser's), over all draws."""
    ordered = np.sort(chance)
    losers_below = np.cumsum(1.0 - ordered) - (1.0 - ordered)
    pairs = ordered.sum() * (1.0 - ordered).sum() - (ordered * (1.0 - ordered)).sum()
    return float((ordered * losers_below).sum() / pairs)
