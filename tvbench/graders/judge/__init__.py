"""LLM judges: open answers graded by a model, and the judge itself checked on items whose truth is known.

    rubric.py       the prompt files: scale, templates, form of the reply
    cases.py        which answers of a run are shown to a judge, and the request for each
    reply.py        what a judge's reply says; a refusal or an unreadable reply is no score
    said.py         which numbers running text states as a score
    spend.py        tokens and money, before and after
    sent.py         what was handed to the engine, so that a call under way at a kill is counted
    session.py      asks: through the runner and a store of its own, so cache, resume and retries are those of any run
    record.py       what a judge has said of a run, read back from RUN/judges/
    planted.py      open answers of known worth that are put to a judge among the others; alterations.py alters them
    looseness.py    what it makes of them, and where it is loose
    calibration.py  agreement with exact items, kappa, bias; two judges side by side; the bias carried over

A judge is an engine like any other. Nothing here knows which.
"""
