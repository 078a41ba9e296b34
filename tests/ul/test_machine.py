"""Table 9-10 against a second transcription of it, column by column (PS3.8 Section 9.2)."""

import pytest

from asyncfind.ul.machine import ACTIONS, NEXT_STATE, Action, Event, State

PEER_PDUS = (3, 4, 6, 10, 12, 13, 19)
"""Events that are PDUs, A-ABORT aside."""


def column(state: str) -> dict[int, str]:
    """The cells of one state: event number to action."""
    return {
        int(event.value[3:]): action.value
        for (at, event), action in ACTIONS.items()
        if at.value == state
    }


def aa_8_but(**cells: str) -> dict[int, str]:
    """A column of an association that is open or opening: AA-8 unless told otherwise."""
    usual = dict.fromkeys(PEER_PDUS, "AA-8")
    return (
        usual
        | {15: "AA-1", 16: "AA-3", 17: "AA-4"}
        | {int(event[3:]): action for event, action in cells.items()}
    )


@pytest.mark.parametrize(
    ("state", "cells"),
    [
        ("Sta1", {1: "AE-1", 5: "AE-5"}),
        (
            "Sta2",
            dict.fromkeys(PEER_PDUS, "AA-1") | {6: "AE-6", 16: "AA-2", 17: "AA-5", 18: "AA-2"},
        ),
        ("Sta3", aa_8_but(Evt7="AE-7", Evt8="AE-8")),
        ("Sta4", {2: "AE-2", 15: "AA-2", 17: "AA-4"}),
        ("Sta5", aa_8_but(Evt3="AE-3", Evt4="AE-4")),
        ("Sta6", aa_8_but(Evt9="DT-1", Evt10="DT-2", Evt11="AR-1", Evt12="AR-2")),
        ("Sta7", aa_8_but(Evt10="AR-6", Evt12="AR-8", Evt13="AR-3")),
        ("Sta8", aa_8_but(Evt9="AR-7", Evt14="AR-4")),
        ("Sta9", aa_8_but(Evt14="AR-9")),
        ("Sta10", aa_8_but(Evt13="AR-10")),
        ("Sta11", aa_8_but(Evt13="AR-3")),
        ("Sta12", aa_8_but(Evt14="AR-4")),
        (
            "Sta13",
            dict.fromkeys(PEER_PDUS, "AA-6")
            | {6: "AA-7", 16: "AA-2", 17: "AR-5", 18: "AA-2", 19: "AA-7"},
        ),
    ],
)
def test_columns(state: str, cells: dict[int, str]) -> None:
    assert column(state) == cells


def test_every_state_has_a_column() -> None:
    assert {state for state, _ in ACTIONS} == set(State)
    assert {event for _, event in ACTIONS} == set(Event)


def test_every_action_but_two_decides_the_next_state() -> None:
    assert set(NEXT_STATE) == set(Action) - {Action.AE_6, Action.AR_8}
    assert set(ACTIONS.values()) == set(Action)


@pytest.mark.parametrize(
    ("action", "state"),
    [
        ("AE-1", "Sta4"),
        ("AE-2", "Sta5"),
        ("AE-3", "Sta6"),
        ("AE-4", "Sta1"),
        ("AE-5", "Sta2"),
        ("AE-7", "Sta6"),
        ("AE-8", "Sta13"),
        ("DT-1", "Sta6"),
        ("DT-2", "Sta6"),
        ("AR-1", "Sta7"),
        ("AR-2", "Sta8"),
        ("AR-3", "Sta1"),
        ("AR-4", "Sta13"),
        ("AR-5", "Sta1"),
        ("AR-6", "Sta7"),
        ("AR-7", "Sta8"),
        ("AR-9", "Sta11"),
        ("AR-10", "Sta12"),
        ("AA-1", "Sta13"),
        ("AA-2", "Sta1"),
        ("AA-3", "Sta1"),
        ("AA-4", "Sta1"),
        ("AA-5", "Sta1"),
        ("AA-6", "Sta13"),
        ("AA-7", "Sta13"),
        ("AA-8", "Sta13"),
    ],
)
def test_next_states(action: str, state: str) -> None:
    assert NEXT_STATE[Action(action)].value == state


def test_states_say_what_they_mean() -> None:
    assert State.STA5.meaning == "awaiting A-ASSOCIATE-AC or A-ASSOCIATE-RJ"
