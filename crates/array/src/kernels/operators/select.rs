//! Operations that choose among their inputs.

use num_complex::{Complex32, Complex64};

use super::compare::Order;
use crate::dtype::{Bool, DType};
use crate::kernels::loops::{Kernel, Ternary, ternary, ternary_wide, unary_table};

macro_rules! ternary_table {
    (
        $name:ident, $loop:ident, $first:ty, [$($type:ty),*],
        |$x:ident, $y:ident, $z:ident| $body:expr
    ) => {
        pub(super) fn $name(dtype: DType) -> Option<Kernel> {
            $({
                #[allow(dead_code)]
                type T = $type;
                struct Operation;
                impl Ternary for Operation {
                    type First = $first;
                    type Other = T;
                    #[inline(always)]
                    fn call($x: $first, $y: T, $z: T) -> T {
                        $body
                    }
                }
                if dtype == <T as crate::Element>::DTYPE {
                    return Some($loop::<Operation>());
                }
            })*
            None
        }
    };
}

ternary_table! { choose, ternary_wide, Bool,
    [Bool, i8, i16, i32, i64, u8, u16, u32, u64, f32, f64, Complex32, Complex64],
    |x, y, z| if x.get() { y } else { z }
}

// As NumPy: not below the low bound, then not above the high one, and what is not a number wins.
ternary_table! { clip, ternary, T,
    [Bool, i8, i16, i32, i64, u8, u16, u32, u64, f32, f64, Complex32, Complex64],
    |x, y, z| {
        let raised = if Order::is_nan(x) || y.less(x) { x } else { y };
        if Order::is_nan(raised) || raised.less(z) { raised } else { z }
    }
}

unary_table! { nan_to_zero,
    unary [Bool, i8, i16, i32, i64, u8, u16, u32, u64, f32, f64, Complex32, Complex64] => T,
        |x| if Order::is_nan(x) { T::default() } else { x }
}

unary_table! { nan_to_one,
    unary [Bool, i8, i16, i32, i64, u8, u16, u32, u64] => T, |x| x;
    unary [f32, f64] => T, |x| if x.is_nan() { 1.0 } else { x };
    unary [Complex32, Complex64] => T, |x| if Order::is_nan(x) { T::new(1.0, 0.0) } else { x }
}
