//! Comparisons, the larger and the smaller of two, and tests of floats. Complex numbers are ordered
//! by their real parts, then by their imaginary ones.

use num_complex::{Complex32, Complex64};

use crate::dtype::{Bool, DType};
use crate::kernels::loops::{Binary, Kernel, binary, binary_table, unary_table};
use crate::kernels::ufunc::Ufunc;

/// NumPy's order of elements.
pub(crate) trait Order: Copy {
    fn less(self, other: Self) -> bool;
    fn less_equal(self, other: Self) -> bool;
    fn equal(self, other: Self) -> bool;
    fn is_nan(self) -> bool;
}

macro_rules! order {
    ($($real:ty, |$x:ident| $nan:expr;)*) => {$(
        impl Order for $real {
            #[inline(always)]
            fn less(self, other: Self) -> bool {
                self < other
            }
            #[inline(always)]
            fn less_equal(self, other: Self) -> bool {
                self <= other
            }
            #[inline(always)]
            fn equal(self, other: Self) -> bool {
                self == other
            }
            #[inline(always)]
            fn is_nan(self) -> bool {
                let $x = self;
                $nan
            }
        }
    )*};
}

order! {
    i8, |_x| false;
    i16, |_x| false;
    i32, |_x| false;
    i64, |_x| false;
    u8, |_x| false;
    u16, |_x| false;
    u32, |_x| false;
    u64, |_x| false;
    f32, |x| f32::is_nan(x);
    f64, |x| f64::is_nan(x);
}

impl Order for Bool {
    #[inline(always)]
    fn less(self, other: Self) -> bool {
        !self.get() & other.get()
    }
    #[inline(always)]
    fn less_equal(self, other: Self) -> bool {
        !self.get() | other.get()
    }
    #[inline(always)]
    fn equal(self, other: Self) -> bool {
        self.get() == other.get()
    }
    #[inline(always)]
    fn is_nan(self) -> bool {
        false
    }
}

macro_rules! order_complex {
    ($($complex:ty)*) => {$(
        impl Order for $complex {
            #[inline(always)]
            fn less(self, other: Self) -> bool {
                (self.re < other.re && !self.im.is_nan() && !other.im.is_nan())
                    || (self.re == other.re && self.im < other.im)
            }
            #[inline(always)]
            fn less_equal(self, other: Self) -> bool {
                (self.re < other.re && !self.im.is_nan() && !other.im.is_nan())
                    || (self.re == other.re && self.im <= other.im)
            }
            #[inline(always)]
            fn equal(self, other: Self) -> bool {
                self.re == other.re && self.im == other.im
            }
            #[inline(always)]
            fn is_nan(self) -> bool {
                self.re.is_nan() || self.im.is_nan()
            }
        }
    )*};
}

order_complex! { Complex32 Complex64 }

macro_rules! ordered {
    ($name:ident, $out:ty, |$x:ident, $y:ident| $body:expr) => {
        ordered! { $name, $out, |$x, $y| $body, |$x, $y| $body }
    };
    ($name:ident, $out:ty, |$x:ident, $y:ident| $body:expr, |$a:ident, $b:ident| $real:expr) => {
        binary_table! { $name,
            binary [Bool, i8, i16, i32, i64, u8, u16, u32, u64, Complex32, Complex64]
                => $out, |$x, $y| $body;
            binary_wide [f32, f64] => $out, |$a, $b| $real
        }
    };
}

ordered!(equal, Bool, |x, y| Bool::from(x.equal(y)));
ordered!(not_equal, Bool, |x, y| Bool::from(!x.equal(y)));
ordered!(less, Bool, |x, y| Bool::from(x.less(y)));
ordered!(less_equal, Bool, |x, y| Bool::from(x.less_equal(y)));
ordered!(greater, Bool, |x, y| Bool::from(y.less(x)));
ordered!(greater_equal, Bool, |x, y| Bool::from(y.less_equal(x)));
// Of equal floats, which may be zeros of both signs, the second is taken, as by the processor.
ordered!(
    maximum,
    T,
    |x, y| if y.less_equal(x) || Order::is_nan(x) { x } else { y },
    |x, y| if x > y || x.is_nan() { x } else { y }
);
ordered!(
    minimum,
    T,
    |x, y| if x.less_equal(y) || Order::is_nan(x) { x } else { y },
    |x, y| if x < y || x.is_nan() { x } else { y }
);
ordered!(fmax, T, |x, y| if y.less_equal(x) || Order::is_nan(y) { x } else { y }, |x, y| if x > y
    || y.is_nan()
{
    x
} else {
    y
});
ordered!(fmin, T, |x, y| if x.less_equal(y) || Order::is_nan(y) { x } else { y }, |x, y| if x < y
    || y.is_nan()
{
    x
} else {
    y
});

