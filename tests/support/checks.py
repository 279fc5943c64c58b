"""Checks as a gate would hand them over: failed, passed, not to be told, hostile, huge."""

from __future__ import annotations

from dataclasses import replace

from tvbench.analysis.regression.verdict import MEAN, Absent, Changed, Check, Compared, Flip, Rise

FRACTION = {"label": "aligned", "unit": "fraction", "better": "higher"}
EVIL = (
    "@octocat <img src=x onerror=alert(1)>|`a``b`\\| [x](javascript:y) ![p](http://h/p.png) #12 GH-3 www.evil.org "
    "https://evil.org *b* _i_ ~s~ $m$ :smile: <!-- --> --> &amp; &#64;a </code></details>\n## head\n| a | b |\r\n"
    "::error::x\n##[set-env name=A]b%0A::stop-commands::t, a:b=c ]]> "
    "\x1b[2J\x00\x08\ufffe\uffff\ud83d\u202e\u2066abc\x85"
)
RTL = "ما لون القطة؟ מה"


def compared(**fields: object) -> Compared:
    made = Compared("alm", "hi", "aligned", "pass", 0.7, 0.71, 0.01, 0.01, -0.02, 0.04, 0.6, 532, 300, facts=FRACTION)
    return replace(made, **fields)  # type: ignore[arg-type] # fields by name


FELL = compared(
    outcome="fail",
    before=0.724,
    after=0.661,
    change=-0.063,
    low=-0.09,
    high=-0.036,
    p=0.0002,
    fell=88,
    rose=12,
    flips=(Flip("hi-7", "hi", 1.0, 0.0, "लाल", "नीला"), Flip("hi-9", "hi", 1.0, 0.0, "no")),
)
UNTOLD = compared(
    language="cs",
    outcome="cannot tell",
    change=-0.03,
    low=-0.09,
    high=0.03,
    p=0.2,
    items=120,
    needed=900,
    detectable=0.041,
)
FAILED = Check(
    "fail",
    "new",
    "results/baselines/main.json",
    comparisons=(FELL, compared(language="de"), UNTOLD, compared(language=MEAN, change=-0.02)),
    rises=(
        Rise("alm", "ar", "wrong_language", "fail", 10, 500, 155, 500, 0.0001),
        Rise("alm", "de", "truncated", "pass", 1, 500, 2, 500, 0.9),
    ),
    absent=(Absent("vimul"), Absent("alm", "fr"), Absent("alm", "ru", 3)),
    changed=(Changed("alm", "protocol", "tvbench", "paper", True), Changed("alm", "model", "abc12", "def34", False)),
    notes=("drops below 4.1 points in Czech could not have been seen",),
    next=("tvbench explain new --languages hi",),
    models=("abc12", "def34"),
)
PASSED = Check("pass", "new", "main.json", comparisons=(compared(), compared(language="de")), models=("a", "a"))
CANNOT_TELL = Check("cannot tell", "new", "main.json", comparisons=(compared(), UNTOLD))
STRICT = replace(CANNOT_TELL, strict=True)
HOSTILE = Check(
    "fail",
    EVIL,
    EVIL,
    comparisons=(
        compared(
            task=EVIL,
            language=EVIL,
            metric=EVIL,
            outcome="fail",
            change=-0.5,
            why=EVIL,
            flips=(Flip(EVIL, EVIL, 1.0, 0.0, EVIL * 50, EVIL), Flip(RTL, "ar", 1.0, 0.0, RTL, RTL)),
            facts={"label": EVIL, "unit": EVIL},
        ),
        compared(task=EVIL, outcome="cannot tell", why=EVIL),
        compared(task=EVIL, why=EVIL),
    ),
    rises=(Rise(EVIL, EVIL, EVIL, "fail", 0, 0, 0, 0, 0.0), Rise(EVIL, "de", EVIL, "cannot tell", 0, 5, 1, 5)),
    absent=(Absent(EVIL), Absent(EVIL, EVIL), Absent("", "")),
    changed=(Changed(EVIL, EVIL, EVIL, EVIL, True), Changed(EVIL, EVIL, EVIL, EVIL, False)),
    notes=(EVIL,),
    next=(EVIL,),
    models=(EVIL, RTL),
)


def huge(number: int) -> Check:
    """As many failures, and as many of everything else, with long hostile names."""
    some = [
        replace(HOSTILE.comparisons[0], task=f"{at} {EVIL}", language=f"l{at}", change=-at / number)
        for at in range(number)
    ]
    return replace(HOSTILE, comparisons=(*some, *(replace(one, outcome="pass") for one in some)))
