"""A step of the full Lyapunov spectrum of random recurrent nets in torch: JVP of all columns, thin QR every k steps."""

import json
import math
import time

import torch

torch.set_num_threads(1)
torch.manual_seed(0)


def rnn(units):
    weights = torch.randn(units, units, dtype=torch.float64) * (2 / math.sqrt(units))

    def step(state, frame):
        state = torch.tanh(weights @ state)
        return state, (1 - state * state)[:, None] * (weights @ frame)

    return step, units


def lstm(units):
    weights = torch.randn(4 * units, units, dtype=torch.float64) * (1.5 / math.sqrt(units))

    def step(state, frame):
        h, c = state[:units], state[units:]
        i, f, g, o = (weights @ h).chunk(4)
        i, f, g, o = torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)
        di, df, dg, do = (weights @ frame[:units]).chunk(4)
        cell = f * c + i * g
        bent = torch.tanh(cell)
        scale = lambda row, block: row[:, None] * block
        dc = scale(f, frame[units:]) + scale(c * f * (1 - f), df) + scale(g * i * (1 - i), di) + scale(i * (1 - g * g), dg)
        dh = scale(o * (1 - bent * bent), dc) + scale(bent * o * (1 - o), do)
        return torch.cat([o * bent, cell]), torch.cat([dh, dc])

    return step, 2 * units


def run(name, make, units, exponents, every, steps):
    step, dim = make(units)
    state = torch.randn(dim, dtype=torch.float64)
    frame = torch.linalg.qr(torch.randn(dim, exponents, dtype=torch.float64))[0]
    sums = torch.zeros(exponents, dtype=torch.float64)
    best = math.inf
    for _ in range(4):  # The first round warms up, the best of the others counts.
        begun = time.perf_counter()
        for t in range(steps):
            state, frame = step(state, frame)
            if (t + 1) % every == 0:
                frame, r = torch.linalg.qr(frame)
                sums += r.diagonal().abs().log()
        best = min(best, (time.perf_counter() - begun) / steps)
    task = f"spectrum-{name}-{units}-{exponents}-{every}"
    print(json.dumps({"task": task, "peer": "torch", "precision": "f64", "seconds": best}), flush=True)


for units, steps in ((128, 200), (512, 20), (1024, 10)):
    for every in (1, 10):
        run("rnn", rnn, units, units, every, steps)
run("rnn", rnn, 512, 32, 1, 100)
run("lstm", lstm, 64, 128, 1, 200)
run("lstm", lstm, 256, 512, 1, 20)