macro_rules! mixed {
    ($($name:ident |$x:ident, $y:ident| $body:expr;)*) => {$(
        struct $name;
        impl Binary for $name {
            type Left = u64;
            type Right = i64;
            type Out = Bool;
            #[inline(always)]
            fn call($x: u64, $y: i64) -> Bool {
                Bool::from($body)
            }
        }
    )*};
}

mixed! {
    MixedEqual |x, y| y >= 0 && x == y as u64;
    MixedNotEqual |x, y| y < 0 || x != y as u64;
    MixedLess |x, y| y >= 0 && x < y as u64;
    MixedLessEqual |x, y| y >= 0 && x <= y as u64;
    MixedGreater |x, y| y < 0 || x > y as u64;
    MixedGreaterEqual |x, y| y < 0 || x >= y as u64;
}

/// A mixed comparison with its sides exchanged.
struct Exchanged<O>(std::marker::PhantomData<O>);

impl<O: Binary> Binary for Exchanged<O> {
    type Left = O::Right;
    type Right = O::Left;
    type Out = O::Out;
    #[inline(always)]
    fn call(x: O::Right, y: O::Left) -> O::Out {
        O::call(y, x)
    }
}

/// The loop of a comparison, exact between integers of both signs too.
pub(super) fn comparison(ufunc: Ufunc, left: DType, right: DType) -> Option<Kernel> {
    Some(match (left, right, ufunc) {
        (DType::U64, DType::I64, Ufunc::Equal) => binary::<MixedEqual>(),
        (DType::U64, DType::I64, Ufunc::NotEqual) => binary::<MixedNotEqual>(),
        (DType::U64, DType::I64, Ufunc::Less) => binary::<MixedLess>(),
        (DType::U64, DType::I64, Ufunc::LessEqual) => binary::<MixedLessEqual>(),
        (DType::U64, DType::I64, Ufunc::Greater) => binary::<MixedGreater>(),
        (DType::U64, DType::I64, Ufunc::GreaterEqual) => binary::<MixedGreaterEqual>(),
        (DType::I64, DType::U64, Ufunc::Equal) => binary::<Exchanged<MixedEqual>>(),
        (DType::I64, DType::U64, Ufunc::NotEqual) => binary::<Exchanged<MixedNotEqual>>(),
        (DType::I64, DType::U64, Ufunc::Less) => binary::<Exchanged<MixedGreater>>(),
        (DType::I64, DType::U64, Ufunc::LessEqual) => binary::<Exchanged<MixedGreaterEqual>>(),
        (DType::I64, DType::U64, Ufunc::Greater) => binary::<Exchanged<MixedLess>>(),
        (DType::I64, DType::U64, Ufunc::GreaterEqual) => binary::<Exchanged<MixedLessEqual>>(),
        (left, right, _) if left != right => return None,
        (_, dtype, Ufunc::Equal) => return equal(dtype),
        (_, dtype, Ufunc::NotEqual) => return not_equal(dtype),
        (_, dtype, Ufunc::Less) => return less(dtype),
        (_, dtype, Ufunc::LessEqual) => return less_equal(dtype),
        (_, dtype, Ufunc::Greater) => return greater(dtype),
        (_, dtype, Ufunc::GreaterEqual) => return greater_equal(dtype),
        _ => return None,
    })
}

unary_table! { isnan,
    unary [Bool, i8, i16, i32, i64, u8, u16, u32, u64, f32, f64, Complex32, Complex64] => Bool,
        |x| Bool::from(Order::is_nan(x))
}

unary_table! { isinf,
    unary [Bool, i8, i16, i32, i64, u8, u16, u32, u64] => Bool, |_x| Bool::from(false);
    unary [f32, f64] => Bool, |x| Bool::from(x.is_infinite());
    unary [Complex32, Complex64] => Bool, |x| Bool::from(x.re.is_infinite() || x.im.is_infinite())
}

unary_table! { isfinite,
    unary [Bool, i8, i16, i32, i64, u8, u16, u32, u64] => Bool, |_x| Bool::from(true);
    unary [f32, f64] => Bool, |x| Bool::from(x.is_finite());
    unary [Complex32, Complex64] => Bool, |x| Bool::from(x.re.is_finite() && x.im.is_finite())
}
