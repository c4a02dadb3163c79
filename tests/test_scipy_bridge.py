"""Optimisers of the catalogue inside ``scipy.optimize.minimize``: everything SciPy passes, honoured or refused."""

import subprocess
import sys

import numpy as np
import pytest
import scipy.optimize as opt

import secondorder as so
from secondorder.catalogue import find
from secondorder.oracles import CORE

METHODS = [info.name for info in so.methods(kind="optimiser") if set(info.oracles()) <= set(CORE)]
OTHERS = [info.name for info in so.methods(kind="optimiser") if info.name not in METHODS]
SECOND_ORDER = [name for name in METHODS if "hess" in find(name).method.oracles()]
X0 = np.asarray([-1.2, 1.0])


def gradient(x):
    """That of Rosenbrock's function in two variables, for complex x too."""
    return np.asarray([-2.0 * (1.0 - x[0]) - 400.0 * x[0] * (x[1] - x[0] ** 2), 200.0 * (x[1] - x[0] ** 2)])


def minimize(method, x0=X0, fun=opt.rosen, jac=opt.rosen_der, hess=opt.rosen_hess, hyper=None, **options):
    return opt.minimize(fun, x0, jac=jac, hess=hess, method=so.as_scipy(method, **(hyper or {})), **options)


@pytest.fixture(scope="module")
def theirs():
    return opt.minimize(
        opt.rosen, X0, jac=opt.rosen_der, hess=opt.rosen_hess, method="trust-exact", options={"gtol": 1e-10}
    )


@pytest.mark.parametrize("method", SECOND_ORDER)
def test_the_answer_is_scipys(method, theirs):
    ours = minimize(method)
    assert ours.success and ours.status == 0 and ours.message == "converged"
    np.testing.assert_allclose(ours.x, theirs.x, atol=1e-8)
    assert ours.fun == pytest.approx(theirs.fun, abs=1e-14)
    np.testing.assert_allclose(ours.jac, opt.rosen_der(ours.x))
    assert np.linalg.norm(ours.jac) <= 1e-8
    asked = ours.history.oracle
    assert ours.nit == len(ours.history) - 1 and ours.nhev == asked["hess"]
    assert ours.nfev >= asked["f"] and ours.njev >= asked["grad"]


def test_every_call_of_the_users_functions_is_counted():
    calls = {"f": 0, "grad": 0}

    def fun(x):
        calls["f"] += 1
        return opt.rosen(x)

    def jac(x):
        calls["grad"] += 1
        return opt.rosen_der(x)

    answer = minimize("newton", fun=fun, jac=jac, hess="2-point")
    assert (answer.nfev, answer.njev) == (calls["f"], calls["grad"])
    calls["f"] = 0
    assert minimize("gradient_descent", fun=fun, jac=None, options={"maxiter": 20}).nfev == calls["f"]


@pytest.mark.parametrize("method", [name for name in METHODS if name != "perturbed_zeroth_order"])
def test_five_variables(method):
    """The one that sees values only takes two million of them in this valley."""
    answer = minimize(method, x0=np.full(5, 1.1), tol=1e-3, options={"maxiter": 100_000})
    assert answer.success
    np.testing.assert_allclose(answer.x, 1.0, atol=2e-2)


@pytest.mark.parametrize("method", METHODS)
def test_value_and_gradient_in_one_function(method):
    more, tol = {"maxiter": 100_000}, 5.0 if method == "perturbed_zeroth_order" else 1e-2
    answer = minimize(method, fun=lambda x: (opt.rosen(x), opt.rosen_der(x)), jac=True, tol=tol, options=more)
    assert answer.success and np.linalg.norm(opt.rosen_der(answer.x)) <= tol


@pytest.mark.parametrize(("hess", "atol"), [("2-point", 1e-7), ("3-point", 1e-7), ("cs", 1e-8)])
@pytest.mark.parametrize("method", SECOND_ORDER)
def test_differences_of_the_gradient(method, hess, atol):
    answer = minimize(method, jac=gradient, hess=hess)
    assert answer.success
    np.testing.assert_allclose(answer.x, 1.0, atol=atol)


