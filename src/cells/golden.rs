//! Against nets that PyTorch ran and differentiated: see `tests/golden/README.md`.

use super::{Kind, Layers};
use crate::dynamics::{Component, Tangent};
use crate::linalg::{Block, BlockMut};
use crate::nn::Activation;
use serde_json::Value;

pub(crate) fn golden() -> Value {
    serde_json::from_str(include_str!("../../tests/golden/golden_rnn_lyapunov.json")).unwrap()
}

pub(crate) fn numbers(list: &Value) -> Vec<f64> {
    match list {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        number => vec![number.as_f64().unwrap()],
    }
}

/// The parameters in our order, matrices column by column.
pub(crate) fn params(layers: &Layers, weights: &Value) -> Vec<f64> {
    let mut params = Vec::new();
    for spec in layers.params::<f64>("") {
        let theirs = numbers(&weights[&spec.name]);
        assert_eq!(theirs.len(), spec.len(), "{}", spec.name);
        let rows = spec.shape[0];
        let columns = spec.len() / rows;
        params.extend((0..spec.len()).map(|at| theirs[at % rows * columns + at / rows]));
    }
    params
}

#[test]
fn final_states_and_last_jacobians_agree_with_pytorch() {
    let golden = golden();
    for (name, kind) in [
        ("RNN_1layer", Kind::Rnn(Activation::Tanh)),
        ("GRU_1layer", Kind::Gru),
        ("LSTM_1layer", Kind::Lstm),
        ("LSTM_2layer", Kind::Lstm),
        ("GRU_2layer", Kind::Gru),
    ] {
        let net = &golden[name];
        let size = |key: &str| net[key].as_u64().unwrap() as usize;
        let layers = Layers {
            kind,
            layers: size("layers"),
            hidden: size("hidden"),
            inputs: size("input"),
            bidirectional: false,
        };
        let (stack, params) = (layers.stack().unwrap(), params(&layers, &net["weights"]));
        let n = stack.state();
        let mut scratch = vec![0.0; Component::<f64>::scratch_len(&stack) * n];
        let (mut state, mut slab) = (vec![0.0; n], vec![0.0; Component::<f64>::slab_len(&stack)]);
        for x in numbers(&net["inputs"]).chunks_exact(stack.inputs()) {
            let u = [&state[..], x].concat();
            let out = BlockMut::new(&mut state, 1);
            stack.linearize(&params, Block::new(&u, 1), out, BlockMut::new(&mut slab, 1), &mut scratch);
        }
        for (i, (ours, theirs)) in state.iter().zip(numbers(&net["final_state"])).enumerate() {
            assert!((ours - theirs).abs() < 1e-12, "{name}, state {i}: {ours:e} {theirs:e}");
        }

        // All columns of the Jacobian in one push.
        let mut unit = vec![0.0; (n + stack.inputs()) * n];
        (0..n).for_each(|i| unit[i * n + i] = 1.0);
        let mut jacobian = vec![0.0; n * n];
        let tangent = Tangent::from(Block::new(&unit, n));
        stack.jvp(&params, Block::new(&slab, 1), tangent, BlockMut::new(&mut jacobian, n), &mut scratch);
        for (i, (ours, theirs)) in jacobian.iter().zip(numbers(&net["J_last"])).enumerate() {
            assert!((ours - theirs).abs() < 1e-12, "{name}, Jacobian {i}: {ours:e} {theirs:e}");
        }
    }
}
