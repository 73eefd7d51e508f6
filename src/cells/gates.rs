//! What the cells do with each unit's numbers: forward, along a tangent, and back along a cotangent.
//!
//! Names: `r z n` and `i f g o` are gates, `q = W_hn h + b_hn`, `t = tanh c'`; a leading `d` is a tangent, a trailing
//! `_bar` a cotangent. Derivatives of gates are meant before their sigmoid or hyperbolic tangent.

use super::jet::{Number, jet};
use crate::linalg::{At, Kernels, Pointwise, Results, Vector};

/// The gates' cotangents and `c`'s, from those of `h'` and `c'`.
#[inline(always)]
fn lstm_pull<N: Number>(one: N, [i, f, g, o, t, c]: [N; 6], [h_bar, c_bar]: [N; 2]) -> [N; 5] {
    let cell = c_bar + h_bar * o * (one - t * t);
    [cell * g * i * (one - i), cell * c * f * (one - f), cell * i * (one - g * g), h_bar * t * o * (one - o), cell * f]
}

/// The cotangents of the input's part, of the recurrent part, and of `h` itself, from that of `h'`.
#[inline(always)]
fn gru_pull<N: Number>(one: N, [r, z, n, q, h]: [N; 5], w: N) -> [N; 7] {
    let n_bar = w * (one - z) * (one - n * n);
    let z_bar = w * (h - n) * z * (one - z);
    let r_bar = n_bar * q * r * (one - r);
    [r_bar, z_bar, n_bar, r_bar, z_bar, n_bar * r, w * z]
}

macro_rules! pointwise {
    ($(
        $(#[$doc:meta])*
        $name:ident: [$($kept:ident),*] [$($own:ident),*] [$($from:ident),*] -> $o:literal,
        |$one:ident| $body:block
    )*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(super) struct $name;

        impl Pointwise<{ count!($($kept)*) }, { count!($($own)*) }, { count!($($from)*) }, $o> for $name {
            #[inline(always)]
            fn of<T: Kernels, V: Vector<T>>(
                self,
                [$($kept),*]: [At<T, V>; { count!($($kept)*) }],
                [$($own),*]: [At<T, V>; { count!($($own)*) }],
                [$($from),*]: [At<T, V>; { count!($($from)*) }],
            ) -> Results<T, V, { count!($($own)*) }, $o> {
                let $one = At::<T, V>::splat(T::ONE);
                $body
            }
        }
    )*};
}

macro_rules! count {
    () => { 0 };
    ($first:ident $($rest:ident)*) => { 1 + count!($($rest)*) };
}

