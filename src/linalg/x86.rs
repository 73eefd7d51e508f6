//! Vectors of AVX2 and AVX-512.

use super::vector::Vector;
use std::arch::x86_64::*;

/// Sliding a window over this gives the mask of the first `n` numbers.
static FIRST_64: [i64; 8] = [-1, -1, -1, -1, 0, 0, 0, 0];
static FIRST_32: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];

/// SAFETY of every block made here: values of these types arise only in functions that `dispatch` enters after it found
/// the instructions; addresses are promised by the callers of the unsafe functions.
macro_rules! vector {
    (
        $(#[$doc:meta])* $name:ident($raw:ident) of $n:literal $T:ident, $registers:literal registers;
        $splat:ident $load:ident $store:ident $add:ident $sub:ident $mul:ident $div:ident $fma:ident $max:ident $min:ident
        $transpose:ident;
        $($own:item)*
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name($raw);

        impl Vector<$T> for $name {
            const N: usize = $n;
            const REGISTERS: usize = $registers;

            #[inline(always)]
            fn splat(x: $T) -> Self {
                // SAFETY: see the macro.
                Self(unsafe { $splat(x) })
            }
            #[inline(always)]
            unsafe fn load(from: *const $T) -> Self {
                // SAFETY: see the macro.
                Self(unsafe { $load(from) })
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $T) {
                // SAFETY: see the macro.
                unsafe { $store(to, self.0) }
            }
            #[inline(always)]
            fn add(self, other: Self) -> Self {
                // SAFETY: see the macro.
                Self(unsafe { $add(self.0, other.0) })
            }
            #[inline(always)]
            fn sub(self, other: Self) -> Self {
                // SAFETY: see the macro.
                Self(unsafe { $sub(self.0, other.0) })
            }
            #[inline(always)]
            fn mul(self, other: Self) -> Self {
                // SAFETY: see the macro.
                Self(unsafe { $mul(self.0, other.0) })
            }
            #[inline(always)]
            fn div(self, other: Self) -> Self {
                // SAFETY: see the macro.
                Self(unsafe { $div(self.0, other.0) })
            }
            #[inline(always)]
            fn fma(self, b: Self, c: Self) -> Self {
                // SAFETY: see the macro.
                Self(unsafe { $fma(self.0, b.0, c.0) })
            }
            #[inline(always)]
            fn fma_one(a: $T, b: $T, c: $T) -> $T {
                a.mul_add(b, c)
            }
            // Of two operands, one of them NaN, these instructions return the second.
            #[inline(always)]
            fn at_most(self, bound: Self) -> Self {
                // SAFETY: see the macro.
                Self(unsafe { $min(bound.0, self.0) })
            }
            #[inline(always)]
            fn at_least(self, bound: Self) -> Self {
                // SAFETY: see the macro.
                Self(unsafe { $max(bound.0, self.0) })
            }
            #[inline(always)]
            unsafe fn transpose_four(from: *const $T, stride: usize, to: *mut $T, to_stride: usize) {
                // SAFETY: see the macro.
                unsafe { $transpose(from, stride, to, to_stride) }
            }
            $($own)*
        }
    };
}

/// # Safety
/// AVX is there; four numbers can be read at each of four rows, and written at each of four columns.
#[inline(always)]
unsafe fn transpose_doubles(from: *const f64, stride: usize, to: *mut f64, to_stride: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        let (a, b) = (_mm256_loadu_pd(from), _mm256_loadu_pd(from.add(stride)));
        let (c, d) = (_mm256_loadu_pd(from.add(2 * stride)), _mm256_loadu_pd(from.add(3 * stride)));
        let (ab0, ab1) = (_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b));
        let (cd0, cd1) = (_mm256_unpacklo_pd(c, d), _mm256_unpackhi_pd(c, d));
        _mm256_storeu_pd(to, _mm256_permute2f128_pd::<0x20>(ab0, cd0));
        _mm256_storeu_pd(to.add(to_stride), _mm256_permute2f128_pd::<0x20>(ab1, cd1));
        _mm256_storeu_pd(to.add(2 * to_stride), _mm256_permute2f128_pd::<0x31>(ab0, cd0));
        _mm256_storeu_pd(to.add(3 * to_stride), _mm256_permute2f128_pd::<0x31>(ab1, cd1));
    }
}

