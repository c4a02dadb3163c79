"""The problem as a method sees it: calls counted, answers checked, nothing shared."""

import copy

import array_api_strict
import numpy as np
import pytest

import secondorder as so
from secondorder.ledger import Ledger, NonFinite
from secondorder.linalg import Layer


def line(**changes):
    oracles = {"f": lambda x: float(x @ x), "grad": lambda x: 2.0 * x, "hess": lambda x: 2.0 * np.eye(2), **changes}
    return Ledger(so.Problem(**oracles, x0=[1.0, 2.0]))


def test_every_call_is_counted_once():
    ledger = line(hvp=lambda x, v: 2.0 * v)
    for _ in range(3):
        ledger.f(ledger.x)
    ledger.grad(ledger.x), ledger.hess(ledger.x), ledger.hvp(ledger.x, ledger.x), ledger.hvp(ledger.x, ledger.x)
    assert ledger.counts == {"f": 3, "grad": 1, "hess": 1, "hvp": 2}


def test_products_of_a_dense_hessian_count_as_that_hessian_once_a_point():
    ledger = line()
    assert ledger.oracles == ("f", "grad", "hess", "hvp")
    elsewhere = ledger.x + 1.0
    for _ in range(4):
        np.testing.assert_array_equal(ledger.hvp(ledger.x, ledger.x), 2.0 * ledger.x)
    ledger.hvp(elsewhere, ledger.x)
    assert ledger.counts == {"f": 0, "grad": 0, "hess": 2, "hvp": 0}


@pytest.mark.parametrize("value", [3.0, 3, np.float32(3.0), np.asarray(3.0), np.asarray([3.0]), np.asarray([[3]])])
def test_value_is_a_python_float(value):
    answer = line(f=lambda x: value).f(np.ones(2))
    assert type(answer) is float and answer == 3.0


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_value_may_be_outside_the_domain(value):
    assert not np.isfinite(line(f=lambda x: value).f(np.ones(2)))


@pytest.mark.parametrize("oracle", ["grad", "hess", "hvp"])
def test_derivatives_may_not(oracle):
    shape = (2, 2) if oracle == "hess" else (2,)
    ledger = line(**{oracle: lambda *points: np.full(shape, np.inf)})
    with pytest.raises(NonFinite, match=f"{oracle} returned a value that is not finite"):
        getattr(ledger, oracle)(*[ledger.x] * (2 if oracle == "hvp" else 1))


def test_answers_take_the_precision_of_the_point():
    x = np.ones(2, dtype=np.float32)
    assert line().grad(x).dtype == np.float32
    assert line().hess(x).dtype == np.float32
    assert line(grad=lambda x: np.asarray([2, 2])).grad(np.ones(2)).dtype == np.float64


def test_answers_are_frozen_and_not_the_callers():
    buffer = np.empty(2)

    def grad(x):
        buffer[...] = 2.0 * x
        return buffer

    ledger = line(grad=grad)
    first = ledger.grad(ledger.x)
    ledger.grad(ledger.x + 1.0)
    np.testing.assert_array_equal(first, [2.0, 4.0])
    assert not first.flags.writeable and buffer.flags.writeable


def test_another_array_library_is_refused():
    with pytest.raises(TypeError, match=r"grad must return the gradient.*of the array library of x \(ndarray\)"):
        line(grad=lambda x: array_api_strict.asarray([1.0, 2.0])).grad(np.ones(2))


def test_a_nearly_symmetric_hessian_passes_and_another_does_not():
    skew = np.asarray([[2.0, 1e-6], [0.0, 2.0]])
    line(hess=lambda x: skew).hess(np.ones(2))
    with pytest.raises(ValueError, match="hess must return a symmetric matrix"):
        line(hess=lambda x: 1e4 * skew - np.diag([2e4, 2e4])).hess(np.ones(2))


