"""Problems by name, as the command line asks for them."""

import numpy as np
import pytest

import secondorder as so


@pytest.mark.parametrize("name", so.problems.names())
def test_every_name_is_a_problem_that_offers_everything(name):
    problem = so.problems.get(name)
    assert isinstance(problem, so.Problem) and problem.name == name and problem.x0 is not None
    if name.startswith("score_network"):
        assert problem.oracles == ("score", "score_hessian") and problem.fresh
        return
    smooth = {"f", "grad", "hvp"} if name.startswith("matrix_completion") else {"f", "grad", "hess", "hvp"}
    assert smooth <= set(problem.oracles) and problem.fresh
    assert np.isfinite(problem.f(problem.x0))


def test_every_factory_is_exported_and_named():
    factories = set(so.problems.__all__) - {"denoising", "get", "least_squares", "names", "test_functions"}
    assert factories == {name.partition(":")[0] for name in so.problems.names()} - {"test"}
    assert set(so.problems.test_functions()) == {name[5:] for name in so.problems.names() if name.startswith("test:")}


def test_options_go_to_the_factory():
    assert so.problems.get("quadratic", spectrum=[1.0, 2.0, 3.0]).x0.shape == (3,)
    assert so.problems.get("logistic:breast_cancer", l2=0.5).l2 == 0.5
    assert so.problems.get("test:broyden_banded", d=7).x0.shape == (7,)
    np.testing.assert_array_equal(so.problems.get("nist:DanWood", start=2).x0, [0.7, 4.0])
    with pytest.raises(ValueError, match="chain has no option 'q'; it takes d, p"):
        so.problems.get("chain", q=3)


def test_a_path_is_a_name(tmp_path):
    path = tmp_path / "tiny.libsvm"
    path.write_text("1 1:0.5\n2 1:1\n")
    for model in ("logistic", "softmax"):
        assert so.problems.get(f"{model}:{path}").name == f"{model}:tiny.libsvm"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("rosenbrok", r"unknown problem 'rosenbrok' \(did you mean 'rosenbrock'\?\); known: quadratic, .*softmax:PATH"),
        ("logistic", "logistic needs data, as in logistic:breast_cancer or logistic:PATH"),
        ("softmax:", "softmax needs data"),
        ("softmax:digit", r"unknown data set 'digit' \(did you mean 'digits'\?\)"),
        ("test:woood", r"unknown test function 'woood' \(did you mean 'wood'\?\); known: rosenbrock, .*chebyquad"),
        ("test", "unknown test function ''"),
        ("nist:Mirsa1a", r"unknown fit 'Mirsa1a' \(did you mean 'Misra1a'\?\); known: Misra1a, .*Bennett5"),
        ("saddle:wine", "saddle takes no data; got 'saddle:wine'"),
        ("", "unknown problem ''"),
        (None, "unknown problem None"),
    ],
)
def test_unknown_names(name, message):
    with pytest.raises(ValueError, match=message):
        so.problems.get(name)