/// # Safety
/// As for `transpose_doubles`.
#[inline(always)]
unsafe fn transpose_floats(from: *const f32, stride: usize, to: *mut f32, to_stride: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        let (a, b) = (_mm_loadu_ps(from), _mm_loadu_ps(from.add(stride)));
        let (c, d) = (_mm_loadu_ps(from.add(2 * stride)), _mm_loadu_ps(from.add(3 * stride)));
        let (ab0, ab1) = (_mm_unpacklo_ps(a, b), _mm_unpackhi_ps(a, b));
        let (cd0, cd1) = (_mm_unpacklo_ps(c, d), _mm_unpackhi_ps(c, d));
        _mm_storeu_ps(to, _mm_movelh_ps(ab0, cd0));
        _mm_storeu_ps(to.add(to_stride), _mm_movehl_ps(cd0, ab0));
        _mm_storeu_ps(to.add(2 * to_stride), _mm_movelh_ps(ab1, cd1));
        _mm_storeu_ps(to.add(3 * to_stride), _mm_movehl_ps(cd1, ab1));
    }
}

vector! {
    /// Four doubles of AVX2.
    F64x4(__m256d) of 4 f64, 16 registers;
    _mm256_set1_pd _mm256_loadu_pd _mm256_storeu_pd _mm256_add_pd _mm256_sub_pd _mm256_mul_pd _mm256_div_pd
    _mm256_fmadd_pd _mm256_max_pd _mm256_min_pd transpose_doubles;

    type Mask = __m256d;

    #[inline(always)]
    unsafe fn load_part(from: *const f64, count: usize) -> Self {
        // SAFETY: the window stays in the table as `count <= 4`; masked numbers are not touched.
        unsafe {
            let mask = _mm256_loadu_si256(FIRST_64.as_ptr().add(4 - count).cast());
            Self(_mm256_maskload_pd(from, mask))
        }
    }
    #[inline(always)]
    unsafe fn store_part(self, mut to: *mut f64, count: usize) {
        // Masked stores are microcoded on many processors; these are not.
        // SAFETY: writes `count` numbers, as the caller allows.
        unsafe {
            if count == 4 {
                return self.store(to);
            }
            let mut low = _mm256_castpd256_pd128(self.0);
            if count & 2 != 0 {
                _mm_storeu_pd(to, low);
                to = to.add(2);
                low = _mm256_extractf128_pd::<1>(self.0);
            }
            if count & 1 != 0 {
                _mm_store_sd(to, low);
            }
        }
    }
    #[inline(always)]
    fn abs(self) -> Self {
        // SAFETY: see the macro.
        Self(unsafe { _mm256_andnot_pd(_mm256_set1_pd(-0.0), self.0) })
    }
    #[inline(always)]
    fn with_sign(self, sign: Self) -> Self {
        // SAFETY: see the macro.
        unsafe {
            let bit = _mm256_set1_pd(-0.0);
            Self(_mm256_or_pd(_mm256_andnot_pd(bit, self.0), _mm256_and_pd(bit, sign.0)))
        }
    }
    #[inline(always)]
    fn less(self, other: Self) -> __m256d {
        // SAFETY: see the macro.
        unsafe { _mm256_cmp_pd::<_CMP_LT_OQ>(self.0, other.0) }
    }
    #[inline(always)]
    fn select(mask: __m256d, yes: Self, no: Self) -> Self {
        // SAFETY: see the macro.
        Self(unsafe { _mm256_blendv_pd(no.0, yes.0, mask) })
    }
    #[inline(always)]
    fn exponent(self) -> Self {
        // SAFETY: see the macro.
        Self(unsafe { _mm256_castsi256_pd(_mm256_slli_epi64::<52>(_mm256_castpd_si256(self.0))) })
    }
    #[inline(always)]
    fn neg(self) -> Self {
        // SAFETY: see the macro.
        Self(unsafe { _mm256_xor_pd(_mm256_set1_pd(-0.0), self.0) })
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        // SAFETY: see the macro.
        Self(unsafe { _mm256_sqrt_pd(self.0) })
    }
    #[inline(always)]
    fn less_or_equal(self, other: Self) -> __m256d {
        // SAFETY: see the macro.
        unsafe { _mm256_cmp_pd::<_CMP_LE_OQ>(self.0, other.0) }
    }
    #[inline(always)]
    fn both(a: __m256d, b: __m256d) -> __m256d {
        // SAFETY: see the macro.
        unsafe { _mm256_and_pd(a, b) }
    }
    #[inline(always)]
    fn either(a: __m256d, b: __m256d) -> __m256d {
        // SAFETY: see the macro.
        unsafe { _mm256_or_pd(a, b) }
    }
    #[inline(always)]
    fn not(mask: __m256d) -> __m256d {
        // SAFETY: see the macro.
        unsafe { _mm256_xor_pd(mask, _mm256_castsi256_pd(_mm256_set1_epi32(-1))) }
    }
    #[inline(always)]
    fn bits(mask: __m256d) -> u32 {
        // SAFETY: see the macro.
        unsafe { _mm256_movemask_pd(mask) as u32 }
    }
    // As the digits of a number whose last digit counts ones.
    #[inline(always)]
    fn exponent_field(self) -> Self {
        // SAFETY: see the macro.
        unsafe {
            let ones = _mm256_set1_pd(4503599627370496.0);
            let field = _mm256_castsi256_pd(_mm256_srli_epi64::<52>(_mm256_castpd_si256(self.0)));
            Self(_mm256_sub_pd(_mm256_or_pd(field, ones), ones))
        }
    }
    #[inline(always)]
    fn mantissa(self) -> Self {
        // SAFETY: see the macro.
        unsafe {
            let sign_and_exponent = _mm256_set1_pd(f64::NEG_INFINITY);
            Self(_mm256_or_pd(_mm256_andnot_pd(sign_and_exponent, self.0), _mm256_set1_pd(1.0)))
        }
    }
}

