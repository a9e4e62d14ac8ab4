//! Bits and truth values.

use crate::dtype::Bool;
use crate::kernels::loops::{binary_table, unary_table};

binary_table! { logical_and, binary [Bool] => T, |x, y| Bool::from(x.get() & y.get()) }
binary_table! { logical_or, binary [Bool] => T, |x, y| Bool::from(x.get() | y.get()) }
binary_table! { logical_xor, binary [Bool] => T, |x, y| Bool::from(x.get() ^ y.get()) }
unary_table! { logical_not, unary [Bool] => T, |x| Bool::from(!x.get()) }

binary_table! { bitwise_and,
    binary [Bool] => T, |x, y| Bool::from(x.get() & y.get());
    binary [i8, i16, i32, i64, u8, u16, u32, u64] => T, |x, y| x & y
}

binary_table! { bitwise_or,
    binary [Bool] => T, |x, y| Bool::from(x.get() | y.get());
    binary [i8, i16, i32, i64, u8, u16, u32, u64] => T, |x, y| x | y
}

binary_table! { bitwise_xor,
    binary [Bool] => T, |x, y| Bool::from(x.get() ^ y.get());
    binary [i8, i16, i32, i64, u8, u16, u32, u64] => T, |x, y| x ^ y
}

unary_table! { invert,
    unary [Bool] => T, |x| Bool::from(!x.get());
    unary [i8, i16, i32, i64, u8, u16, u32, u64] => T, |x| !x
}

// A shift by the width or more moves all bits out; so does one by less than nothing.
binary_table! { left_shift,
    binary [i8, i16, i32, i64, u8, u16, u32, u64] => T,
        |x, y| if (y as u64) < u64::from(T::BITS) { x.wrapping_shl(y as u32) } else { 0 }
}

binary_table! { right_shift,
    binary [i8, i16, i32, i64] => T,
        |x, y| x.wrapping_shr(if (y as u64) < u64::from(T::BITS) { y as u32 } else { T::BITS - 1 });
    binary [u8, u16, u32, u64] => T,
        |x, y| if (y as u64) < u64::from(T::BITS) { x.wrapping_shr(y as u32) } else { 0 }
}