def test_data_and_names_shine_through():
    problem = so.problems.quadratic([1.0, 2.0])
    ledger = Ledger(problem)
    assert ledger.A is problem.A and ledger.name == "quadratic" and ledger.f_star == 0.0
    with pytest.raises(AttributeError):
        ledger.nothing_of_the_kind  # noqa: B018


# -------------------------------------------------------------------------------------------------------- feasible sets


def on_a_triangle(x0=None, **changes):
    given = {"f": lambda x: float(x @ x), "grad": lambda x: 2.0 * x, **changes}
    return Ledger(so.Problem(**given, constraint=so.sets.Simplex(3)), x0)


def test_oracles_of_a_set_are_counted():
    ledger = on_a_triangle(domain=lambda x: True)
    ledger.lmo(ledger.x), ledger.lmo(ledger.x), ledger.project(ledger.x), ledger.domain(ledger.x)
    assert {name: n for name, n in ledger.counts.items() if n} == {"lmo": 2, "project": 1, "domain": 1}
    assert "lmo" not in line().counts


def test_the_start_is_feasible():
    with pytest.raises(ValueError, match=r"x0 must lie in Simplex\(3\); it is 0\.5 outside"):
        on_a_triangle([0.5, 0.5, 0.5])
    with pytest.raises(ValueError, match=r"x0 must lie in Simplex\(3\); it is 0\.25 outside"):
        on_a_triangle([1.25, -0.25, 0.0])
    barely = np.asarray([0.5, 0.5, 1e-10])
    np.testing.assert_array_equal(on_a_triangle(barely).x, barely)
    thirds = np.full(3, 1.0 / 3.0, dtype=np.float32)
    assert on_a_triangle(thirds).x.dtype == np.float32


def test_the_start_is_in_the_domain_and_that_is_not_counted():
    ledger = on_a_triangle(domain=lambda x: bool(np.all(x > 0.0)))
    assert ledger.counts["domain"] == 0
    with pytest.raises(ValueError, match="x0 must lie where 'problem' is defined"):
        on_a_triangle([1.0, 0.0, 0.0], domain=lambda x: bool(np.all(x > 0.0)))


def test_without_a_domain_a_function_is_defined_everywhere():
    assert line().domain(np.full(2, 1e300)) is True


@pytest.mark.parametrize("answer", [True, np.True_, np.asarray(True), array_api_strict.asarray(True)], ids=repr)
def test_a_domain_answers_yes_or_no(answer):
    assert on_a_triangle(domain=lambda x: answer).domain(np.ones(3)) is True


@pytest.mark.parametrize("answer", [None, 1.0, float("nan"), "yes", np.ones(3, dtype=bool)], ids=repr)
def test_anything_else_is_refused(answer):
    with pytest.raises(TypeError, match="domain must return True or False; got "):
        on_a_triangle(domain=lambda x: answer)


BAD_POINTS = {
    "list": (list, TypeError, "point .* of the array library of x .ndarray.; got list"),
    "short": (lambda x: x[:2], ValueError, r"an array of shape \(3,\); got \(2,\)"),
    "complex": (lambda x: x + 1j, TypeError, "must be real; got dtype complex128"),
    "NaN": (lambda x: x * np.nan, NonFinite, "a value that is not finite"),
}


@pytest.mark.parametrize("oracle", ["lmo", "project"])
@pytest.mark.parametrize(("function", "error", "message"), BAD_POINTS.values(), ids=BAD_POINTS)
def test_bad_points_are_named(oracle, function, error, message):
    ledger = on_a_triangle(**{oracle: function})
    with pytest.raises(error, match=f"{oracle}.* {message}"):
        getattr(ledger, oracle)(ledger.x)


def test_points_of_a_set_take_the_precision_of_the_argument_and_are_frozen():
    ledger, x = on_a_triangle(lmo=lambda grad: np.eye(3)[0]), np.ones(3, dtype=np.float32)
    for point in (ledger.lmo(x), ledger.project(x)):
        assert point.dtype == np.float32 and not point.flags.writeable


