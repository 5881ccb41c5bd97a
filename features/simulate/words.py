"""The vocabulary of the world. Each tuple is a code list: a lead holds places in these tuples."""

from typing import NamedTuple


class Industry(NamedTuple):
    """An industry: how common, its middle size (employees), the size that suits the product."""

    name: str
    share: float
    middle: float
    best: float


class Country(NamedTuple):
    """A country with what its firms, phones and sales team look like."""

    code: str
    share: float
    form: str
    domain: str
    dial: str
    mobile: str
    digits: int
    trunk: str
    language: str
    team: str


INDUSTRIES = (
    Industry("Manufacturing", 14, 180, 400),
    Industry("Software", 13, 60, 90),
    Industry("Retail", 11, 120, 250),
    Industry("Logistics", 9, 140, 300),
    Industry("Financial Services", 8, 220, 900),
    Industry("Health Care", 8, 160, 500),
    Industry("Professional Services", 10, 35, 60),
    Industry("Construction", 7, 70, 150),
    Industry("Education", 6, 110, 700),
    Industry("Energy", 5, 260, 1200),
    Industry("Hospitality", 5, 50, 80),
    Industry("Public Sector", 4, 300, 2000),
)
COUNTRIES = (
    Country("DE", 30, "GmbH", "de", "+49", "1512", 7, "0", "de", "Central"),
    Country("AT", 7, "GmbH", "at", "+43", "664", 7, "0", "de", "Central"),
    Country("CH", 8, "AG", "ch", "+41", "79", 7, "0", "de", "Central"),
    Country("NL", 9, "B.V.", "nl", "+31", "6", 8, "0", "nl", "West"),
    Country("FR", 12, "SAS", "fr", "+33", "6", 8, "0", "fr", "West"),
    Country("GB", 13, "Ltd", "co.uk", "+44", "7700", 6, "0", "en", "West"),
    Country("ES", 6, "S.L.", "es", "+34", "6", 8, "", "es", "West"),
    Country("SE", 6, "AB", "se", "+46", "70", 7, "0", "sv", "North"),
    Country("DK", 5, "ApS", "dk", "+45", "20", 6, "", "da", "North"),
    Country("PL", 4, "Sp. z o.o.", "pl", "+48", "501", 6, "", "pl", "North"),
)
SYLLABLES = (
    "al", "bro", "ca", "dor", "el", "fen", "gra", "hol", "in", "jo", "kel", "lum",
    "mar", "nor", "ost", "pra", "quin", "ros", "sten", "tal", "ul", "ver", "wen", "zan",
)  # fmt: skip
TRADES = (
    "Werke", "Systems", "Trading", "Freight", "Capital", "Care", "Partners", "Bau",
    "Academy", "Power", "Hotels", "Services",
)  # fmt: skip
FIRST_NAMES = (
    "Anna", "Ben", "Carla", "David", "Elena", "Felix", "Greta", "Henrik", "Ines", "Jonas",
    "Karin", "Luca", "Marta", "Niels", "Olivia", "Pawel", "Renate", "Søren", "Théo", "Ute",
    "Viktor", "Wanda", "Yusuf", "Zoë",
)  # fmt: skip
LAST_NAMES = (
    "Almgren", "Becker", "Castillo", "Dubois", "Eriksen", "Fischer", "García", "Hughes",
    "Iversen", "Janssen", "Kowalski", "Lindqvist", "Müller", "Novak", "O'Brien", "Petit",
    "Richter", "Schäfer", "Taylor", "Urban", "Visser", "Weber", "Yilmaz", "Zieliński",
)  # fmt: skip
PLAIN = str.maketrans("áéëíńøöüä'", "aeeinooua-", "")
FREE_MAIL = ("gmail.com", "outlook.com", "gmx.net", "yahoo.com")

SENIORITY = ("C-level", "VP", "Head", "Manager", "Specialist", "Student")
DEPARTMENTS = ("Operations", "Marketing", "Sales", "IT", "Finance", "HR", "Purchasing")
TITLE_FORMS = (
    ("Chief {} Officer", "Managing Director, {}", "CEO"),
    ("VP {}", "Vice President {}", "VP {}"),
    ("Head of {}", "{} Director", "Head of {}"),
    ("{} Manager", "{} Team Lead", "Manager {}"),
    ("{} Specialist", "{} Analyst", "{} Assistant"),
    ("student", "Intern {}", "working student"),
)
TITLES = tuple(
    form.format(department) for forms in TITLE_FORMS for department in DEPARTMENTS for form in forms
)

PRODUCTS = ("CRM", "Analytics", "Support", "Integration", "Training")
PRODUCT_SETS = tuple(
    ";".join(name for bit, name in enumerate(PRODUCTS) if held >> bit & 1)
    for held in range(1, 2 ** len(PRODUCTS))
)
BUDGETS = ("< 5k", "5-20k", "20-50k", "50-100k", "> 100k")
TIMELINES = ("Now", "This quarter", "This year", "Next year", "Just looking")
FORMS = (
    "Demo request", "Pricing request", "Contact form", "Web chat", "Webinar registration",
    "Whitepaper", "Newsletter",
)  # fmt: skip
MESSAGE_KINDS = ("question", "price", "demo", "urgent", "replacing", "study")
MESSAGES = (
    "how does it work with our ERP?", "more information please", "is hosting in the EU possible?",
    "price list for 20 users", "what does it cost per month", "please send a quote",
    "would like to see a demo", "demo next week?", "can you show it to our team",
    "urgent, project starts soon", "please call back today", "need a solution this month",
    "our current contract ends soon", "replacing our old system", "unhappy with our vendor",
    "for my thesis", "university project", "only comparing for a course",
)  # fmt: skip
MESSAGES_A_KIND = len(MESSAGES) // len(MESSAGE_KINDS)
DEVICES = ("desktop", "mobile", "tablet")
YES_NO = ("Yes", "No")
TEAMS = ("Central", "West", "North")
OWNERS = (
    "a.keller", "b.wolf", "c.huber", "d.lang", "e.martin", "f.smit", "g.moore", "h.lopez",
    "i.berg", "j.nowak", "k.holm", "l.dahl",
)  # fmt: skip
OWNERS_A_TEAM = len(OWNERS) // len(TEAMS)
