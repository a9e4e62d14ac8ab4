//! Loops over registers: one function per operation and dtype, compiled for several widths of
//! vectors, of which the widest that the processor has is chosen when a program is built.

use std::mem::MaybeUninit;

use crate::dtype::Element;

/// A loop over `len` elements: reads the registers `*inputs`, `*inputs.add(1)`, … and writes the
/// last argument but one. Registers are aligned, have no gaps, and the output is none of the
/// inputs.
pub(crate) type Kernel = unsafe fn(*const *const u8, *mut u8, usize);

/// An operation on one element.
pub(crate) trait Unary {
    type In: Element;
    type Out: Element;
    fn call(x: Self::In) -> Self::Out;
}

/// An operation on two elements.
pub(crate) trait Binary {
    type Left: Element;
    type Right: Element;
    type Out: Element;
    fn call(x: Self::Left, y: Self::Right) -> Self::Out;
}

/// An operation on three elements.
pub(crate) trait Ternary {
    type First: Element;
    type Other: Element;
    fn call(x: Self::First, y: Self::Other, z: Self::Other) -> Self::Other;
}

/// # Safety
/// As for [`Kernel`], with one input.
#[inline(always)]
unsafe fn unary_loop<O: Unary>(inputs: *const *const u8, output: *mut u8, len: usize) {
    // SAFETY: the caller gives registers of `len` elements of these types.
    let (x, out) = unsafe {
        (
            std::slice::from_raw_parts((*inputs).cast::<O::In>(), len),
            std::slice::from_raw_parts_mut(output.cast::<MaybeUninit<O::Out>>(), len),
        )
    };
    for (out, x) in out.iter_mut().zip(x) {
        out.write(O::call(*x));
    }
}

/// # Safety
/// As for [`Kernel`], with two inputs.
#[inline(always)]
unsafe fn binary_loop<O: Binary>(inputs: *const *const u8, output: *mut u8, len: usize) {
    // SAFETY: the caller gives registers of `len` elements of these types.
    let (x, y, out) = unsafe {
        (
            std::slice::from_raw_parts((*inputs).cast::<O::Left>(), len),
            std::slice::from_raw_parts((*inputs.add(1)).cast::<O::Right>(), len),
            std::slice::from_raw_parts_mut(output.cast::<MaybeUninit<O::Out>>(), len),
        )
    };
    for ((out, x), y) in out.iter_mut().zip(x).zip(y) {
        out.write(O::call(*x, *y));
    }
}

/// # Safety
/// As for [`Kernel`], with three inputs.
#[inline(always)]
unsafe fn ternary_loop<O: Ternary>(inputs: *const *const u8, output: *mut u8, len: usize) {
    // SAFETY: the caller gives registers of `len` elements of these types.
    let (x, y, z, out) = unsafe {
        (
            std::slice::from_raw_parts((*inputs).cast::<O::First>(), len),
            std::slice::from_raw_parts((*inputs.add(1)).cast::<O::Other>(), len),
            std::slice::from_raw_parts((*inputs.add(2)).cast::<O::Other>(), len),
            std::slice::from_raw_parts_mut(output.cast::<MaybeUninit<O::Other>>(), len),
        )
    };
    for (((out, x), y), z) in out.iter_mut().zip(x).zip(y).zip(z) {
        out.write(O::call(*x, *y, *z));
    }
}

/// How wide the vectors are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Level {
    /// What every processor of the architecture has.
    Baseline,
    /// 32 bytes.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// 64 bytes.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Level {
    /// The widest that this processor has.
    pub(crate) fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("fma")
            {
                return Self::Avx512;
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                return Self::Avx2;
            }
        }
        Self::Baseline
    }
}

