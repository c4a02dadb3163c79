"""The same numbers as the schedulers of diffusers, where that is installed: they step in float32, hence the tolerance."""

import numpy as np
import pytest

import secondorder as so
from secondorder.schedules import NoiseGrid

torch = pytest.importorskip("torch")
schedulers = pytest.importorskip("diffusers.schedulers")
BETAS = {"num_train_timesteps": 1000, "beta_start": 1e-4, "beta_end": 0.02, "beta_schedule": "linear"}
MIXTURE = so.problems.gaussian_mixture()
X = np.random.default_rng(7).standard_normal((200, 2))


def walk(scheduler, steps, last):
    """The particles that a scheduler ends with when the network is the exact score, and the grid it walked on."""
    scheduler.set_timesteps(steps)
    alpha_bar = scheduler.alphas_cumprod.double().numpy()
    levels = [(np.sqrt(alpha_bar[t]), np.sqrt(1.0 - alpha_bar[t])) for t in scheduler.timesteps.tolist()]
    x = torch.tensor(X)
    for t, (alpha, sigma) in zip(scheduler.timesteps, levels, strict=True):
        noise = -sigma * MIXTURE.score(x.numpy().astype(float), alpha=alpha, sigma=sigma)
        x = scheduler.step(torch.tensor(noise), t, x).prev_sample
    final = (np.sqrt(alpha_bar[0]), np.sqrt(1.0 - alpha_bar[0])) if last == "sigma_min" else (1.0, 0.0)
    return x.numpy(), NoiseGrid([*levels, final])


@pytest.mark.parametrize("steps", [5, 20])
def test_ddim(steps):
    scheduler = schedulers.DDIMScheduler(**BETAS, clip_sample=False, timestep_spacing="leading", steps_offset=0)
    theirs, grid = walk(scheduler, steps, "zero")
    np.testing.assert_allclose(so.sample(MIXTURE, "ddim", X, grid=grid).x, theirs, atol=1e-4)


@pytest.mark.parametrize("steps", [5, 20])
@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize(("algorithm", "prediction"), [("dpmsolver++", "data"), ("dpmsolver", "noise")])
def test_dpm_solver(algorithm, prediction, order, steps):
    last = "zero" if prediction == "data" else "sigma_min"
    scheduler = schedulers.DPMSolverMultistepScheduler(
        **BETAS, solver_order=order, algorithm_type=algorithm, timestep_spacing="linspace", final_sigmas_type=last
    )
    theirs, grid = walk(scheduler, steps, last)
    ours = so.sample(MIXTURE, "dpm_solver", X, grid=grid, order=order, prediction=prediction).x
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
