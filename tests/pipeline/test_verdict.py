"""The one statement of a report: what it says, and what it must not claim."""

import math

import pytest

from reelprior.pipeline.comparison import Blind, Comparison, Scores
from reelprior.pipeline.verdict import give_verdict


def against_reference(before, baseline, after, *, ssim=(0.5, 0.7, 0.8)):
    scores = [
        Scores(psnr, similarity, 1.0)
        for psnr, similarity in zip((before, baseline, after), ssim, strict=True)
    ]
    return Comparison((), (), before=scores[0], baseline=scores[1], after=scores[2])


def by_symptoms(after, baseline):
    blind = {
        "before": Blind(20.0, 9.0, 20.0, math.nan, math.nan),
        "after": Blind(1.0, *after),
        "baseline": Blind(2.0, *baseline),
    }
    return Comparison((), (), blind=blind)


@pytest.mark.parametrize(
    ("scores", "kind", "words"),
    [
        ((20.0, 28.0, 31.5), "better", ["11.50 dB nearer", "3.50 dB nearer than a cheap filter"]),
        ((20.0, 28.0, 28.05), "no better", ["no better than a cheap filter", "28.05 dB", "28.00 dB"]),
        ((20.0, 28.0, 25.0), "no better", ["no better than a cheap filter"]),
        ((30.0, 28.0, 29.0), "worse", ["no nearer to the reference than the source", "Keep the source"]),
        ((30.0, 28.0, 30.0), "worse", ["Keep the source"]),
        ((math.inf, 28.0, math.inf), "worse", ["exact after, exact before"]),
    ],
)
def test_against_a_reference_the_statement_is_the_psnr(scores, kind, words):
    verdict = give_verdict(against_reference(*scores))
    assert verdict.kind == kind
    assert all(word in verdict.statement for word in words)


def test_a_cheap_filter_of_higher_ssim_is_mentioned():
    verdict = give_verdict(against_reference(20.0, 28.0, 31.5, ssim=(0.5, 0.9, 0.8)))
    assert verdict.kind == "better"
    assert "The cheap filter's SSIM is higher, though: 0.9000 against 0.8000" in verdict.statement


@pytest.mark.parametrize(
    ("after", "baseline", "kind", "words"),
    [
        (
            (1.0,) * 4,
            (2.0,) * 4,
            "better",
            "less flicker and misfit between what was removed and the noise and struc",
        ),
        ((1.0, 1.0, 1.0, 3.0), (2.0,) * 4, "mixed", "but more repetition in what was removed"),
        ((2.0,) * 4, (2.0,) * 4, "no better", "By none of the symptoms"),
        ((3.0, 2.0, 2.0, 2.0), (2.0,) * 4, "no better", "and worse by flicker"),
        ((1.99, 2.0, 2.0, 2.0), (2.0,) * 4, "no better", "By none of the symptoms"),
        ((1.0, math.nan, math.nan, 2.0), (2.0, math.nan, 2.0, 2.0), "better", "less flicker, and no more"),
    ],
)
def test_without_a_reference_symptoms_are_compared_and_truth_is_not_claimed(after, baseline, kind, words):
    verdict = give_verdict(by_symptoms(after, baseline))
    assert verdict.kind == kind
    assert words in verdict.statement
    assert verdict.statement.startswith(
        "There is no reference, so nobody can tell which is nearer to the truth."
    )


def test_with_nothing_to_compare_with_the_pictures_have_to_be_looked_at():
    verdict = give_verdict(Comparison((), ()))
    assert verdict.kind == "unknown"
    assert "Look at the pictures" in verdict.statement
