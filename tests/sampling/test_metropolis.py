"""The Metropolis–Hastings test."""

import math

import numpy as np

from secondorder.sampling.metropolis import accept, chosen


class Fixed:
    """A generator whose uniform numbers are all the same."""

    def __init__(self, value):
        self.value = value

    def random(self, n):
        return np.full(n, self.value)


def test_a_ratio_is_accepted_as_often_as_it_says():
    n, ratios = 100_000, np.asarray([1e-2, 0.3, 0.9])
    for k, ratio in enumerate(ratios):
        share = accept(np.full(n, math.log(ratio)), np.random.default_rng(k)).mean()
        assert abs(share - ratio) < 5.0 * math.sqrt(ratio * (1.0 - ratio) / n)


def test_every_uniform_number_accepts_a_ratio_of_one_or_more_and_none_a_ratio_of_zero():
    for uniform in (0.0, 0.5, math.nextafter(1.0, 0.0)):
        answer = accept(np.asarray([0.0, 1e-300, 700.0, np.inf, -np.inf, np.nan]), Fixed(uniform))
        assert answer.tolist() == [True, True, True, True, False, False]
        assert accept(np.zeros(1, dtype=np.float32), Fixed(uniform)).all()


def test_what_moved_is_new_and_the_rest_is_old_in_arrays_of_any_rank():
    moved = np.asarray([True, False, True])
    new, old = (
        (np.arange(3.0), np.ones((3, 2)), np.ones((3, 2, 2))),
        (np.full(3, 9.0), np.zeros((3, 2)), np.zeros((3, 2, 2))),
    )
    a, b, c = chosen(moved, new, old)
    assert a.tolist() == [0.0, 9.0, 2.0] and b[:, 0].tolist() == c[:, 1, 1].tolist() == [1.0, 0.0, 1.0]


def test_the_chosen_rows_are_bit_for_bit_even_beside_values_that_are_not_finite():
    (kept,) = chosen(np.asarray([False]), (np.asarray([np.nan]),), (np.asarray([0.1]),))
    assert kept[0] == 0.1