vector! {
    /// Eight floats of AVX2.
    F32x8(__m256) of 8 f32, 16 registers;
    _mm256_set1_ps _mm256_loadu_ps _mm256_storeu_ps _mm256_add_ps _mm256_sub_ps _mm256_mul_ps _mm256_div_ps
    _mm256_fmadd_ps _mm256_max_ps _mm256_min_ps transpose_floats;

    type Mask = __m256;

    #[inline(always)]
    unsafe fn load_part(from: *const f32, count: usize) -> Self {
        // SAFETY: the window stays in the table as `count <= 8`; masked numbers are not touched.
        unsafe {
            let mask = _mm256_loadu_si256(FIRST_32.as_ptr().add(8 - count).cast());
            Self(_mm256_maskload_ps(from, mask))
        }
    }
    #[inline(always)]
    unsafe fn store_part(self, mut to: *mut f32, count: usize) {
        // SAFETY: writes `count` numbers, as the caller allows.
        unsafe {
            if count == 8 {
                return self.store(to);
            }
            let mut low = _mm256_castps256_ps128(self.0);
            if count & 4 != 0 {
                _mm_storeu_ps(to, low);
                to = to.add(4);
                low = _mm256_extractf128_ps::<1>(self.0);
            }
            if count & 2 != 0 {
                _mm_storel_pd(to.cast(), _mm_castps_pd(low));
                to = to.add(2);
                low = _mm_movehl_ps(low, low);
            }
            if count & 1 != 0 {
                _mm_store_ss(to, low);
            }
        }
    }
    #[inline(always)]
    fn abs(self) -> Self {
        // SAFETY: see the macro.
        Self(unsafe { _mm256_andnot_ps(_mm256_set1_ps(-0.0), self.0) })
    }
    #[inline(always)]
    fn with_sign(self, sign: Self) -> Self {
        // SAFETY: see the macro.
        unsafe {
            let bit = _mm256_set1_ps(-0.0);
            Self(_mm256_or_ps(_mm256_andnot_ps(bit, self.0), _mm256_and_ps(bit, sign.0)))
        }
    }
    #[inline(always)]
    fn less(self, other: Self) -> __m256 {
        // SAFETY: see the macro.
        unsafe { _mm256_cmp_ps::<_CMP_LT_OQ>(self.0, other.0) }
    }
    #[inline(always)]
    fn select(mask: __m256, yes: Self, no: Self) -> Self {
        // SAFETY: see the macro.
        Self(unsafe { _mm256_blendv_ps(no.0, yes.0, mask) })
    }
    #[inline(always)]
    fn exponent(self) -> Self {
        // SAFETY: see the macro.
        Self(unsafe { _mm256_castsi256_ps(_mm256_slli_epi32::<23>(_mm256_castps_si256(self.0))) })
    }
    #[inline(always)]
    fn neg(self) -> Self {
        // SAFETY: see the macro.
        Self(unsafe { _mm256_xor_ps(_mm256_set1_ps(-0.0), self.0) })
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        // SAFETY: see the macro.
        Self(unsafe { _mm256_sqrt_ps(self.0) })
    }
    #[inline(always)]
    fn less_or_equal(self, other: Self) -> __m256 {
        // SAFETY: see the macro.
        unsafe { _mm256_cmp_ps::<_CMP_LE_OQ>(self.0, other.0) }
    }
    #[inline(always)]
    fn both(a: __m256, b: __m256) -> __m256 {
        // SAFETY: see the macro.
        unsafe { _mm256_and_ps(a, b) }
    }
    #[inline(always)]
    fn either(a: __m256, b: __m256) -> __m256 {
        // SAFETY: see the macro.
        unsafe { _mm256_or_ps(a, b) }
    }
    #[inline(always)]
    fn not(mask: __m256) -> __m256 {
        // SAFETY: see the macro.
        unsafe { _mm256_xor_ps(mask, _mm256_castsi256_ps(_mm256_set1_epi32(-1))) }
    }
    #[inline(always)]
    fn bits(mask: __m256) -> u32 {
        // SAFETY: see the macro.
        unsafe { _mm256_movemask_ps(mask) as u32 }
    }
    // As the digits of a number whose last digit counts ones.
    #[inline(always)]
    fn exponent_field(self) -> Self {
        // SAFETY: see the macro.
        unsafe {
            let ones = _mm256_set1_ps(8388608.0);
            let field = _mm256_castsi256_ps(_mm256_srli_epi32::<23>(_mm256_castps_si256(self.0)));
            Self(_mm256_sub_ps(_mm256_or_ps(field, ones), ones))
        }
    }
    #[inline(always)]
    fn mantissa(self) -> Self {
        // SAFETY: see the macro.
        unsafe {
            let sign_and_exponent = _mm256_set1_ps(f32::NEG_INFINITY);
            Self(_mm256_or_ps(_mm256_andnot_ps(sign_and_exponent, self.0), _mm256_set1_ps(1.0)))
        }
    }
}