def test_a_projection_that_does_not_project():
    class Open(so.sets.Simplex):
        def project(self, x):
            return x

    ledger = Ledger(so.problems.quadratic([1.0, 2.0]).subject_to(Open(2)))
    with pytest.raises(ValueError, match=r"project must return a point of Open\(2\); its answer is 1 outside"):
        ledger.project(np.asarray([1.0, 1.0]))
    far = Ledger(so.problems.quadratic([1.0, 2.0]).subject_to(so.sets.Simplex(2)))
    assert far.project(np.asarray([1e12, 1e12 - 0.5])).sum() > 0.5  # rounding, and no complaint


def test_a_set_may_fill_one_buffer_also_under_a_problem_that_does_not():
    class Lazy(so.sets.Simplex):
        def lmo(self, grad):
            self.buffer[...] = super().lmo(grad)
            return self.buffer

    lazy = Lazy(3)
    lazy.buffer = np.empty(3)
    ledger = Ledger(so.problems.quadratic([1.0, 2.0, 3.0]).subject_to(lazy))
    first, second = (ledger.lmo(np.asarray(grad)) for grad in ([-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]))
    np.testing.assert_array_equal(first, [1.0, 0.0, 0.0])
    np.testing.assert_array_equal(second, [0.0, 1.0, 0.0])
    assert lazy.buffer.flags.writeable


# ------------------------------------------------------------------------------------- sums of squares, networks, batches


def fit(**changes):
    oracles = {"residual": lambda x: np.concatenate([x, x[:1]]), "jac": lambda x: np.eye(3, 2), **changes}
    return Ledger(so.Problem(**oracles, x0=[1.0, 2.0]))


def net(**changes):
    """One layer of one output: two examples, two parameters."""
    oracles = {
        "signals": lambda x, kind, rng, samples: (Layer(np.ones((2, 2)), np.ones((samples, 2, 1))),),
        "output_loss": lambda x: (np.ones((2, 1)), np.ones((2, 1, 1))),
        "ggn_product": lambda x, v: v,
        **changes,
    }
    return Ledger(so.Problem(**oracles, x0=[1.0, 2.0]))


def network(n=12):
    X = np.random.default_rng(0).standard_normal((n, 2))
    return so.problems.mlp((X, np.arange(n) % 2), [2, 3, 2], l2=0.1)


def test_a_residual_may_be_outside_the_domain_and_its_jacobian_may_not():
    assert np.all(np.isnan(fit(residual=lambda x: np.full(3, np.nan)).residual(np.ones(2))))
    with pytest.raises(NonFinite, match="jac returned a value that is not finite"):
        fit(jac=lambda x: np.full((3, 2), np.inf)).jac(np.ones(2))


def test_a_jacobian_has_the_rows_of_the_residual():
    ledger = fit(jac=lambda x: np.eye(4, 2))
    assert ledger.jac(ledger.x).shape == (4, 2)
    ledger.residual(ledger.x)
    with pytest.raises(ValueError, match=r"jac must return an array of shape \(3, 2\); got \(4, 2\)"):
        ledger.jac(ledger.x)
    with pytest.raises(ValueError, match=r"jac must return an array of shape \(3, 2\); got \(3,\)"):
        fit(jac=lambda x: np.ones(3)).jac(np.ones(2))


def test_a_residual_keeps_its_length():
    lengths = iter([3, 4])
    ledger = fit(residual=lambda x: np.ones(next(lengths)))
    ledger.residual(ledger.x)
    with pytest.raises(ValueError, match=r"residual must return an array of shape \(3,\); got \(4,\)"):
        ledger.residual(ledger.x)


@pytest.mark.parametrize("value", [np.ones((3, 1)), np.ones(()), np.ones(0)], ids=["column", "number", "empty"])
def test_a_residual_is_a_vector(value):
    with pytest.raises(ValueError, match="residual must return an array of shape"):
        fit(residual=lambda x: value).residual(np.ones(2))


