"""Scores in running text: which numbers a judge states as its score, and which are only mentioned.

A score is stated where a line is a number (`8`, `8/10`, `8 points`, `**8**`, `\\boxed{8}`, `[[8]]`, `8 (good)`), where
a label stands before it (`Score: 8`, `Score - 8`, `The score is 8.`), or where a sentence gives it (`I would give this
a 7 out of 10`). What is denied, hedged, quoted, a range or out of another number is not stated, and what looks like
a score without being stated makes doubtful whatever differs from it.

Knows text in plain form (reply.py: NFKC, ASCII digits) and the ends of a scale; no rubric, no JSON and no nonce.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

# ── Words ─────────────────────────────────────────────────────────────────────────────────────────

POINTS = (
    r"points?|pts?\.?|marks?|punkten?|punkte|punkt|pkt\.?|puntos?|pontos?|punti|punten|poeng|poäng|point|bod[ůya]?|bodov|"
    r"punktów|punkty|pont|puncte|балл(?:ов|а|ы)?|бал(?:ів|и)?|очк(?:ов|а|о)|точк[иа]|поена?|点|點|分|점|अंक|नम्बर|नंबर|"
    r"নম্বর|পয়েন্ট|புள்ளிகள்|மதிப்பெண்|పాయింట్లు|మార్కులు|نقاط|نقطة|درجات|درجة|امتیاز|نمره|نمبر|puan|điểm|คะแนน|"
    r"poin|alama|pistettä|נקודות|βαθμοί|βαθμούς|μονάδες|միավոր|ქულა"
)
OUT_OF = r"/|out of|of|von|de|sur|su|di|van|av|af|z|ze|din|из|з|от|από|trên|dari|از|من|מתוך|จาก"
WITH_MOST_FIRST = r"点?満点中|点中|分中|分满分得?|分滿分得?|中|점?\s?만점에|점?\s?만점 중|में से|এর মধ্যে|üzerinden"
SCORE = (
    r"score|rating|grade|marks?|points|verdict|assessment|evaluation|result|punktzahl|bewertung|wertung|note|"
    r"puntuaci[oó]n|puntaje|calificaci[oó]n|nota|pontuaç[aã]o|punteggio|voto|cijfer|beoordeling|poäng|betyg|ocena|wynik|"
    r"оценка|балл|评分|得分|分数|評分|分數|スコア|評価|得点|点数|점수|평가|स्कोर|अंक|النتيجة|التقييم|الدرجة|امتیاز|puan|điểm|skor|nilai"
)
GIVES = (
    r"gives?|giving|assign(?:s|ed)?|award(?:s|ed)?|rates?|scores?|grades?|deserves?|earns?|gets|receives?|merits?|"
    r"gebe|vergebe|bewerte|bekommt|verdient|donne|attribue|mérite|doy|daría|otorgo|merece|dou|daria|atribuo|darei|assegno|"
    r"merita|geef|verdient|ставлю|оцениваю|заслуживает"
)
HEDGES = re.compile(
    r"\b(?:not|no|never|nor|neither|without|cannot|\w+n['’]t|too|than|at least|at most|up to|under|over|above|below|"
    r"between|almost|nearly|around|about|approximately|roughly|maybe|perhaps|possibly|might|could|would have|if|unless|"
    r"but|however|instead|rather|either|or|except|until|beyond|minimum|maximum|max|min|range|was going to|"
    r"nicht|kein(?:e|en|er)?|zu|höchstens|mindestens|weniger|mehr|oder|wenn|falls|aber|fast|etwa|ungefähr|vielleicht|wäre|"
    r"pas|jamais|plus|moins|ou|mais|trop|presque|environ|peut-être|nunca|más|menos|pero|demasiado|casi|quizás?|"
    r"não|mais|mas|quase|talvez|non|più|meno|troppo|quasi|forse|niet|geen|meer|minder|bijna|maar|"
    r"не|нет|ни|или|если|но|больше|меньше|слишком|почти|около|nie|lub|albo|jeśli|więcej|mniej|değil|veya|eğer|ama|"
    r"không|hoặc|nếu|nhưng|quá|tidak|bukan|atau|jika|tapi|ليس|لا|لم|أو|لكن|إذا|نیست|یا|اگر)\b"
    r"|不|没|沒|未|非|或|但|如果|太|超过|低于|高于|大约|ない|ません|または|しかし|もし|以上|以下|未満|아니|않|또는|하지만|너무|"
    r"नहीं|(?<!\w)(?:न|या|लेकिन|अगर)(?!\w)|[<>≤≥≈~±?？]",
    re.IGNORECASE,
)
"""What denies a number, makes it a bound or a condition, or sets another next to it."""
HEDGED_END = re.compile(
    r"(?:\b(?:not|never|no|than|most|least|to|under|over|above|below|between|around|about|or|either|and|if|maybe|perhaps|"
    r"too \w+|would be|nicht|kein|als|höchstens|mindestens|oder|zu \w+|pas|ou|trop \w+|que|não|non|или|не|чем|"
    r"ليس|أو)|不是?|非|或|ない|않|नहीं|या|\?)\W*$",
    re.IGNORECASE,
)
"""How a label ends that denies its number; further ahead such a word is about the answer: `It is not a dog: 0`."""
OTHERS = re.compile(
    r"\W*(?:(?:the|a|this|model|correct|right|number of|total)\s+)*(?:reference|ground truth|prediction|questions?|"
    r"scale|maximum|max|minimum|min|highest|lowest|best|options?|items?|year|count|step|confidence|example|attempt|facts?|"
    r"number)(?:\s+(?:answer|score|rating|number|possible))*\W*",
    re.IGNORECASE,
)
"""Labels of numbers that are no score."""

# ── Patterns ──────────────────────────────────────────────────────────────────────────────────────

NUMBER = r"[-+]?\d+(?:[.,\u066b]\d+)?(?![\d.,\u066b]*\d)"
UNIT = rf"(?:\s?(?:{POINTS})(?!\w))?"
OPEN, CLOSE = r"[\"'“”«(\[]{0,2}\s?", r"\s?[\"'“”»)\]]{0,2}"
SHARE = rf"{OPEN}(?P<score>{NUMBER}){CLOSE}{UNIT}\s*(?:{OUT_OF})\s*(?P<most>{NUMBER}){UNIT}{CLOSE}"
TURNED = rf"(?P<most_first>\d+)\s?(?:{POINTS})?\s?(?:{WITH_MOST_FIRST})\s?(?P<score_last>{NUMBER}){UNIT}"
ALONE = rf"{OPEN}(?P<alone>{NUMBER}){CLOSE}{UNIT}{CLOSE}(?:\s?\([^()\d]{{0,20}}(?P<behind>\d+)[^()\d]{{0,10}}\))?"
AMOUNT = rf"(?:{SHARE}|{TURNED}|{ALONE})"
REMARK = (
    r"(?P<remark>\s?\([^()\d]{1,100}\)|\s?[,;:–—]\s?[^\d]{1,200}|\s-\s[^\d]{1,200}|\s(?:because|since)\s[^\d]{1,200})?"
)
WHOSE = r"(?:(?:so|thus|therefore|hence|my|the|a|an|your|this|final|overall|total|single|numeric(?:al)?|\w+)[ ,]+){0,4}"
FOR = r"(?: (?:for|of) (?:this|the|that) (?:\w+ ){0,2}\w+)?"
LABEL = r"(?P<label>[^\d\n:=]{1,40})[:=]\s*"
IS = r"(?:\s+(?:is|was|of|would be|ist|es|est|è|é)\s+|\s+[-–—]+>?\s+|\s*[-–—=]>\s*|\s+)"
NAMED = rf"(?P<named>{WHOSE}(?:{SCORE}){FOR}){IS}"
END = r"\s?[.。!]?"
LINE = re.compile(rf"(?:{LABEL}|{NAMED})?{AMOUNT}{REMARK}{END}", re.IGNORECASE)
SENTENCE = re.compile(
    rf".*?\b(?:{GIVES})\b[^\d.!?;:\n]{{0,60}}?{AMOUNT}(?:\s(?:for|because|since)\s[^\d]{{1,200}})?{END}", re.IGNORECASE
)
LAST = re.compile(rf"[^\d]{{1,200}}[,:–—]\s?{SHARE}{END}", re.IGNORECASE)
MENTIONED = re.compile(rf"(?<![\d.,/])({NUMBER})\s*(?:/|out of)\s*({NUMBER})(?!\s*/)", re.IGNORECASE)
BOXED = re.compile(r"\\boxed\s*\{\s*(?:\\(?:text|mathbf|mathrm)\s*\{)?([^{}]{1,40})\}?\s*\}|\[\[([^\[\]]{1,40})\]\]")
TAGGED = re.compile(r"<(score|rating|grade|answer|result|final)>\s*([^<>]{1,40}?)\s*</\1>", re.IGNORECASE)
EMPHASIS = re.compile(r"(?<!\d)\*+|\*+(?!\d)|__+|`+|\$+|\\[()\[\]]")
BREAK = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])")
DECORATION = "_# \t\r\n\"'“”«»"
LONGEST_LINE = 2000
"""A longer line is an argument, and states nothing."""


@dataclass(slots=True)
class Said:
    """`stated` as the judge's score, and `doubtful`: of the form of a score, without being stated. NaN: of another
    scale."""

    stated: list[float] = field(default_factory=list)
    doubtful: list[float] = field(default_factory=list)

    @property
    def all(self) -> list[float]:
        """Every number that has to agree; none where nothing is stated."""
        return [*self.stated, *self.doubtful] if self.stated else []


def scores_said(text: str, highest: float) -> Said:
    """The scores in `text`, on a scale that ends with `highest`."""
    said = Said()
    for line in _undecorated(text).splitlines():
        if len(line) <= LONGEST_LINE:
            _read_line(line, highest, said)
    return said


def amount(text: str, highest: float) -> float | None:
    """The score that `text` is (`4`, `4/5`, `4 points`, `4 (good)`), NaN where it is out of another number; None where
    it is none."""
    line = _bare(_undecorated(text))
    match = LINE.fullmatch(line) if len(line) <= LONGEST_LINE else None
    if match is None or match["label"] or match["named"] or HEDGES.search(match["remark"] or ""):
        return None
    return _value(match, highest)


def _undecorated(text: str) -> str:
    """`text` without emphasis and formula marks; what is boxed or tagged as a result is a line of its own."""
    boxed = BOXED.sub(lambda match: f"{match[1] or match[2]}", text)
    tagged = TAGGED.sub(lambda match: f"\n{match[1]}: {match[2]}\n", boxed)
    return EMPHASIS.sub("", tagged)


def _bare(line: str) -> str:
    """`line` without quotes, headings and the one pair of brackets around it."""
    plain = line.strip(DECORATION)
    while plain[:1] + plain[-1:] in ("()", "[]"):
        plain = plain[1:-1].strip(DECORATION)
    return plain


def _read_line(line: str, highest: float, said: Said) -> None:
    """Add what a line says."""
    plain = _bare(line)
    quoted = plain.startswith(">")
    plain = _bare(plain.lstrip("> "))
    match = LINE.fullmatch(plain)
    if match is None:
        for sentence in BREAK.split(plain):
            _read_sentence(sentence, highest, said, quoted=quoted)
    elif not OTHERS.fullmatch(_label(match)):
        (said.doubtful if quoted or _hedged(match) else said.stated).append(_value(match, highest))


def _read_sentence(sentence: str, highest: float, said: Said, *, quoted: bool) -> None:
    """Add what a sentence within a line says; a bare number is none there."""
    match = LINE.fullmatch(_bare(sentence))
    if match is not None and (_label(match) or match["alone"] is None):
        hedged = _hedged(match)
        if OTHERS.fullmatch(_label(match)):
            return
    else:
        match = SENTENCE.fullmatch(sentence) or LAST.fullmatch(sentence)
        hedged = HEDGES.search(sentence) is not None
    if match is not None and not hedged and not quoted:
        said.stated.append(_value(match, highest))
    else:
        said.doubtful += _mentioned(sentence, highest)


def _label(match: re.Match[str]) -> str:
    return match["label"] or match["named"] or ""


def _hedged(match: re.Match[str]) -> bool:
    """Whether what stands around the number of a LINE takes it back."""
    remark = HEDGES.search(f"{match['named'] or ''} {match['remark'] or ''}")
    return remark is not None or HEDGED_END.search(match["label"] or "") is not None


def _mentioned(sentence: str, highest: float) -> Iterator[float]:
    """Every `8/10` in a sentence that is out of the scale's end."""
    for match in MENTIONED.finditer(sentence):
        if _float(match[2]) == highest:
            yield _float(match[1])


def _value(match: re.Match[str], highest: float) -> float:
    """The number of a match, NaN where what it is out of is not the scale's end."""
    named = match.groupdict()
    most = named.get("most") or named.get("most_first") or named.get("behind")
    if most is not None and _float(most) != highest:
        return math.nan
    return _float(named.get("score") or named.get("score_last") or named["alone"])


def _float(text: str) -> float:
    """A number as it is written; NaN for `1,000`, which is a thousand to some and one to others."""
    if re.fullmatch(r"[-+]?\d+[,\u066b]\d{3}", text):
        return math.nan
    return float(text.replace(",", ".").replace("\u066b", "."))