/// Writes functions that pick a variant of a generic loop.
macro_rules! widths {
    (
        $bound:ident, $body:ident, $plain:ident, $avx2:ident, $avx512:ident,
        $pick:ident, $wide:ident
    ) => {
        /// # Safety
        /// As for [`Kernel`].
        unsafe fn $plain<O: $bound>(inputs: *const *const u8, output: *mut u8, len: usize) {
            // SAFETY: the promise is the same.
            unsafe { $body::<O>(inputs, output, len) }
        }

        /// # Safety
        /// As for [`Kernel`], on a processor that has these instructions.
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma")]
        unsafe fn $avx2<O: $bound>(inputs: *const *const u8, output: *mut u8, len: usize) {
            // SAFETY: the promise is the same.
            unsafe { $body::<O>(inputs, output, len) }
        }

        /// # Safety
        /// As for [`Kernel`], on a processor that has these instructions.
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma")]
        unsafe fn $avx512<O: $bound>(inputs: *const *const u8, output: *mut u8, len: usize) {
            // SAFETY: the promise is the same.
            unsafe { $body::<O>(inputs, output, len) }
        }

        /// The loop of an operation, by vectors of up to 32 bytes.
        pub(crate) fn $pick<O: $bound>() -> Kernel {
            match Level::best() {
                #[cfg(target_arch = "x86_64")]
                Level::Avx512 | Level::Avx2 => $avx2::<O>,
                Level::Baseline => $plain::<O>,
            }
        }

        /// The loop of an operation that is common enough to have one for vectors of 64 bytes.
        pub(crate) fn $wide<O: $bound>() -> Kernel {
            match Level::best() {
                #[cfg(target_arch = "x86_64")]
                Level::Avx512 => $avx512::<O>,
                #[cfg(target_arch = "x86_64")]
                Level::Avx2 => $avx2::<O>,
                Level::Baseline => $plain::<O>,
            }
        }
    };
}

widths! { Unary, unary_loop, unary_baseline, unary_avx2, unary_avx512, unary, unary_wide }
widths! { Binary, binary_loop, binary_baseline, binary_avx2, binary_avx512, binary, binary_wide }
widths! {
    Ternary, ternary_loop, ternary_baseline, ternary_avx2, ternary_avx512, ternary, ternary_wide
}

/// The loop of an operation on one element that has no vector form.
pub(crate) fn unary_plain<O: Unary>() -> Kernel {
    unary_baseline::<O>
}

/// The loop of an operation on two elements that has no vector form.
pub(crate) fn binary_plain<O: Binary>() -> Kernel {
    binary_baseline::<O>
}

/// Writes `fn name(dtype) -> Option<Kernel>`: the loop of an operation on one element, by the dtype
/// of the input. `T` stands for the element's type.
macro_rules! unary_table {
    (
        $name:ident,
        $($loop:ident [$($type:ty),* $(,)?] => $out:ty, |$x:ident| $body:expr);+ $(;)?
    ) => {
        pub(super) fn $name(dtype: $crate::DType) -> Option<$crate::kernels::loops::Kernel> {
            $($({
                #[allow(dead_code)]
                type T = $type;
                struct Operation;
                impl $crate::kernels::loops::Unary for Operation {
                    type In = T;
                    type Out = $out;
                    #[inline(always)]
                    fn call($x: T) -> $out {
                        $body
                    }
                }
                if dtype == <T as $crate::Element>::DTYPE {
                    return Some($crate::kernels::loops::$loop::<Operation>());
                }
            })*)+
            None
        }
    };
}

/// Writes `fn name(dtype) -> Option<Kernel>`: the loop of an operation on two elements of one
/// dtype. `T` stands for the element's type.
macro_rules! binary_table {
    (
        $name:ident,
        $($loop:ident [$($type:ty),* $(,)?] => $out:ty, |$x:ident, $y:ident| $body:expr);+ $(;)?
    ) => {
        pub(super) fn $name(dtype: $crate::DType) -> Option<$crate::kernels::loops::Kernel> {
            $($({
                #[allow(dead_code)]
                type T = $type;
                struct Operation;
                impl $crate::kernels::loops::Binary for Operation {
                    type Left = T;
                    type Right = T;
                    type Out = $out;
                    #[inline(always)]
                    fn call($x: T, $y: T) -> $out {
                        $body
                    }
                }
                if dtype == <T as $crate::Element>::DTYPE {
                    return Some($crate::kernels::loops::$loop::<Operation>());
                }
            })*)+
            None
        }
    };
}

pub(crate) use {binary_table, unary_table};