def test_signals_count_as_many_times_as_there_are():
    ledger = net()
    ledger.signals(ledger.x, "monte_carlo", None, 5), ledger.signals(ledger.x, "empirical")
    assert ledger.counts["signals"] == 6


def test_the_parts_of_an_answer_take_the_precision_of_the_point_and_are_frozen():
    ledger, x = net(), np.ones(2, dtype=np.float32)
    (layer,) = ledger.signals(x, "exact")
    for part in (*layer, *ledger.output_loss(x), ledger.ggn_product(x, x)):
        assert part.dtype == np.float32 and not part.flags.writeable
    assert isinstance(layer, Layer)


def test_pairs_and_lists_of_layers_serve_as_well():
    ledger = net(signals=lambda x, *how: [(np.ones((2, 2)), np.ones((1, 2, 1)))])
    assert ledger.signals(ledger.x, "exact")[0].shape == (1, 2)


@pytest.mark.parametrize(
    ("oracle", "answer", "error", "message"),
    [
        ("signals", None, TypeError, "for each layer a pair of arrays .inputs, signals.; got NoneType"),
        ("signals", Layer(np.ones((2, 2)), np.ones((1, 2, 1))), TypeError, "for each layer a pair.*; got Layer of 2"),
        ("signals", (), TypeError, "for each layer a pair.*; got tuple of 0"),
        ("signals", ((np.ones((2, 2)), [1.0]),), TypeError, "for each layer a pair.*; got tuple of 1"),
        ("signals", ((np.ones((2, 2)), np.ones((2, 1))),), ValueError, r"got \(\(2, 2\), \(2, 1\)\)"),
        ("signals", ((np.ones((2, 2)), np.ones((1, 3, 1))),), ValueError, r"n and K the same.*\(1, 3, 1\)"),
        ("signals", ((np.ones((2, 3)), np.ones((1, 2, 1))),), ValueError, "products a b adding up to 2"),
        (
            "signals",
            ((np.ones((2, 1)), np.ones((1, 2, 1))), (np.ones((2, 1)), np.ones((2, 2, 1)))),
            ValueError,
            "n and K the same for all layers",
        ),
        ("signals", ((np.ones((2, 2)), np.ones((1, 2, 1)) * 1j),), TypeError, "signals must be real"),
        ("signals", ((np.ones((2, 2)), np.full((1, 2, 1), np.nan)),), NonFinite, "signals returned a value"),
        ("output_loss", np.ones((2, 1)), TypeError, "output_loss must return for each .*two arrays; got ndarray"),
        ("output_loss", (np.ones((2, 1)),), TypeError, "two arrays; got tuple of 1"),
        ("output_loss", (np.ones(2), np.ones((2, 1, 1))), ValueError, r"\(n, C\) and \(n, C, C\); got \(\(2,\), "),
        ("output_loss", (np.ones((2, 1)), np.ones((2, 2, 2))), ValueError, r"got \(\(2, 1\), \(2, 2, 2\)\)"),
        ("output_loss", (np.ones((2, 1)), np.full((2, 1, 1), np.inf)), NonFinite, "output_loss returned a value"),
        ("ggn_product", np.ones(3), ValueError, r"ggn_product must return an array of shape \(2,\); got \(3,\)"),
        ("ggn_product", [1.0, 2.0], TypeError, "ggn_product must return the product .*; got list"),
    ],
    ids=str,
)
def test_bad_answers_of_a_network_are_named(oracle, answer, error, message):
    ledger = net(**{oracle: lambda *arguments: answer})
    arguments = {"signals": ("exact",), "ggn_product": (ledger.x,), "output_loss": ()}[oracle]
    with pytest.raises(error, match=message):
        getattr(ledger, oracle)(ledger.x, *arguments)


