//! Sum rules of recurrent cells.

use super::sums::{EXACT, SumRule, log_det};
use crate::Real;
use crate::cells::{Cell, Kind, Stack};
use crate::dynamics::Component;
use crate::linalg;
use crate::nn::Activation;

impl<'a, T: Real> SumRule<'a, T> {
    /// Identities of recurrent cells and stacks of them: `ln|det W_hh| + Σ ln sech² a` for tanh cells of preactivations `a`,
    /// `ln|det W_ho| + Σ ln(|tanh c'| o (1 − o)) + Σ ln f` for the LSTM, by elimination of blocks; a stack's Jacobian is
    /// block triangular. None for other cells.
    pub fn cells(stack: &Stack, params: &'a [T]) -> Option<Self> {
        let known = |cell: &Cell| matches!(cell.kind, Kind::Rnn(Activation::Tanh) | Kind::Lstm);
        if !stack.layers().iter().all(known) {
            return None;
        }
        let (layers, hidden) = (stack.layers().to_vec(), stack.output().end);
        let mut first = 0;
        let parts: Vec<(Cell, &'a [T], f64)> = layers
            .into_iter()
            .map(|cell| {
                let own = &params[first..first + Component::<T>::param_count(&cell)];
                first += own.len();
                let (rows, h) = (cell.gate_rows(), cell.hidden);
                let recurrent = &own[rows * cell.inputs..rows * (cell.inputs + h)];
                // The output gate's rows are the last.
                let volume = log_det(h, |i, j| recurrent[j * rows + rows - h + i].f64());
                (cell, own, volume)
            })
            .collect();
        let cost = parts.iter().map(|(cell, own, _)| 4.0 * own.len() as f64 + 100.0 * cell.state() as f64).sum();
        let mut gates = Vec::new();
        let mut recurrent = Vec::new();
        let rule = move |u: &[T], next: &[T]| {
            let (mut h_at, mut c_at) = (0, hidden);
            // The lowest layer's input stands below the state; the others take the new `h` of the layer below.
            let mut input = &u[next.len()..];
            let mut sum = 0.0;
            for &(cell, own, volume) in &parts {
                let size = cell.hidden;
                let h = h_at..h_at + size;
                sum += volume;
                let (rows, inputs) = (cell.gate_rows(), cell.inputs);
                let (ih, rest) = own.split_at(rows * inputs);
                let (hh, rest) = rest.split_at(rows * size);
                let (b_ih, b_hh) = rest.split_at(rows);
                gates.resize(rows, T::zero());
                recurrent.resize(rows, T::zero());
                linalg::affine(ih, b_ih, input, &mut gates, 1);
                linalg::affine(hh, b_hh, &u[h.clone()], &mut recurrent, 1);
                gates.iter_mut().zip(&recurrent).for_each(|(g, &r)| *g += r);
                if cell.kind == Kind::Lstm {
                    let c = c_at..c_at + size;
                    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
                    for k in 0..size {
                        let (f, o) = (gates[size + k].f64(), gates[3 * size + k].f64());
                        // 1 − σ(x) = σ(−x), without cancellation.
                        sum += (next[c.start + k].f64().tanh().abs() * sigmoid(o) * sigmoid(-o)).ln() + sigmoid(f).ln();
                    }
                    c_at = c.end;
                } else {
                    // ln sech² a, of any size: 1 − h'² has no digits left where the unit is saturated.
                    let log_slope = |a: f64| 2.0 * (2f64.ln() - a.abs() - (-2.0 * a.abs()).exp().ln_1p());
                    sum += gates.iter().map(|a| log_slope(a.f64())).sum::<f64>();
                }
                input = &next[h];
                h_at += size;
            }
            sum
        };
        Some(Self { name: "identity of the cell", tolerance: EXACT, cost, rule: Box::new(rule) })
    }
}
