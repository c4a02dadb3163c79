"""What the chapter on networks says of its pictures."""

import re

import numpy as np
import pytest

from secondorder.labs.scene import get_view
from secondorder.labs.views import networks as views
from secondorder.least_squares import exact_gauss_newton


def line(scene, label):
    return next(mark for panel in scene.panels for mark in panel.marks if getattr(mark, "label", None) == label)


def test_the_dial_ends_at_the_gradient():
    rows = views.dial(views.sine(), views.sine().x0, np.asarray([1e-4, 1e-2, 1.0, 1e4]))
    cosines = [row["cosine"] for row in rows]
    assert cosines == sorted(cosines) and cosines[-1] == pytest.approx(1.0, abs=1e-6)
    promised = [row["promised"] for row in rows]
    assert promised == sorted(promised), "less damping promises more"


@pytest.mark.parametrize("network", views.NETWORKS)
def test_gauss_newton_has_no_negative_eigenvalue_where_the_hessian_has(network):
    rows = views.spectra(network, exact_gauss_newton)
    assert all(G[0] > -1e-12 * G[-1] for _, G, _ in rows)
    assert rows[0][0][0] < -1e-3
    assert "of those of the Gauss–Newton matrix none" in get_view("network_spectrum")(network=network).sentence


def test_every_eigenvalue_of_the_hessian_is_drawn_once():
    scene = get_view("network_spectrum")(network="sine, squared loss", step=0)
    up, down = line(scene, "H, positive"), line(scene, "H, negative")
    values = np.sort(np.concatenate([up.y, -down.y]))
    problem = views.sine()
    np.testing.assert_allclose(values, np.linalg.eigvalsh(problem.hess(problem.x0)), atol=1e-10)


def test_a_searched_step_fits_the_batch_better_than_the_rest():
    batch, rest = views.overfit(views.crossing(), views.crossing().x0, 10, 1e-2, 5)
    assert batch < 0.9 * rest


def test_a_batch_of_everything_is_no_batch():
    _, f = views.batch_run(exact_gauss_newton, 100, 1e-2, True)
    assert np.all(np.diff(f) <= 1e-12), "with all of the data the loss never rises"


def test_a_run_that_ends_early_says_so():
    scene = views.network_spectrum(network="two moons, softmax, ReLU", step=60)
    assert re.search(r"after 60 steps \(the run ended after \d+ steps\)", scene.sentence)
    assert "ended" not in views.network_spectrum(network="sine, squared loss", step=60).sentence