def test_a_batch_is_a_ledger_on_the_same_books():
    problem = network()
    ledger = Ledger(problem)
    batch = next(ledger.batches(3, np.random.default_rng(0)))
    batch.grad(ledger.x), batch.f(ledger.x), ledger.grad(ledger.x)
    batch.signals(ledger.x, "exact"), batch.hvp(ledger.x, ledger.x)
    assert ledger.counts["grad"] == 1.25 and ledger.counts["f"] == 0.25 and ledger.counts["hvp"] == 0.25
    assert ledger.counts["signals"] == 2 * 0.25
    assert batch.n == 3 and ledger.n == 12 and batch.l2 == 0.1
    expected = next(problem.batches(3, np.random.default_rng(0)))
    np.testing.assert_array_equal(batch.grad(ledger.x), expected.grad(ledger.x))


def test_batches_of_everything_and_of_no_sum_are_the_problem():
    problem, rng = network(), np.random.default_rng(0)
    ledger = Ledger(problem)
    for size in (None, 12, 100):
        batch = next(ledger.batches(size, rng))
        batch.grad(ledger.x)
        assert batch.problem is problem and batch.share == 1
    assert ledger.counts["grad"] == 3
    rosenbrock = Ledger(so.problems.rosenbrock())
    next(rosenbrock.batches(5, rng)).grad(rosenbrock.x)
    assert rosenbrock.counts["grad"] == 1


def test_a_dense_hessian_of_one_batch_does_not_serve_another():
    problem = network()
    problem.hvp = None
    ledger = Ledger(problem)
    v = np.ones(ledger.x.shape)
    for _, batch in zip(range(4), ledger.batches(3, np.random.default_rng(0))):
        np.testing.assert_allclose(batch.hvp(ledger.x, v), batch.problem.hess(ledger.x) @ v, atol=1e-12)
    assert ledger.counts["hess"] == 1.0


