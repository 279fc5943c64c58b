"""Why answers lose points: what can be seen of each answer, and how much of a score each reason explains.

    item + answer ──answers──▶ causes ──loss──▶ shares of the loss
                  ──language_check──▶ wrong language, less its false alarms
                  ──position──▶ position bias, ceilings

Knows types and scorers; no run folder, no engine and no report. Causes are signs read off the text: they say what an
answer looks like, not what went on in the model.
"""