@pytest.mark.parametrize(("hess", "rtol"), [("2-point", 1e-6), ("3-point", 1e-9), ("cs", 1e-14)])
def test_differences_are_the_hessian(hess, rtol):
    seen = []
    minimize("newton", jac=gradient, hess=hess, callback=lambda intermediate_result: seen.append(intermediate_result.x))
    history = minimize("newton", jac=gradient, hess=hess).history
    for x in seen:
        H = history._problem.hess(x)
        np.testing.assert_allclose(H, opt.rosen_hess(x), rtol=rtol, atol=rtol * np.max(np.abs(H)))
        np.testing.assert_array_equal(H, H.T)


def test_products_are_passed_on():
    """To a method of the reader's own too; a method that needs the Hessian itself says so."""

    @so.method(paper="nocedal2006numerical", needs=("grad", "hvp"))
    def steepest(problem, x):
        while True:
            g = problem.grad(x)
            yield so.Iterate(x, grad=g)
            x = x - (g @ g) / (g @ problem.hvp(x, g)) * g

    H = np.diag([4.0, 2.0])
    answer = opt.minimize(
        lambda x: 0.5 * x @ H @ x,
        [1.0, 2.0],
        jac=lambda x: H @ x,
        hessp=lambda x, p: H @ p,
        method=so.as_scipy(steepest),
    )
    assert answer.success and answer.nhev == answer.nit
    with pytest.raises(ValueError, match=r"newton needs f, grad, hess; .* offers f, grad, hvp"):
        minimize("newton", hess=None, hessp=opt.rosen_hess_prod)


PRODUCTS = {"newton_cg": {}, "trust_region": {"subproblem": "steihaug"}, "arc": {"subproblem": "krylov"}}


@pytest.mark.parametrize("method", PRODUCTS)
def test_products_alone_are_enough_without_a_hessian(method, theirs):
    answer = opt.minimize(
        opt.rosen, X0, jac=opt.rosen_der, hessp=opt.rosen_hess_prod, method=so.as_scipy(method, **PRODUCTS[method])
    )
    assert answer.success and answer.nhev == answer.history.oracle["hvp"] > 0
    np.testing.assert_allclose(answer.x, theirs.x, atol=1e-7)


@pytest.mark.parametrize("method", ["nonlinear_cg", "lbfgs", "bfgs", "sr1"])
def test_quasi_newton_methods_need_values_and_gradients_only(method, theirs):
    answer = minimize(method, hess=None)
    assert answer.success and answer.nhev == 0
    np.testing.assert_allclose(answer.x, theirs.x, atol=1e-7)


def test_arguments_reach_every_function():
    def fun(x, a, b):
        return a * (x[0] - b) ** 4 + x[1] ** 2

    answer = opt.minimize(
        fun, [5.0, 5.0], args=(3.0, 2.0),
        jac=lambda x, a, b: np.asarray([4.0 * a * (x[0] - b) ** 3, 2.0 * x[1]]),
        hess=lambda x, a, b: np.diag([12.0 * a * (x[0] - b) ** 2, 2.0]),
        method=so.as_scipy("cubic_newton"),
    )  # fmt: skip
    assert answer.success
    np.testing.assert_allclose(answer.x, [2.0, 0.0], atol=1e-2)


def test_no_gradient_means_forward_differences():
    answer = opt.minimize(
        opt.rosen, [0.9, 0.9], method=so.as_scipy("gradient_descent"), tol=1e-3, options={"maxiter": 20_000}
    )
    assert answer.success
    np.testing.assert_allclose(answer.x, 1.0, atol=5e-3)


# ---------------------------------------------------------------------------------------------------- options


def test_tolerance_as_tol_or_gtol():
    loose = minimize("newton", tol=1.0)
    assert loose.history.tol == 1.0 and loose.nit < minimize("newton").nit
    assert minimize("newton", options={"gtol": 1e-3}).history.tol == 1e-3
    assert minimize("newton", tol=1.0, options={"gtol": 1e-3}).history.tol == 1e-3


def test_maxiter_ends_without_success():
    answer = minimize("newton", options={"maxiter": 3})
    assert (answer.success, answer.status, answer.nit, answer.message) == (False, 1, 3, "step_limit")
    np.testing.assert_allclose(answer.fun, opt.rosen(answer.x))


