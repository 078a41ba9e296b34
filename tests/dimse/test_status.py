"""Status codes: category, words and advice."""

import pytest

from asyncfind.dimse.status import Category, describe

STUDY_ROOT = "1.2.840.10008.5.1.4.1.2.2.1"
WORKLIST = "1.2.840.10008.5.1.4.31"
UPS_PULL = "1.2.840.10008.5.1.4.34.6.3"
RELEVANT_BREAST = "1.2.840.10008.5.1.4.37.2"
REPOSITORY = "1.2.840.10008.5.1.4.1.1.201.6"


@pytest.mark.parametrize(
    ("code", "category", "meaning"),
    [
        (0x0000, Category.SUCCESS, "success"),
        (0x0001, Category.WARNING, "requested optional attributes are not supported"),
        (0x0105, Category.FAILURE, "no such attribute"),
        (0x0106, Category.FAILURE, "invalid attribute value"),
        (0x0107, Category.WARNING, "attribute list error"),
        (0x0110, Category.FAILURE, "processing failure"),
        (0x0111, Category.FAILURE, "duplicate SOP instance"),
        (0x0112, Category.FAILURE, "no such SOP instance"),
        (0x0113, Category.FAILURE, "no such event type"),
        (0x0114, Category.FAILURE, "no such argument"),
        (0x0115, Category.FAILURE, "invalid argument value"),
        (0x0116, Category.WARNING, "attribute value out of range"),
        (0x0117, Category.FAILURE, "invalid SOP instance"),
        (0x0118, Category.FAILURE, "no such SOP class"),
        (0x0119, Category.FAILURE, "class-instance conflict"),
        (0x0120, Category.FAILURE, "missing attribute"),
        (0x0121, Category.FAILURE, "missing attribute value"),
        (0x0122, Category.FAILURE, "refused: SOP class not supported"),
        (0x0123, Category.FAILURE, "no such action"),
        (0x0124, Category.FAILURE, "refused: not authorized"),
        (0x01FF, Category.FAILURE, "failed, by a code that the standard does not list"),
        (0x0210, Category.FAILURE, "duplicate invocation"),
        (0x0211, Category.FAILURE, "unrecognized operation"),
        (0x0212, Category.FAILURE, "mistyped argument"),
        (0x0213, Category.FAILURE, "resource limitation"),
        (0x02FF, Category.FAILURE, "failed, by a code that the standard does not list"),
        (0x0300, Category.FAILURE, "unknown status"),
        (0x8000, Category.FAILURE, "unknown status"),
        (0xA700, Category.FAILURE, "refused: out of resources"),
        (0xA701, Category.FAILURE, "refused: out of resources"),
        (0xA710, Category.FAILURE, "refused: out of resources"),
        (0xA900, Category.FAILURE, "identifier does not match SOP class"),
        (0xA9FF, Category.FAILURE, "identifier does not match SOP class"),
        (0xAA00, Category.FAILURE, "refused or failed, by a code that the standard does not list"),
        (0xAA01, Category.FAILURE, "refused or failed, by a code that the standard does not list"),
        (0xB001, Category.WARNING, "warning, by a code that the standard does not list"),
        (0xBFFF, Category.WARNING, "warning, by a code that the standard does not list"),
        (0xC000, Category.FAILURE, "failed: unable to process"),
        (0xC100, Category.FAILURE, "failed: unable to process"),
        (0xCFFF, Category.FAILURE, "failed: unable to process"),
        (0xD000, Category.FAILURE, "unknown status"),
        (0xFE00, Category.CANCEL, "matching terminated by a cancel request"),
        (0xFE01, Category.FAILURE, "unknown status"),
        (0xFF00, Category.PENDING, "matches are continuing"),
        (
            0xFF01,
            Category.PENDING,
            "matches are continuing; optional keys are not supported for existence or matching",
        ),
        (0xFF02, Category.FAILURE, "unknown status"),
        (0xFFFF, Category.FAILURE, "unknown status"),
    ],
)
def test_a_code_has_category_and_meaning(code: int, category: Category, meaning: str) -> None:
    for sop_class in ("", STUDY_ROOT):
        status = describe(code, sop_class)
        assert (status.code, status.category, status.meaning) == (code, category, meaning)


@pytest.mark.parametrize(
    ("sop_class", "code", "category", "meaning"),
    [
        (
            REPOSITORY,
            0xB001,
            Category.PENDING,
            "matching reached the response limit; there may be more matches",
        ),
        (REPOSITORY, 0xA710, Category.FAILURE, "invalid prior record key"),
        (REPOSITORY, 0xA700, Category.FAILURE, "refused: out of resources"),
        (
            REPOSITORY,
            0xB002,
            Category.WARNING,
            "warning, by a code that the standard does not list",
        ),
        (RELEVANT_BREAST, 0xC100, Category.FAILURE, "more than one match found"),
        (RELEVANT_BREAST, 0xC200, Category.FAILURE, "unable to support requested template"),
        (RELEVANT_BREAST, 0xC000, Category.FAILURE, "failed: unable to process"),
        (
            WORKLIST,
            0xFF01,
            Category.PENDING,
            "matches are continuing; optional keys are not supported for existence",
        ),
        (
            UPS_PULL,
            0xFF01,
            Category.PENDING,
            "matches are continuing; optional keys are not supported for existence",
        ),
        (WORKLIST, 0xFF00, Category.PENDING, "matches are continuing"),
    ],
)
def test_some_sop_classes_have_codes_of_their_own(
    sop_class: str, code: int, category: Category, meaning: str
) -> None:
    assert describe(code, sop_class)[:3] == (code, category, meaning)


def test_success_is_0000_alone() -> None:
    successes = [code for code in range(0x10000) if describe(code).category is Category.SUCCESS]
    assert successes == [0]


@pytest.mark.parametrize("sop_class", ["", REPOSITORY, RELEVANT_BREAST, WORKLIST])
def test_every_failure_and_warning_comes_with_one_sentence_of_advice(sop_class: str) -> None:
    for code in range(0x10000):
        status = describe(code, sop_class)
        assert status.meaning
        if status.category in (Category.FAILURE, Category.WARNING):
            assert status.advice.endswith(".")
            assert "\n" not in status.advice
