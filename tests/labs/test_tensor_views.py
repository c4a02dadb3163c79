"""What the chapter on third-order steps says of its pictures."""

import numpy as np
import pytest

from secondorder.labs.views import tensor as views


def test_the_constant_of_the_function_in_the_picture_is_a_bound():
    problem, x, step = views.two_slopes(), np.linspace(-9.0, 11.0, 400), 1e-4
    third = [problem.third(np.asarray([z]), np.ones(1))[0] for z in x]
    ahead = [problem.third(np.asarray([z + step]), np.ones(1))[0] for z in x]
    slopes = np.abs(np.subtract(ahead, third)) / step
    assert 0.9 * views.L3 <= slopes.max() <= views.L3 * (1.0 + 1e-4)


@pytest.mark.parametrize("point", views.POINTS)
@pytest.mark.parametrize("factor", [3.0, 6.0, 100.0])
def test_a_model_with_a_valid_constant_is_said_to_lie_above(point, factor):
    assert "lies above f everywhere" in views.third_order_models(point=point, factor=factor).sentence


def test_a_constant_too_small_is_said_to_fall_below():
    assert "falls below f" in views.third_order_models(point=1.5, factor=0.1).sentence


def test_the_residuals_end_where_the_rule_holds():
    model, sixth = views.inner_residuals(views.two_slopes(), np.asarray([1.5]), 6.0 * views.L3)
    assert np.all(model[:-1] > sixth[:-1]) and model[-1] <= sixth[-1] and len(model) == 3


def test_on_the_chain_the_proven_weights_come_last_and_searched_ones_win():
    case, ends = "chain, d = 10", {}
    problem, _ = views.case_problem(case)
    for name in views.SETTINGS:
        history = views.tensor_run(views.accelerated_tensor_method, name, case, True)
        ends[name] = views._until(history, problem, "steps")
    assert ends["default"] <= ends["searched weights"] < ends["plain"] < ends["proven weights"] == np.inf


def test_every_control_changes_the_sentence_and_the_picture():
    sentences = {
        views.third_order_runs(case=case, constant=constant, across=across).sentence
        for case in views.CASES[:1]
        for constant in views.CONSTANTS
        for across in ("steps", "gradient-equivalents")
    }
    assert len(sentences) == 4