def test_disp_prints_the_history(capsys):
    minimize("newton", options={"disp": True})
    assert "<History of newton on rosen: converged" in capsys.readouterr().out


def test_breakdown_is_no_success():
    answer = minimize("newton", x0=np.asarray([0.0, 5.0]))
    assert (answer.success, answer.status) == (False, 3) and "not positive definite" in answer.message


def test_hyper_parameters_are_checked_when_the_method_is_made():
    with pytest.raises(ValueError, match="M must be a number"):
        so.as_scipy("cubic_newton", M=-1.0)
    with pytest.raises(ValueError, match="did you mean 'newton'"):
        so.as_scipy("newtn")
    assert minimize("cubic_newton", hyper={"M": 100.0}).history.hyper == {"M": 100.0}


# ---------------------------------------------------------------------------------------------------- callback


def test_callback_gets_each_point_as_from_scipy():
    seen = []
    answer = minimize("newton", callback=seen.append)
    assert len(seen) == answer.nit
    np.testing.assert_array_equal(seen[-1], answer.x)
    seen[0][:] = 7.0  # its own copy


def test_callback_gets_intermediate_results():
    seen = []
    answer = minimize("lazy_newton", callback=lambda intermediate_result: seen.append(intermediate_result))
    assert len(seen) == answer.nit
    for result in seen:
        assert result.fun == opt.rosen(result.x)
    assert seen[-1].fun == answer.fun


@pytest.mark.parametrize("named", [False, True])
def test_callback_may_stop_the_run(named):
    def stop(x):
        raise StopIteration

    def stop_named(intermediate_result):
        raise StopIteration

    answer = minimize("newton", callback=stop_named if named else stop)
    assert (answer.nit, answer.success, answer.message) == (1, False, "stopped")


# ---------------------------------------------------------------------------------------------------- refusals

REFUSED = {
    "bounds": ({"bounds": [(0.0, 1.0)] * 2}, "newton is unconstrained: it cannot honour bounds or constraints"),
    "a Bounds object": ({"bounds": opt.Bounds(0.0, 1.0)}, "newton is unconstrained"),
    "constraints": ({"constraints": {"type": "eq", "fun": np.sum}}, "newton is unconstrained"),
    "a constraint object": ({"constraints": opt.LinearConstraint(np.eye(2))}, "newton is unconstrained"),
    "a quasi-Newton strategy": ({"hess": opt.BFGS()}, "hess must be a function, '2-point', '3-point' or 'cs'; got"),
    "unknown differences": ({"hess": "4-point"}, "hess must be a function.*got '4-point'"),
    "differences of differences": (
        {"hess": "2-point", "jac": None},
        "hess='2-point' takes differences of the gradient",
    ),
    "no Hessian": ({"hess": None}, "newton needs f, grad, hess; .*Missing: hess"),
    "another option": (
        {"options": {"initial_trust_radius": 1.0}},
        "unknown option 'initial_trust_radius'; newton understands",
    ),
    "a negative tolerance": ({"tol": -1.0}, "tol must be a number of at least 0"),
    "half an iteration": ({"options": {"maxiter": 0.5}}, "steps must be a whole number"),
    "an infinite start": ({"x0": [np.inf, 1.0]}, "x0 must be finite"),
}


@pytest.mark.parametrize(("options", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_honoured_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        minimize("newton", **options)


def test_no_bounds_and_no_constraints_are_no_reason_to_refuse():
    assert minimize("newton", bounds=None, constraints=()).success
    assert minimize("newton", constraints=[]).success


def test_methods_of_feasible_sets_are_refused():
    """SciPy's bounds and constraints are not sets with a linear minimisation oracle."""
    for info in so.methods("frank_wolfe"):
        with pytest.raises(
            ValueError, match=f"{info.name} needs (lmo|project), which scipy.optimize.minimize cannot pass on"
        ):
            so.as_scipy(info.name)


def test_making_a_method_does_not_load_scipy():
    code = "import sys, secondorder as so; so.as_scipy('newton'); print('scipy.optimize' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"


@pytest.mark.parametrize("method", OTHERS)
def test_a_method_that_needs_more_than_scipy_passes_is_refused(method):
    with pytest.raises(ValueError, match=f"{method} needs .*which scipy.optimize.minimize cannot pass on"):
        so.as_scipy(method)
