"""The contract on a GPU: the same iterates from CuPy arrays as from NumPy's. Skipped where there is no GPU."""

import contextlib
import inspect
import itertools

import numpy as np
import pytest

import secondorder as so
from secondorder.arrays import is_array, namespace, standard_normal, to_numpy
from secondorder.catalogue import find

LIBRARY = "cupy"


def missing():
    """Why these tests cannot run here, or nothing."""
    try:
        import cupy
    except ImportError:
        return "CuPy is not installed: pip install 'secondorder[gpu]'"
    try:
        return "" if cupy.cuda.runtime.getDeviceCount() else "there is no GPU here"
    except cupy.cuda.runtime.CUDARuntimeError as error:
        return f"there is no usable GPU here: {error}"


REASON = missing()
pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON or "-")

METHODS = [
    (info, hyper)
    for info in so.methods(kind="optimiser")
    for hyper in ({}, *info.variants.values(), *({"batch_size": 5} for p in info.parameters if p.name == "batch_size"))
]


def network(loss):
    X = np.random.default_rng(0).standard_normal((12, 2))
    y = X @ [1.0, 2.0] > 0.0 if loss == "softmax" else np.sin(X @ [[0.5, 0.0], [1.0, 0.5]])
    return so.problems.mlp((X, y), [2, 3, 2], loss=loss, l2=1e-2)


PROBLEMS = {
    "logistic": lambda: so.problems.ill_scaled_logistic(n=200, d=12, decades=0.5, l2=1e-2),
    "chain": lambda: so.problems.chain(8),
    "rosenbrock": so.problems.rosenbrock,
    "network": lambda: network("softmax"),
    "regression network": lambda: network("squared"),
    "curve": lambda: so.problems.nist("Misra1a", start=2),
    "logistic on a polytope": lambda: PROBLEMS["logistic"]().subject_to(so.sets.L1Ball(12, 2.0)),
    "logistic on a ball": lambda: PROBLEMS["logistic"]().subject_to(so.sets.L2Ball(12, 1.0)),
    "portfolio": lambda: so.problems.log_portfolio(n=30, d=6),
}


def walk(info, problem, hyper, rows=8):
    """The first iterates, fewer where the linear algebra fails."""
    random = {"rng": np.random.default_rng(0)} if "rng" in inspect.signature(info.function).parameters else {}
    found = []
    with contextlib.suppress(np.linalg.LinAlgError, ArithmeticError):
        for iterate in itertools.islice(find(info.name)(problem, **hyper, **random), rows):
            found.append(iterate)
    return found


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize(("info", "hyper"), METHODS, ids=[f"{info.name}-{hyper}" for info, hyper in METHODS])
def test_the_gpu_gives_what_numpy_gives(info, hyper, name):
    problem = PROBLEMS[name]()
    needs, on_a_set = set(info.oracles(hyper)), problem.constraint is not None
    if not needs <= set(problem.oracles) or on_a_set != bool(needs & {"lmo", "project"}):
        pytest.skip(f"{name} is not for {info.name}")
    device = so.to_device(problem, LIBRARY)
    for ours, theirs in zip(walk(info, problem, hyper), walk(info, device, hyper), strict=True):
        assert type(theirs.x) is type(device.x0)
        np.testing.assert_allclose(to_numpy(theirs.x), ours.x, rtol=1e-8, atol=1e-10)
        assert ours.quantities.keys() == theirs.quantities.keys()
        for key, value in ours.quantities.items():
            parts = (
                zip(value, theirs.quantities[key]) if isinstance(value, tuple) else [(value, theirs.quantities[key])]
            )
            for mine, their in parts:
                if is_array(mine):
                    assert type(their) is type(device.x0)
                    np.testing.assert_allclose(to_numpy(their), mine, rtol=1e-7, atol=1e-9, err_msg=key)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_run_on_the_gpu_ends_where_numpys_does(dtype):
    problem = so.to_device(PROBLEMS["logistic"](), "numpy", dtype=dtype)
    for name in ("newton", "cubic_newton", "lazy_newton"):
        ours, theirs = (so.minimize(p, name) for p in (problem, so.to_device(problem, LIBRARY)))
        assert theirs.status in {"converged", "stalled"} and str(theirs.x.dtype) == dtype
        np.testing.assert_allclose(to_numpy(theirs.x), ours.x, atol=1e-6 if dtype == "float64" else 1e-2)
        assert theirs.optimality["grad_norm"] == pytest.approx(float(theirs.grad_norm[-1]), abs=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["logistic on a polytope", "portfolio"])
