"""Scripts: which steps are due when."""

from asyncfind.scp import script
from asyncfind.scp.script import Abort, Close, Delay, Finish, Moment, Script, Send, Stall, Step


def test_steps_of_a_moment_keep_their_order() -> None:
    plan = Script(
        (
            Step(Moment.QUERY, Delay(1)),
            Step(Moment.FINAL, Close()),
            Step(Moment.QUERY, Abort()),
        )
    )
    assert plan.actions(Moment.QUERY, 1) == (Delay(1), Abort())
    assert plan.actions(Moment.FINAL, 1) == (Close(),)
    assert plan.actions(Moment.RELEASE) == ()


def test_steps_may_be_of_one_query_alone() -> None:
    plan = Script((Step(Moment.QUERY, Stall(), query=2), Step(Moment.RESPONSE, Close(), 5, 3)))
    assert [bool(plan.actions(Moment.QUERY, query)) for query in (1, 2, 3)] == [False, True, False]
    assert [plan.stops(query) for query in (1, 2, 3)] == [[], [], [5]]


def test_responses_at_which_to_stop() -> None:
    plan = Script(
        (
            Step(Moment.RESPONSE, Close(), 9),
            Step(Moment.RESPONSE, Delay(0), 3),
            Step(Moment.RESPONSE, Delay(1), 3),
        )
    )
    assert plan.stops(1) == [3, 9]
    assert plan.actions(Moment.RESPONSE, 1, 3) == (Delay(0), Delay(1))
    assert plan.actions(Moment.RESPONSE, 1, 4) == ()


def test_before_the_first_response_is_when_the_query_comes() -> None:
    assert script.aborts_after(0).actions(Moment.QUERY, 1) == (Abort(),)
    assert script.aborts_after(2).actions(Moment.RESPONSE, 1, 2) == (Abort(),)
    assert script.cuts_at(2).actions(Moment.RESPONSE, 1, 2) == (Finish(0),)
    assert script.garbles_after(0, b"x").actions(Moment.QUERY, 1) == (Send(b"x"), Stall())


def test_every_association_may_have_the_same_script() -> None:
    scripts = script.always(script.GOOD)
    assert scripts(1) is scripts(2) is script.GOOD
