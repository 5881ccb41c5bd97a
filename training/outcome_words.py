"""The words that exports use for outcomes, and for the columns that hold the roles of a lead.

Lists of what firms write, in the languages met most; `init` proposes by them and a human decides.
"""

from __future__ import annotations

import re

from features.agreement import Disposition
from features.cells import key_of

# Read in this order: the first that fits gives the disposition.
_MEANINGS: tuple[tuple[Disposition, str], ...] = (
    ("lost", r"(closed?\W*)?lost|verloren|perdu|perdid[ao]"),
    (
        "in_contract",
        r"(in|under|has|have|existing|bound|competitor\W*s?)\W*(a\W*)?contract"
        r"|(with|at|by|uses?|has) (a )?competitor"
        r"|vertragsgebunden|bestandsvertrag|sous contrat|con contrato",
    ),
    (
        "unreachable",
        r"no (answer|response|reply|contact)|not (answered|reached|reachable)|unreachable"
        r"|voice\W?mail|ringing|switched off|bounced|wrong number"
        r"|invalid (number|e-?mail)|bad (data|number)"
        r"|nicht erreicht|unerreichbar|injoignable|sin respuesta",
    ),
    (
        "not_ready",
        r"not (yet )?(ready|now)|nurtur|later|postpone|on hold|recycle|future|no budget|delayed"
        r"|follow|bad timing|call back|callback|spater|später|zuruckgestellt"
        r"|pas encore|plus tard|aplazad",
    ),
    (
        "unqualified",
        r"disqual|unqual|not qual|not (a )?(fit|relevant|interested)|no (fit|interest)|spam"
        r"|junk|duplicate|fake|invalid|rejected lead|unqualifiziert|ungeeignet"
        r"|kein interesse|non qualifi|no cualificad",
    ),
    (
        "lost",
        r"loss|lose|dead|declined?|rejected?|cancel|fail|churn|no sale|not (converted|won|sold)"
        r"|not bought|closed\W*no|unsuccess|abandon|no deal|abgelehnt|absage|perso|perdita|perdeu"
        r"|verlies|niet gewonnen|nicht gewonnen"
        r"|stracon|przegran",
    ),
    (
        "won",
        r"won|win|converted|customer|client|sold|sale|success|bought|purchase|subscribed|enrol+ed"
        r"|signed|accepted|closed\W*(yes|deal)|deal|order|paid|gewonnen|kunde|abgeschlossen|verkauft"
        r"|gagn|vendu|client|ganad|cerrad|vinto|ganho|gewonnen|klant|wygran|sprzedan",
    ),
    (
        "open",
        r"open|new|working|progress|pending|engag|prospect|contacted|qualif|assigned|in work|stage"
        r"|negotiat|proposal|demo|meeting|attempt|active|offen|neu|bearbeit|en cours|nouveau"
        r"|abiert|nuev|apert|aberto|novo|nieuw|lopend",
    ),
)
# Words that the list above would misread when they stand for a step on the way.
_STEPS = re.compile(
    r"(?i)proposal|negotiat|in progress|working|pending|qualified|accepted (by|lead)|"
    r"sales accepted|prospect|engaging"
)
_YES = frozenset(
    [
        "1",
        "yes",
        "y",
        "true",
        "t",
        "won",
        "success",
        "positive",
        "ja",
        "j",
        "oui",
        "o",
        "si",
        "sí",
        "s",
        "sim",
        "vero",
        "da",
        "tak",
    ]
)
_NO = frozenset(
    [
        "0",
        "no",
        "n",
        "false",
        "f",
        "lost",
        "failure",
        "negative",
        "nein",
        "non",
        "não",
        "nao",
        "falso",
        "nie",
        "-1",
    ]
)