pointwise! {
    /// Preactivations become gates; to `t`, `h'`, `c'`.
    LstmForward: [] [i, f, g, o] [c] -> 3, |_one| {
        let (i, f, g, o) = (i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid());
        let next = f.fma(c, i * g);
        let t = next.tanh();
        ([i, f, g, o], [t, o * t, next])
    }

    /// From the gates' tangents and `dc`; to `dh'`, `dc'`.
    LstmPush: [i, f, g, o, t, c] [] [di, df, dg, d_o, dc] -> 2, |one| {
        let cell = f * dc + c * f * (one - f) * df + g * i * (one - i) * di + i * (one - g * g) * dg;
        ([], [o * (one - t * t) * cell + t * o * (one - o) * d_o, cell])
    }

    /// From `h_bar`, `c_bar`; to the gates' cotangents and `c`'s.
    LstmPull: [i, f, g, o, t, c] [] [h_bar, c_bar] -> 5, |one| {
        ([], lstm_pull(one, [i, f, g, o, t, c], [h_bar, c_bar]))
    }

    /// From the gates' tangents, `dc`, and the cotangents of the tangents `dh'`, `dc'`; to the derivatives by the gates and
    /// `c`: those of the pull along the tangents, as second derivatives are symmetric.
    LstmBend: [i, f, g, o, t, c] [] [di, df, dg, d_o, dc, h_bar, c_bar] -> 5, |one| {
        let none = At::<T, V>::splat(T::ZERO);
        let (di, df, dg, d_o) = (i * (one - i) * di, f * (one - f) * df, (one - g * g) * dg, o * (one - o) * d_o);
        let dt = (one - t * t) * (f * dc + c * df + g * di + i * dg);
        let kept = [jet(i, di), jet(f, df), jet(g, dg), jet(o, d_o), jet(t, dt), jet(c, dc)];
        let [i, f, g, o, c] = lstm_pull(jet(one, none), kept, [jet(h_bar, none), jet(c_bar, none)]);
        ([], [i.slope, f.slope, g.slope, o.slope, c.slope])
    }

    /// The input's part becomes the gates `r, z, n`; from the recurrent part and `h`; to `q`, `h'`.
    GruForward: [] [r, z, n] [r_h, z_h, q, h] -> 2, |_one| {
        let (r, z) = ((r + r_h).sigmoid(), (z + z_h).sigmoid());
        let n = r.fma(q, n).tanh();
        ([r, z, n], [q, z.fma(h - n, n)])
    }

    /// From both parts' tangents and `dh`; to `dh'`.
    GruPush: [r, z, n, q, h] [] [dr_x, dz_x, dn_x, dr_h, dz_h, dq, dh] -> 1, |one| {
        let dr = r * (one - r) * (dr_x + dr_h);
        let dz = z * (one - z) * (dz_x + dz_h);
        let dn = (one - n * n) * (dn_x + r * dq + q * dr);
        ([], [(one - z) * dn + z * dh + (h - n) * dz])
    }

    /// From `h'_bar`; to the cotangents of the input's part, of the recurrent part, and of `h` itself.
    GruPull: [r, z, n, q, h] [] [w] -> 7, |one| {
        ([], gru_pull(one, [r, z, n, q, h], w))
    }

    /// From both parts' tangents, `dh` and the cotangent of `dh'`; to the derivatives by both parts and by `h` itself, as
    /// for the LSTM.
    GruBend: [r, z, n, q, h] [] [dr_x, dz_x, dn_x, dr_h, dz_h, dq, dh, w] -> 7, |one| {
        let none = At::<T, V>::splat(T::ZERO);
        let (dr, dz) = (r * (one - r) * (dr_x + dr_h), z * (one - z) * (dz_x + dz_h));
        let dn = (one - n * n) * (dn_x + r * dq + q * dr);
        let kept = [jet(r, dr), jet(z, dz), jet(n, dn), jet(q, dq), jet(h, dh)];
        let [a, b, c, d, e, f, g] = gru_pull(jet(one, none), kept, jet(w, none));
        ([], [a.slope, b.slope, c.slope, d.slope, e.slope, f.slope, g.slope])
    }

    /// Preactivations become `r, z`; from `h`; to `s = r h`.
    ClassicReset: [] [r, z] [h] -> 1, |_one| {
        let r = r.sigmoid();
        ([r, z.sigmoid()], [r * h])
    }

    /// The preactivation becomes `n`; from `z`, `h`; to `h'`.
    ClassicForward: [] [n] [z, h] -> 1, |_one| {
        let n = n.tanh();
        ([n], [z.fma(h - n, n)])
    }

    /// From the tangents of `r`'s preactivation and of `h`; to that of `s`.
    ClassicResetPush: [r, h] [] [dr, dh] -> 1, |one| {
        ([], [r * dh + h * r * (one - r) * dr])
    }

    /// From the tangents of the preactivations of `z, n` and of `h`; to `dh'`.
    ClassicPush: [z, n, h] [] [dz, dn, dh] -> 1, |one| {
        ([], [(one - z) * (one - n * n) * dn + z * dh + (h - n) * z * (one - z) * dz])
    }

    /// From `h'_bar`; to the cotangents of the preactivations of `z, n`, and of `h` itself.
    ClassicPull: [z, n, h] [] [w] -> 3, |one| {
        ([], [w * (h - n) * z * (one - z), w * (one - z) * (one - n * n), w * z])
    }

    /// `h`'s cotangent grows; from that of `s`; to that of `r`'s preactivation.
    ClassicResetPull: [r, h] [h_bar] [s_bar] -> 1, |one| {
        ([s_bar.fma(r, h_bar)], [s_bar * h * r * (one - r)])
    }
}