@pytest.mark.parametrize("method", ["frank_wolfe", "away_step", "pairwise", "blended_pairwise"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_oracle_that_maximises_is_found_out(method, dtype):
    simplex = so.sets.Simplex(3)
    x0 = np.asarray([1.0, 0.0, 0.0], dtype=dtype)
    wrong = so.Problem(lambda x: 0.5 * x @ x, lambda x: x, lmo=lambda grad: simplex.lmo(-grad), x0=0.4 * x0 + 0.2)
    with pytest.raises(ValueError, match="lmo must return a point v of the feasible set with the least <grad, v>"):
        so.minimize(wrong, method)
    few_digits = so.Problem(
        lambda x: 0.5 * x @ x, lambda x: x, lmo=lambda grad: (1.0 - 1e-3) * simplex.lmo(grad), x0=x0
    )
    assert so.minimize(few_digits, method, steps=5).status in ("converged", "step_limit")


def test_a_ledger_can_be_copied():
    ledger = Ledger(so.problems.rosenbrock())
    assert copy.copy(ledger).problem is ledger.problem and copy.deepcopy(ledger).name == "rosenbrock"


# --------------------------------------------------------------------------------------------------------------- scores

MIXTURE = so.problems.gaussian_mixture()
CLOUD = [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]


def cloud_ledger(**oracles):
    return Ledger(so.Problem(**oracles, x0=[0.0, 0.0]), CLOUD, particles=True)


def test_a_cloud_is_one_call_of_each_oracle():
    ledger = Ledger(MIXTURE, CLOUD, particles=True)
    level = {"alpha": 0.8, "sigma": 0.6}
    np.testing.assert_array_equal(ledger.score(ledger.x, **level), MIXTURE.score(ledger.x, **level))
    np.testing.assert_array_equal(ledger.score_hessian(ledger.x, **level), MIXTURE.score_hessian(ledger.x, **level))
    np.testing.assert_array_equal(ledger.log_density(ledger.x, **level), MIXTURE.log_density(ledger.x, **level))
    np.testing.assert_array_equal(ledger.score(ledger.x), MIXTURE.score(ledger.x))  # without noise
    assert [ledger.counts[name] for name in ("score", "score_hessian", "log_density")] == [2, 1, 1]
    assert ledger.particles and ledger.x.shape == (3, 2) and ledger.responsibilities(ledger.x).shape == (3, 3)


def test_answers_about_a_cloud_are_checked_frozen_and_converted():
    buffer = np.zeros((3, 2))
    ledger = cloud_ledger(score=lambda X, alpha, sigma: buffer)
    answer = ledger.score(ledger.x)
    assert not answer.flags.writeable and buffer.flags.writeable and not np.shares_memory(answer, buffer)
    single = Ledger(MIXTURE, np.asarray(CLOUD, dtype=np.float32), particles=True)
    assert single.score(single.x).dtype == single.log_density(single.x).dtype == np.float32
    assert cloud_ledger(score=lambda X, alpha, sigma: np.ones((3, 2), dtype=int)).score(ledger.x).dtype == np.float64


SCORES = {
    "score flat": (
        "score",
        lambda X, **_: X[0],
        ValueError,
        r"score must return an array of shape \(3, 2\); got \(2,\)",
    ),
    "score NaN": ("score", lambda X, **_: np.nan * X, NonFinite, "score returned a value that is not finite"),
    "hessian of one": (
        "score_hessian",
        lambda X, **_: np.eye(2),
        ValueError,
        r"score_hessian must return an array of shape \(3, 2, 2\); got \(2, 2\)",
    ),
    "hessian infinite": (
        "score_hessian",
        lambda X, **_: np.full((3, 2, 2), np.inf),
        NonFinite,
        "score_hessian returned",
    ),
    "hessian not symmetric": (
        "score_hessian",
        lambda X, **_: np.stack([np.eye(2), np.triu(np.ones((2, 2))), np.eye(2)]),
        ValueError,
        "score_hessian must return a symmetric matrix",
    ),
    "density a column": (
        "log_density",
        lambda X, **_: X[:, :1],
        ValueError,
        r"log_density must return an array of shape \(3,\); got \(3, 1\)",
    ),
    "density a number": ("log_density", lambda X, **_: 1.0, TypeError, "log_density must return .*got float"),
    "score in strings": ("score", lambda X, **_: "up", TypeError, "score must return .*got str"),
}


@pytest.mark.parametrize(("oracle", "function", "error", "message"), SCORES.values(), ids=SCORES)
def test_bad_answers_about_a_cloud_are_named(oracle, function, error, message):
    ledger = cloud_ledger(**{oracle: function})
    with pytest.raises(error, match=message):
        getattr(ledger, oracle)(ledger.x)


def test_a_density_may_vanish():
    ledger = cloud_ledger(log_density=lambda X, alpha, sigma: np.asarray([-np.inf, np.nan, 0.0]))
    np.testing.assert_array_equal(ledger.log_density(ledger.x), [-np.inf, np.nan, 0.0])


SIGNATURES = {
    "positions": (lambda X, alpha, sigma: X, True),
    "keywords": (lambda X, *, alpha=1.0, sigma=0.0: X, True),
    "anything": (lambda X, **level: X, True),
    "no levels": (lambda X: X, False),
    "one level": (lambda X, sigma: X, False),
    "other names": (lambda X, a, s: X, False),
}


@pytest.mark.parametrize(("score", "good"), SIGNATURES.values(), ids=SIGNATURES)
def test_levels_are_keywords(score, good):
    """Looked at before the first call, so that the mistake is told at once."""
    if good:
        assert cloud_ledger(score=score).score(np.ones((3, 2))).shape == (3, 2)
    else:
        with pytest.raises(TypeError, match="score must take the keywords alpha and sigma: score"):
            cloud_ledger(score=score)


def test_a_function_without_a_signature_is_left_to_the_run():
    assert cloud_ledger(score=max).oracles == ("score",)  # built in: it does not say what it takes