def test_the_gap_is_closed_on_the_gpu(name, dtype):
    problem = so.to_device(PROBLEMS[name](), "numpy", dtype=dtype)
    for method in ("away_step", "pairwise", "blended_pairwise", "projected_gradient"):
        ours, theirs = (so.minimize(p, method) for p in (problem, so.to_device(problem, LIBRARY)))
        assert theirs.status in {"converged", "finished", "stalled"} and str(theirs.x.dtype) == dtype
        assert abs(theirs.f[-1] - ours.f[-1]) <= max(ours["gap"][-1], theirs["gap"][-1]) + 1e-6
        assert theirs.optimality["gap"] == pytest.approx(theirs["gap"][-1], abs=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["kfac", "ekfac", "exact_gauss_newton", "adam"])
def test_a_network_is_trained_on_the_gpu(name, dtype):
    problem = so.to_device(so.to_device(PROBLEMS["network"](), "numpy", dtype=dtype), LIBRARY)
    history = so.minimize(problem, name, steps=30, batch_size=6, keep="x")
    assert str(history.x.dtype) == dtype and np.all(np.isfinite(history["x"]))
    assert history.oracle["grad"] == 31 / 2 and not np.isnan(history.f[-1])


def test_a_history_of_the_gpu_is_saved_and_loaded(tmp_path):
    history = so.minimize(so.to_device(PROBLEMS["rosenbrock"](), LIBRARY), "newton", keep=("x", "step"))
    history.save(tmp_path / "run.npz")
    np.testing.assert_array_equal(so.History.load(tmp_path / "run.npz").x, to_numpy(history.x))


def test_sparse_data_moves_to_the_gpu():
    from scipy.sparse import random_array

    rng = np.random.default_rng(0)
    A = random_array((60, 8), density=0.3, rng=rng, format="csr")
    problem = so.problems.logistic((A, rng.integers(2, size=60)), l2=1e-2)
    theirs = so.minimize(so.to_device(problem, LIBRARY), "newton")
    np.testing.assert_allclose(to_numpy(theirs.x), so.minimize(problem, "newton").x, atol=1e-8)


# --------------------------------------------------------------------------------------------------------------- samplers

SAMPLERS = [(info, hyper) for info in so.methods(kind="sampler") for hyper in ({}, *info.variants.values())]
LAWS = {"mixture": so.problems.gaussian_mixture, "network": lambda: so.problems.score_network("plane")}


def cloud(info, law, hyper, rows=8):
    """The first iterates, from the same particles on every device."""
    random = {"rng": np.random.default_rng(0)} if "rng" in inspect.signature(info.function).parameters else {}
    grid = {"sigma": 0.3} if info.grid is None else {"grid": so.schedules.noise_grid(6, *info.grid)}
    scale = grid["grid"].levels[0].sigma if "grid" in grid else 1.0
    x = scale * standard_normal(
        np.random.default_rng(1), namespace(law.x0).empty((20, law.x0.shape[0]), dtype=law.x0.dtype)
    )
    return list(itertools.islice(find(info.name)(law, x, **hyper, **random, **grid), rows))


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize(("info", "hyper"), SAMPLERS, ids=[f"{info.name}-{hyper}" for info, hyper in SAMPLERS])
def test_particles_on_the_gpu_go_where_numpys_go(info, hyper, name):
    law = so.to_device(LAWS[name](), "numpy", dtype="float64")
    if not set(info.oracles(hyper)) <= set(law.oracles):
        pytest.skip(f"{name} is not for {info.name}")
    device = so.to_device(law, LIBRARY)
    for ours, theirs in zip(cloud(info, law, hyper), cloud(info, device, hyper), strict=True):
        assert type(theirs.x) is type(device.x0)
        np.testing.assert_allclose(to_numpy(theirs.x), ours.x, rtol=1e-7, atol=1e-8)
        assert ours.quantities.keys() == theirs.quantities.keys()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_cloud_of_the_gpu_is_judged_drawn_and_saved(dtype, tmp_path):
    law = so.to_device(so.problems.gaussian_mixture(), "numpy", dtype=dtype)
    ours, theirs = (so.sample(p, "dpm_solver", particles=500) for p in (law, so.to_device(law, LIBRARY)))
    assert str(theirs.x.dtype).endswith(dtype) and type(theirs.x) is not np.ndarray
    assert theirs.optimality == pytest.approx(ours.optimality, rel=1e-2, abs=1e-3)
    (axes,) = theirs.plot().axes
    assert len(axes.collections) == 1 and "<td>500</td>" in theirs._repr_html_()
    theirs.save(tmp_path / "run.npz")
    np.testing.assert_array_equal(so.History.load(tmp_path / "run.npz").x, to_numpy(theirs.x))
