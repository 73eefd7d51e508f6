"""One training step of the cubic-spiral task (torchdiffeq's ode_demo: a 2-50-2 tanh net on y^3, 20 windows of 10 points,
dopri5, rtol 1e-7, atol 1e-9, mean absolute error, RMSprop), one thread: torchdiffeq and diffrax (jitted; compiling is not
counted). One JSON object a line; the median over steps."""

import json
import os
import statistics
import subprocess
import sys
import time

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
import numpy as np

TOLERANCES = {"rtol": 1e-7, "atol": 1e-9}
WINDOWS, POINTS = 20, 10


def say(peer, precision, seconds):
    row = {"task": f"spiral-{precision}", "peer": peer, "precision": precision, "seconds": statistics.median(seconds)}
    print(json.dumps(row), flush=True)


def by_torch(adjoint, dtype, precision, steps):
    import torch
    import torchdiffeq

    torch.set_num_threads(1)
    torch.set_default_dtype(dtype)
    torch.manual_seed(0)
    solve = torchdiffeq.odeint_adjoint if adjoint else torchdiffeq.odeint
    times = torch.linspace(0.0, 25.0, 1000)
    matrix = torch.tensor([[-0.1, 2.0], [-2.0, -0.1]])

    class Cubic(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = torch.nn.Sequential(torch.nn.Linear(2, 50), torch.nn.Tanh(), torch.nn.Linear(50, 2))
            for layer in (self.layers[0], self.layers[2]):
                torch.nn.init.normal_(layer.weight, std=0.1)
                torch.nn.init.zeros_(layer.bias)

        def forward(self, t, y):
            return self.layers(y**3)

    with torch.no_grad():
        truth = torchdiffeq.odeint(lambda t, y: y**3 @ matrix, torch.tensor([2.0, 0.0]), times, method="dopri5", **TOLERANCES)
    field = Cubic()
    optimizer = torch.optim.RMSprop(field.parameters(), lr=1e-3)
    rng = np.random.default_rng(0)
    seconds = []
    for step in range(steps + 5):
        first = torch.from_numpy(rng.choice(990, WINDOWS, replace=False))
        seen = torch.stack([truth[first + k] for k in range(POINTS)])
        begun = time.perf_counter()
        optimizer.zero_grad()
        states = solve(field, truth[first], times[:POINTS], method="dopri5", **TOLERANCES)
        (states - seen).abs().mean().backward()
        optimizer.step()
        if step >= 5:
            seconds.append(time.perf_counter() - begun)
    say("torchdiffeq adjoint" if adjoint else "torchdiffeq", precision, seconds)


def by_diffrax(precision, steps):
    import diffrax
    import equinox as eqx
    import jax
    import jax.numpy as jnp
    import optax

    jax.config.update("jax_enable_x64", precision == "f64")
    dtype = jnp.float64 if precision == "f64" else jnp.float32
    control = diffrax.PIDController(**TOLERANCES)
    times = jnp.linspace(0.0, 25.0, 1000, dtype=dtype)
    matrix = jnp.array([[-0.1, 2.0], [-2.0, -0.1]], dtype)

    def follow(field, start, at, most):
        return diffrax.diffeqsolve(
            diffrax.ODETerm(field), diffrax.Dopri5(), at[0], at[-1], None, start,
            saveat=diffrax.SaveAt(ts=at), stepsize_controller=control, max_steps=most,
        ).ys

    truth = follow(lambda t, y, args: y**3 @ matrix, jnp.array([2.0, 0.0], dtype), times, 100_000)

    class Net(eqx.Module):
        first: jax.Array
        first_bias: jax.Array
        second: jax.Array
        second_bias: jax.Array

        def __call__(self, t, y, args):
            return self.second @ jnp.tanh(self.first @ y**3 + self.first_bias) + self.second_bias

    keys = jax.random.split(jax.random.PRNGKey(0))
    draw = lambda key, shape: 0.1 * jax.random.normal(key, shape, dtype)
    net = Net(draw(keys[0], (50, 2)), jnp.zeros(50, dtype), draw(keys[1], (2, 50)), jnp.zeros(2, dtype))
    optimizer = optax.rmsprop(1e-3)

    @eqx.filter_jit
    def train(net, state, starts, seen):
        def loss(net):
            states = jax.vmap(lambda start: follow(net, start, times[:POINTS], 4096))(starts)
            return jnp.abs(states - seen).mean()

        value, gradient = eqx.filter_value_and_grad(loss)(net)
        updates, state = optimizer.update(gradient, state)
        return value, eqx.apply_updates(net, updates), state

    state, rng, seconds = optimizer.init(net), np.random.default_rng(0), []
    for step in range(steps + 5):
        first = rng.choice(990, WINDOWS, replace=False)
        starts, seen = truth[first], jnp.stack([truth[first + k] for k in range(POINTS)], 1)
        begun = time.perf_counter()
        value, net, state = train(net, state, starts, seen)
        value.block_until_ready()
        if step >= 5:
            seconds.append(time.perf_counter() - begun)
    say("diffrax", precision, seconds)


if __name__ == "__main__":
    if sys.argv[1:]:
        by_diffrax(sys.argv[1], 100)
    else:
        import torch

        by_torch(False, torch.float64, "f64", 40)
        by_torch(True, torch.float64, "f64", 25)
        # Precision is a setting of the whole process.
        for precision in ("f64", "f32"):
            subprocess.run([sys.executable, __file__, precision], check=True)