vector! {
    /// Eight doubles of AVX-512.
    F64x8(__m512d) of 8 f64, 32 registers;
    _mm512_set1_pd _mm512_loadu_pd _mm512_storeu_pd _mm512_add_pd _mm512_sub_pd _mm512_mul_pd _mm512_div_pd
    _mm512_fmadd_pd _mm512_max_pd _mm512_min_pd transpose_doubles;

    type Mask = __mmask8;

    #[inline(always)]
    unsafe fn load_part(from: *const f64, count: usize) -> Self {
        // SAFETY: masked numbers are not touched.
        Self(unsafe { _mm512_maskz_loadu_pd(((1u32 << count) - 1) as __mmask8, from) })
    }
    #[inline(always)]
    unsafe fn store_part(self, to: *mut f64, count: usize) {
        // SAFETY: masked numbers are not touched.
        unsafe { _mm512_mask_storeu_pd(to, ((1u32 << count) - 1) as __mmask8, self.0) }
    }
    #[inline(always)]
    fn abs(self) -> Self {
        // SAFETY: see the macro.
        Self(unsafe { _mm512_abs_pd(self.0) })
    }
    #[inline(always)]
    fn with_sign(self, sign: Self) -> Self {
        // SAFETY: see the macro.
        unsafe {
            let bit = _mm512_set1_pd(-0.0);
            Self(_mm512_or_pd(_mm512_andnot_pd(bit, self.0), _mm512_and_pd(bit, sign.0)))
        }
    }
    #[inline(always)]
    fn less(self, other: Self) -> __mmask8 {
        // SAFETY: see the macro.
        unsafe { _mm512_cmp_pd_mask::<_CMP_LT_OQ>(self.0, other.0) }
    }
    #[inline(always)]
    fn select(mask: __mmask8, yes: Self, no: Self) -> Self {
        // SAFETY: see the macro.
        Self(unsafe { _mm512_mask_blend_pd(mask, no.0, yes.0) })
    }
    #[inline(always)]
    fn exponent(self) -> Self {
        // SAFETY: see the macro.
        Self(unsafe { _mm512_castsi512_pd(_mm512_slli_epi64::<52>(_mm512_castpd_si512(self.0))) })
    }
    #[inline(always)]
    fn neg(self) -> Self {
        // SAFETY: see the macro.
        Self(unsafe { _mm512_xor_pd(_mm512_set1_pd(-0.0), self.0) })
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        // SAFETY: see the macro.
        Self(unsafe { _mm512_sqrt_pd(self.0) })
    }
    #[inline(always)]
    fn less_or_equal(self, other: Self) -> __mmask8 {
        // SAFETY: see the macro.
        unsafe { _mm512_cmp_pd_mask::<_CMP_LE_OQ>(self.0, other.0) }
    }
    #[inline(always)]
    fn both(a: __mmask8, b: __mmask8) -> __mmask8 {
        a & b
    }
    #[inline(always)]
    fn either(a: __mmask8, b: __mmask8) -> __mmask8 {
        a | b
    }
    #[inline(always)]
    fn not(mask: __mmask8) -> __mmask8 {
        !mask
    }
    #[inline(always)]
    fn bits(mask: __mmask8) -> u32 {
        mask.into()
    }
    #[inline(always)]
    fn exponent_field(self) -> Self {
        // SAFETY: see the macro.
        unsafe {
            let ones = _mm512_set1_pd(4503599627370496.0);
            let field = _mm512_castsi512_pd(_mm512_srli_epi64::<52>(_mm512_castpd_si512(self.0)));
            Self(_mm512_sub_pd(_mm512_or_pd(field, ones), ones))
        }
    }
    #[inline(always)]
    fn mantissa(self) -> Self {
        // SAFETY: see the macro.
        unsafe {
            let sign_and_exponent = _mm512_set1_pd(f64::NEG_INFINITY);
            Self(_mm512_or_pd(_mm512_andnot_pd(sign_and_exponent, self.0), _mm512_set1_pd(1.0)))
        }
    }
}

