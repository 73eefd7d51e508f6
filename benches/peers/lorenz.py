"""Lorenz 63 on [0, 100] from (1, 1, 1), 1001 outputs, double precision, one thread: diffrax (jitted; compiling is not
counted) and scipy. One JSON object a line."""

import json
import os
import time

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from scipy.integrate import solve_ivp

jax.config.update("jax_enable_x64", True)
TIMES = np.linspace(0.0, 100.0, 1001)


def say(**row):
    print(json.dumps({"precision": "f64", **row}), flush=True)


def plain(t, y):
    return [10.0 * (y[1] - y[0]), y[0] * (28.0 - y[2]) - y[1], y[0] * y[1] - 8.0 / 3.0 * y[2]]


def best(call, rounds):
    seconds = []
    for _ in range(rounds):
        begun = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - begun)
    return min(seconds)


for tolerance in (1e-6, 1e-9):
    for method, solver in (("dopri5", diffrax.Dopri5()), ("dopri8", diffrax.Dopri8()), ("tsit5", diffrax.Tsit5())):

        @jax.jit
        def solve(start, solver=solver, tolerance=tolerance):
            return diffrax.diffeqsolve(
                diffrax.ODETerm(lambda t, y, args: jnp.array(plain(t, y))),
                solver,
                0.0,
                100.0,
                None,
                start,
                saveat=diffrax.SaveAt(ts=jnp.array(TIMES)),
                stepsize_controller=diffrax.PIDController(rtol=tolerance, atol=tolerance),
                max_steps=10**6,
            ).ys

        start = jnp.ones(3)
        solve(start).block_until_ready()
        seconds = best(lambda: solve(start).block_until_ready(), 9)
        say(task=f"lorenz-{method}-{tolerance:.0e}", peer="diffrax", seconds=seconds)
    for method, name in (("RK45", "dopri5"), ("DOP853", "dop853")):
        seconds = best(
            lambda: solve_ivp(plain, (0, 100), [1.0, 1.0, 1.0], method=method, t_eval=TIMES, rtol=tolerance, atol=tolerance),
            1,
        )
        say(task=f"lorenz-{name}-{tolerance:.0e}", peer="scipy", seconds=seconds)