OUTCOME_NAMES = (
    r"(is\W?)?(won|converted|conversion|convert)$",
    r"(lead|deal|opportunity|sales?|closed?|final)?\W?(outcome|disposition|result)$",
    r"(deal|opportunity|sales?|pipeline|opp)\W?(stage|status)$",
    r"(lead\W?)?(status|stage)$",
    r"(purchased?|subscribed|subscription|bought|sold|sale|order(ed)?|enrol+ed|responded|response|win|success)$",
    r"(target|label|y|class|churn|is_customer|customer)$",
    r"(ergebnis|abschluss|gewonnen|statut|r[ée]sultat|resultado|estado|esito|stato|etapa)$",
)
CREATED_NAMES = (
    r"(lead\W?)?(created?|creation)(\W?(at|on|date|time|datetime|timestamp))*$",
    r"(date\W?)?(created|received|entered|submitted|registered|inquiry|enquiry|engaged?|opened)(\W?(at|on|date|time))*$",
    r"(date|time|timestamp|datetime|lead\W?date|engage\W?date|first\W?(seen|touch|contact)\W?(at|date)?)$",
    r"(erstellt|angelegt|eingang|anlage|fecha|date|data|datum)(\W?\w*)*$",
)
CLOSED_NAMES = (
    r"(close|closed|closing)(\W?(at|on|date|time|datetime|timestamp))*$",
    r"(date\W?)?(closed|won|converted|conversion|decided|outcome|decision|resolved|ended)(\W?(at|on|date|time))*$",
    r"(abgeschlossen|abschluss|geschlossen|cierre|cl[oô]ture|chiusura)(\W?\w*)*$",
)
ID_NAMES = (
    r"(lead|prospect|contact|opportunity|deal|record|customer|client|account|ad)?\W?(id|uuid|guid|key)$",
    r".*\W?id$",
    r"(lead|prospect|opportunity|deal|record)?\W?(number|no|nr|nummer|num)$",
)
SERIAL_NAMES = (r".*(number|serial|sequence|seq|nummer|num|no|nr)$",)
CAMPAIGN_NAMES = (r".*campaign.*", r".*(kampagne|campagne|campa[nñ]a|campanha).*")
SOURCE_NAMES = (
    r"(lead\W?|original\W?|traffic\W?)?(source|channel|medium|origin)$",
    r".*(source|channel|quelle|kanal|fuente|canal|origen).*",
)
VALUE_NAMES = (
    r"(deal|opportunity|close|order|contract|sale|sales)\W?(value|amount|revenue|size|price)$",
    r"(amount|value|revenue|betrag|umsatz|auftragswert|importe|montant|valor)$",
)
PERSONAL_NAMES = re.compile(
    r"(?i)^((first|last|full|given|family|sur|middle|contact|customer|client|lead|person)\W?name|name"
    r"|vorname|nachname|surname|prenom|prénom|nom|nombre|apellidos?|cognome|nome"
    r"|(street|home|postal|billing)?\W?address(\W?\d)?|street|strasse|straße|adresse|direcci[oó]n"
    r"|(date\W?of\W?birth|birth\W?(date|day)|dob|geburtsdatum)|ssn|iban|passport|ip(\W?address)?"
    r"|linkedin(\W?\w+)*|twitter|facebook(\W?(url|profile))?|skype)$"
)
PROTECTED_NAMES = re.compile(
    r"(?i)(^|[\W_])(religion|ethnic\w*|race|disabilit\w*|health|sexual\w*|politic\w*|union|caste)($|[\W_])"
)


def meaning_of(value: str) -> Disposition | None:
    """Return the disposition that an outcome value most likely means, or None."""
    key = key_of(value)
    if key in _YES:
        return "won"
    if key in _NO:
        return "lost"
    if _STEPS.search(key):
        return "unqualified" if re.search(r"(dis|un|not )\W?qual", key) else "open"
    for disposition, words in _MEANINGS:
        if re.search(rf"(?i)\b({words})", key):
            return disposition
    return None


def name_rank(name: str, patterns: tuple[str, ...]) -> int | None:
    """Return which of the patterns, best first, a column's name fits; None if it fits none."""
    spoken = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).replace("_", " ").strip()
    for rank, pattern in enumerate(patterns):
        if re.fullmatch(pattern.removesuffix("$"), spoken, re.IGNORECASE):
            return rank
    return None