vector! {
    /// Sixteen floats of AVX-512.
    F32x16(__m512) of 16 f32, 32 registers;
    _mm512_set1_ps _mm512_loadu_ps _mm512_storeu_ps _mm512_add_ps _mm512_sub_ps _mm512_mul_ps _mm512_div_ps
    _mm512_fmadd_ps _mm512_max_ps _mm512_min_ps transpose_floats;

    type Mask = __mmask16;

    #[inline(always)]
    unsafe fn load_part(from: *const f32, count: usize) -> Self {
        // SAFETY: masked numbers are not touched.
        Self(unsafe { _mm512_maskz_loadu_ps(((1u32 << count) - 1) as __mmask16, from) })
    }
    #[inline(always)]
    unsafe fn store_part(self, to: *mut f32, count: usize) {
        // SAFETY: masked numbers are not touched.
        unsafe { _mm512_mask_storeu_ps(to, ((1u32 << count) - 1) as __mmask16, self.0) }
    }
    #[inline(always)]
    fn abs(self) -> Self {
        // SAFETY: see the macro.
        Self(unsafe { _mm512_abs_ps(self.0) })
    }
    #[inline(always)]
    fn with_sign(self, sign: Self) -> Self {
        // SAFETY: see the macro.
        unsafe {
            let bit = _mm512_set1_ps(-0.0);
            Self(_mm512_or_ps(_mm512_andnot_ps(bit, self.0), _mm512_and_ps(bit, sign.0)))
        }
    }
    #[inline(always)]
    fn less(self, other: Self) -> __mmask16 {
        // SAFETY: see the macro.
        unsafe { _mm512_cmp_ps_mask::<_CMP_LT_OQ>(self.0, other.0) }
    }
    #[inline(always)]
    fn select(mask: __mmask16, yes: Self, no: Self) -> Self {
        // SAFETY: see the macro.
        Self(unsafe { _mm512_mask_blend_ps(mask, no.0, yes.0) })
    }
    #[inline(always)]
    fn exponent(self) -> Self {
        // SAFETY: see the macro.
        Self(unsafe { _mm512_castsi512_ps(_mm512_slli_epi32::<23>(_mm512_castps_si512(self.0))) })
    }
    #[inline(always)]
    fn neg(self) -> Self {
        // SAFETY: see the macro.
        Self(unsafe { _mm512_xor_ps(_mm512_set1_ps(-0.0), self.0) })
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        // SAFETY: see the macro.
        Self(unsafe { _mm512_sqrt_ps(self.0) })
    }
    #[inline(always)]
    fn less_or_equal(self, other: Self) -> __mmask16 {
        // SAFETY: see the macro.
        unsafe { _mm512_cmp_ps_mask::<_CMP_LE_OQ>(self.0, other.0) }
    }
    #[inline(always)]
    fn both(a: __mmask16, b: __mmask16) -> __mmask16 {
        a & b
    }
    #[inline(always)]
    fn either(a: __mmask16, b: __mmask16) -> __mmask16 {
        a | b
    }
    #[inline(always)]
    fn not(mask: __mmask16) -> __mmask16 {
        !mask
    }
    #[inline(always)]
    fn bits(mask: __mmask16) -> u32 {
        mask.into()
    }
    #[inline(always)]
    fn exponent_field(self) -> Self {
        // SAFETY: see the macro.
        unsafe {
            let ones = _mm512_set1_ps(8388608.0);
            let field = _mm512_castsi512_ps(_mm512_srli_epi32::<23>(_mm512_castps_si512(self.0)));
            Self(_mm512_sub_ps(_mm512_or_ps(field, ones), ones))
        }
    }
    #[inline(always)]
    fn mantissa(self) -> Self {
        // SAFETY: see the macro.
        unsafe {
            let sign_and_exponent = _mm512_set1_ps(f32::NEG_INFINITY);
            Self(_mm512_or_ps(_mm512_andnot_ps(sign_and_exponent, self.0), _mm512_set1_ps(1.0)))
        }
    }
}
