//! The 25 problems: classes A (one equation), B (small systems), C (moderate systems), D (orbits), E (higher order).

use flowmap::dynamics::{Component, Lift, Scalar, SmallField};

/// A problem on [0, 20].
pub struct Case {
    pub name: &'static str,
    pub component: Box<dyn Component<f64>>,
    pub start: Vec<f64>,
}

macro_rules! fields {
    ($($name:ident<$n:literal>($t:ident, $y:pat) = $rhs:expr;)*) => {$(
        struct $name;
        impl SmallField<$n, 0> for $name {
            #[inline(always)]
            fn rhs<S: Scalar>(&self, $t: S, $y: [S; $n], _: [S; 0]) -> [S; $n] {
                $rhs
            }
        }
    )*};
}

fn of<S: Scalar>(x: f64) -> S {
    S::of(x)
}

fields! {
    A1<1>(_t, [y]) = [-y];
    A2<1>(_t, [y]) = [-y * y * y / of(2.0)];
    A3<1>(t, [y]) = [y * t.cos()];
    A4<1>(_t, [y]) = [y / of(4.0) * (of::<S>(1.0) - y / of(20.0))];
    A5<1>(t, [y]) = [(y - t) / (y + t)];
    B1<2>(_t, [a, b]) = [of::<S>(2.0) * (a - a * b), -(b - a * b)];
    B2<3>(_t, [a, b, c]) = [-a + b, a - of::<S>(2.0) * b + c, b - c];
    B3<3>(_t, [a, b, _]) = [-a, a - b * b, b * b];
    B4<3>(_t, [a, b, c]) = {
        let r = (a * a + b * b).sqrt();
        [-b - a * c / r, a - b * c / r, a / r]
    };
    B5<3>(_t, [a, b, c]) = [b * c, -a * c, of::<S>(-0.51) * a * b];
    C1<10>(_t, y) = std::array::from_fn(|i| match i {
        0 => -y[0],
        9 => y[8],
        _ => y[i - 1] - y[i],
    });
    C2<10>(_t, y) = std::array::from_fn(|i| match i {
        0 => -y[0],
        9 => of::<S>(9.0) * y[8],
        _ => of::<S>(i as f64) * y[i - 1] - of::<S>(i as f64 + 1.0) * y[i],
    });
    C3<10>(_t, y) = chain(y);
    C4<51>(_t, y) = chain(y);
    C5<30>(_t, y) = planets(y);
    E1<2>(t, [a, b]) = {
        let s = t + of(1.0);
        [b, -(b / s + (of::<S>(1.0) - of::<S>(0.25) / (s * s)) * a)]
    };
    E2<2>(_t, [a, b]) = [b, (of::<S>(1.0) - a * a) * b - a];
    E3<2>(t, [a, b]) = [b, a * a * a / of(6.0) - a + of::<S>(2.0) * (of::<S>(2.78535) * t).sin()];
    E4<2>(_t, [_, b]) = [b, of::<S>(0.032) - of::<S>(0.4) * b * b];
    E5<2>(t, [_, b]) = [b, (of::<S>(1.0) + b * b).sqrt() / (of::<S>(25.0) - t)];
    Orbit<4>(_t, [x, y, u, v]) = {
        let square = x * x + y * y;
        let cube = square * square.sqrt();
        [u, v, -x / cube, -y / cube]
    };
}

/// Diffusion along a chain.
fn chain<S: Scalar, const N: usize>(y: [S; N]) -> [S; N] {
    std::array::from_fn(|i| {
        let left = if i > 0 { y[i - 1] } else { of(0.0) };
        let right = if i + 1 < N { y[i + 1] } else { of(0.0) };
        left - of::<S>(2.0) * y[i] + right
    })
}

/// The sun's mass with the inner planets', then the outer planets'.
const MASSES: [f64; 6] =
    [1.00000597682, 0.000954786104043, 0.000285583733151, 0.0000437273164546, 0.0000517759138449, 0.00000277777777778];

