"""diffrax on the job of our example `neural_ode`: 256 trajectories of a nonlinear oscillator, a 2-64-64-2 net (softplus inside,
tanh at the end, times a learned scalar), Tsit5 at rtol 1e-3 and atol 1e-6, AdaBelief at 3e-3 with batches of 32, 500 steps
on the first tenth and 500 on the whole. Timed from the start of the process, as a user waits. One JSON line."""

import json
import time

BEGUN = time.perf_counter()
import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

TIMES = jnp.linspace(0.0, 10.0, 100)


def follow(field, start, at, **tolerances):
    return diffrax.diffeqsolve(
        diffrax.ODETerm(field), diffrax.Tsit5(), at[0], at[-1], at[1] - at[0], start,
        saveat=diffrax.SaveAt(ts=at), stepsize_controller=diffrax.PIDController(**tolerances),
    ).ys


class Field(eqx.Module):
    gain: jax.Array
    net: eqx.nn.MLP

    def __call__(self, t, y, args):
        return self.gain * self.net(y)


def main():
    data_key, net_key = jax.random.split(jax.random.PRNGKey(5678))
    starts = jax.random.uniform(data_key, (256, 2), minval=-0.6, maxval=1.0)

    def oscillator(t, y, args):
        x = y / (1.0 + y)
        return jnp.stack([x[1], -x[0]])

    data = jax.vmap(lambda start: follow(oscillator, start, TIMES, rtol=1e-3, atol=1e-6))(starts)
    net = eqx.nn.MLP(2, 2, 64, 2, activation=jax.nn.softplus, final_activation=jnp.tanh, key=net_key)
    field, optimizer = Field(jnp.array(1.0), net), optax.adabelief(3e-3)

    def loss(field, at, seen):
        states = jax.vmap(lambda start: follow(field, start, at, rtol=1e-3, atol=1e-6))(seen[:, 0])
        return jnp.mean((states - seen) ** 2)

    @eqx.filter_jit
    def train(field, state, at, seen):
        gradient = eqx.filter_grad(loss)(field, at, seen)
        updates, state = optimizer.update(gradient, state)
        return eqx.apply_updates(field, updates), state

    rng = np.random.default_rng(0)
    for rows in (10, 100):
        state = optimizer.init(eqx.filter(field, eqx.is_inexact_array))
        order = rng.permutation(256)
        for step in range(500):
            batch = step * 32 % 256
            if batch == 0:
                order = rng.permutation(256)
            field, state = train(field, state, TIMES[:rows], data[order[batch : batch + 32], :rows])
    reached = float(eqx.filter_jit(loss)(field, TIMES, data))
    seconds = time.perf_counter() - BEGUN
    print(json.dumps({"task": "neural-ode-job", "peer": "diffrax", "precision": "f32", "seconds": seconds, "loss": reached}))


if __name__ == "__main__":
    main()
