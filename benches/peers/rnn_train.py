"""One training step (forward, backward, Adam) of one recurrent layer and a linear head on the adding problem in single
precision, one thread: torch. The shapes are those of benches/rnn_train.rs. One JSON object a line."""

import json
import time

import torch
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(0)
STEPS, BATCH, ROUNDS = 500, 64, 5


def adding():
    value, mark = torch.rand(STEPS, BATCH), torch.zeros(STEPS, BATCH)
    for b in range(BATCH):
        mark[torch.randint(0, STEPS // 2, ()), b] = 1
        mark[torch.randint(STEPS // 2, STEPS, ()), b] = 1
    return torch.stack([value, mark], -1), (value * mark).sum(0)[:, None]


for kind in ("RNN", "LSTM", "GRU"):
    for hidden in (64, 128, 256):
        net, head = getattr(nn, kind)(2, hidden), nn.Linear(hidden, 1)
        adam = torch.optim.Adam([*net.parameters(), *head.parameters()], 1e-3)
        x, y = adding()

        def step():
            adam.zero_grad()
            outputs, _ = net(x)
            loss = ((head(outputs[-1]) - y) ** 2).mean()
            loss.backward()
            adam.step()

        step()
        seconds = []
        for _ in range(ROUNDS):
            begun = time.perf_counter()
            step()
            seconds.append(time.perf_counter() - begun)
        print(json.dumps({"peer": "torch", "task": f"rnn-{kind}-{hidden}", "precision": "f32", "seconds": min(seconds)}), flush=True)