/// The outer planets about the sun: fifteen positions, planet after planet, then their velocities.
fn planets<S: Scalar>(y: [S; 30]) -> [S; 30] {
    let gravity = 2.95912208286;
    let cube = |d: [S; 3]| {
        let square = d[0] * d[0] + d[1] * d[1] + d[2] * d[2];
        square * square.sqrt()
    };
    let at = |j: usize| [y[3 * j], y[3 * j + 1], y[3 * j + 2]];
    let own: [S; 5] = std::array::from_fn(|j| cube(at(j)));
    std::array::from_fn(|i| {
        if i < 15 {
            return y[15 + i];
        }
        let (j, axis) = ((i - 15) / 3, (i - 15) % 3);
        let mut pull = -of::<S>(MASSES[0] + MASSES[j + 1]) * at(j)[axis] / own[j];
        for k in (0..5).filter(|&k| k != j) {
            let (a, b) = (at(k), at(j));
            let apart = cube([a[0] - b[0], a[1] - b[1], a[2] - b[2]]);
            pull = pull + of::<S>(MASSES[k + 1]) * ((a[axis] - b[axis]) / apart - a[axis] / own[k]);
        }
        of::<S>(gravity) * pull
    })
}

const PLANETS: [f64; 30] = [
    3.42947415189,
    3.35386959711,
    1.35494901715,
    6.64145542550,
    5.97156957878,
    2.18231499728,
    11.2630437207,
    14.6952576794,
    6.27960525067,
    -30.1552268759,
    1.65699966404,
    1.43785752721,
    -21.1238353380,
    28.4465098142,
    15.3882659679,
    -0.557160570446,
    0.505696783289,
    0.230578543901,
    -0.415570776342,
    0.365682722812,
    0.169143213293,
    -0.325325669158,
    0.189706021964,
    0.0877265322780,
    -0.0240476254170,
    -0.287659532608,
    -0.117219543175,
    -0.176860753121,
    -0.216393453025,
    -0.0148647893090,
];

fn unit(n: usize) -> Vec<f64> {
    let mut start = vec![0.0; n];
    start[0] = 1.0;
    start
}

/// All problems, in their usual order.
pub fn cases() -> Vec<Case> {
    macro_rules! case {
        ($name:literal, $field:ident<$n:literal>, $start:expr) => {
            Case { name: $name, component: Box::new(Lift::<_, $n, 0>($field)), start: $start.to_vec() }
        };
    }
    let orbit = |e: f64| vec![1.0 - e, 0.0, 0.0, ((1.0 + e) / (1.0 - e)).sqrt()];
    vec![
        case!("A1", A1<1>, [1.0]),
        case!("A2", A2<1>, [1.0]),
        case!("A3", A3<1>, [1.0]),
        case!("A4", A4<1>, [1.0]),
        case!("A5", A5<1>, [4.0]),
        case!("B1", B1<2>, [1.0, 3.0]),
        case!("B2", B2<3>, [2.0, 0.0, 1.0]),
        case!("B3", B3<3>, [1.0, 0.0, 0.0]),
        case!("B4", B4<3>, [3.0, 0.0, 0.0]),
        case!("B5", B5<3>, [0.0, 1.0, 1.0]),
        case!("C1", C1<10>, unit(10)),
        case!("C2", C2<10>, unit(10)),
        case!("C3", C3<10>, unit(10)),
        case!("C4", C4<51>, unit(51)),
        case!("C5", C5<30>, PLANETS),
        case!("D1", Orbit<4>, orbit(0.1)),
        case!("D2", Orbit<4>, orbit(0.3)),
        case!("D3", Orbit<4>, orbit(0.5)),
        case!("D4", Orbit<4>, orbit(0.7)),
        case!("D5", Orbit<4>, orbit(0.9)),
        case!("E1", E1<2>, [0.671396707141803, 0.09540051444747446]),
        case!("E2", E2<2>, [2.0, 0.0]),
        case!("E3", E3<2>, [0.0, 0.0]),
        case!("E4", E4<2>, [30.0, 0.0]),
        case!("E5", E5<2>, [0.0, 0.0]),
    ]
}
