//! Coefficients of the elementwise functions, near-minimax (Chebyshev interpolation in 300 bits).

/// What the elementwise functions need of a precision.
#[derive(Debug)]
pub struct Constants<T: 'static> {
    pub log2_e: T,
    /// ln 2 in two parts; the product of the first with any exponent is exact.
    pub ln2: (T, T),
    /// Adding this rounds to a whole number and leaves it, with the bias of exponents, in the lowest bits.
    pub round: T,
    pub half: T,
    pub two: T,
    /// Beyond these the exponential is zero or infinite.
    pub exp_range: (T, T),
    /// Beyond this the hyperbolic tangent is one.
    pub tanh_end: T,
    /// The smallest normal number, what makes any smaller one normal, and the power of two that this is.
    pub normal: (T, T, T),
    /// Bias of exponents.
    pub bias: T,
    pub sqrt_2: T,
    pub infinity: T,
    pub nan: T,
    /// `log₂(1 + f)` on `0 ≤ f ≤ 1` and `2ʳ` on `|r| ≤ ½`, both rough, and the largest exponent for the latter.
    pub rough_log2: &'static [T],
    pub rough_exp2: &'static [T],
    pub rough_bound: T,
    /// `(eʳ − 1 − r)/r²` on `|r| ≤ ln 2 / 2`.
    pub exp: &'static [T],
    /// `(2 atanh √z − 2√z)/(z√z)` on `0 ≤ z ≤ 1/9`.
    pub atanh: &'static [T],
    /// The same on `0 ≤ z ≤ (√2 − 1)⁴`.
    pub atanh_short: &'static [T],
}

#[allow(clippy::excessive_precision, clippy::approx_constant, reason = "they are what the fit gave")]
pub const F64: Constants<f64> = Constants {
    log2_e: std::f64::consts::LOG2_E,
    ln2: (0.693147180559663, 2.8235290563031577e-13),
    round: 6755399441055744.0 + 1023.0,
    half: 0.5,
    two: 2.0,
    exp_range: (-746.0, 710.0),
    tanh_end: 20.0,
    normal: (f64::MIN_POSITIVE, 18014398509481984.0, 54.0),
    bias: 1023.0,
    sqrt_2: std::f64::consts::SQRT_2,
    infinity: f64::INFINITY,
    nan: f64::NAN,
    rough_log2: &[
        1.2538275797466737e-05,
        1.4416845351543734,
        -0.7079923859259465,
        0.4136292414757727,
        -0.19219452585694544,
        0.0448731332936561,
    ],
    rough_exp2: &[
        1.0000001510429235,
        0.6931210354308419,
        0.24021865614407112,
        0.05592202909298256,
        0.009685706610342213,
    ],
    rough_bound: 100.0,
    exp: &[
        0.5000000000000001,
        0.16666666666666669,
        0.04166666666662348,
        0.008333333333330011,
        0.0013888888917538296,
        0.00019841269863303223,
        2.4801520792572694e-05,
        2.75572680728901e-06,
        2.762032742826824e-07,
        2.5100569275813683e-08,
    ],
    atanh: &[
        0.6666666666666666,
        0.3999999999999952,
        0.28571428571600266,
        0.22222222198216113,
        0.1818181989926796,
        0.15384543917753166,
        0.13335179661515711,
        0.11734265179376593,
        0.10845291032779812,
        0.07491639460673266,
        0.15631534707431224,
    ],
    atanh_short: &[
        0.666666666666667,
        0.39999999999899444,
        0.2857142862600327,
        0.22222211130259878,
        0.18182889455674947,
        0.15331710618210773,
        0.14616585424888623,
    ],
};

#[allow(clippy::excessive_precision, clippy::approx_constant, reason = "they are what the fit gave")]
pub const F32: Constants<f32> = Constants {
    log2_e: std::f32::consts::LOG2_E,
    ln2: (0.693145751953125, 1.4286068203094173e-06),
    round: 12582912.0 + 127.0,
    half: 0.5,
    two: 2.0,
    exp_range: (-105.0, 89.0),
    tanh_end: 10.0,
    normal: (f32::MIN_POSITIVE, 33554432.0, 25.0),
    bias: 127.0,
    sqrt_2: std::f32::consts::SQRT_2,
    infinity: f32::INFINITY,
    nan: f32::NAN,
    rough_log2: &[
        1.2538275797466737e-05,
        1.4416845351543734,
        -0.7079923859259465,
        0.4136292414757727,
        -0.19219452585694544,
        0.0448731332936561,
    ],
    rough_exp2: &[
        1.0000001510429235,
        0.6931210354308419,
        0.24021865614407112,
        0.05592202909298256,
        0.009685706610342213,
    ],
    rough_bound: 100.0,
    exp: &[0.5, 0.166666672, 0.041666463, 0.00833331048, 0.00139338209, 0.000198911803],
    atanh: &[0.666666687, 0.399997056, 0.28592366, 0.217064604, 0.232249215],
    atanh_short: &[0.66666685, 0.399887783, 0.295800530],
};
