//! Element types: NumPy's bool and numbers, in the machine's byte order.

use half::f16;
use num_complex::{Complex32, Complex64};

/// The type of an array's elements.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum DType {
    Bool,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    F16,
    F32,
    F64,
    C64,
    C128,
}

/// What kind of numbers a dtype has, in the order in which NumPy promotes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Kind {
    Bool,
    Unsigned,
    Signed,
    Float,
    Complex,
}

impl DType {
    /// All dtypes, in the order of their declaration.
    pub const ALL: [Self; 14] = [
        Self::Bool,
        Self::I8,
        Self::I16,
        Self::I32,
        Self::I64,
        Self::U8,
        Self::U16,
        Self::U32,
        Self::U64,
        Self::F16,
        Self::F32,
        Self::F64,
        Self::C64,
        Self::C128,
    ];

    /// The bytes of an element.
    pub const fn size(self) -> usize {
        match self {
            Self::Bool | Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 | Self::F16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 | Self::C64 => 8,
            Self::C128 => 16,
        }
    }

    /// The kind of its numbers.
    pub const fn kind(self) -> Kind {
        match self {
            Self::Bool => Kind::Bool,
            Self::U8 | Self::U16 | Self::U32 | Self::U64 => Kind::Unsigned,
            Self::I8 | Self::I16 | Self::I32 | Self::I64 => Kind::Signed,
            Self::F16 | Self::F32 | Self::F64 => Kind::Float,
            Self::C64 | Self::C128 => Kind::Complex,
        }
    }

    /// NumPy's name for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::I8 => "int8",
            Self::I16 => "int16",
            Self::I32 => "int32",
            Self::I64 => "int64",
            Self::U8 => "uint8",
            Self::U16 => "uint16",
            Self::U32 => "uint32",
            Self::U64 => "uint64",
            Self::F16 => "float16",
            Self::F32 => "float32",
            Self::F64 => "float64",
            Self::C64 => "complex64",
            Self::C128 => "complex128",
        }
    }

    /// The dtype that NumPy calls so; `None` where there is no native one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dtype| dtype.name() == name)
    }

    /// The dtype that can hold the elements of both, as `numpy.promote_types` has it.
    pub fn promote(self, other: Self) -> Self {
        use DType::{C64, C128, F16, F32, F64, I16, I32, I64};
        let (low, high) = if self.kind() <= other.kind() { (self, other) } else { (other, self) };
        if low.kind() == high.kind() {
            return if low.size() >= high.size() { low } else { high };
        }
        let signed = |bytes: usize| match bytes {
            1 => I16,
            2 => I32,
            4 => I64,
            _ => F64,
        };
        match (low.kind(), high.kind()) {
            (Kind::Bool, _) => high,
            (Kind::Unsigned, Kind::Signed) => {
                if high.size() > low.size() {
                    high
                } else {
                    signed(low.size())
                }
            }
            (Kind::Unsigned | Kind::Signed, Kind::Float) => {
                let needed = match low.size() {
                    1 => F16,
                    2 => F32,
                    _ => F64,
                };
                if high.size() >= needed.size() { high } else { needed }
            }
            (Kind::Unsigned | Kind::Signed, _) => {
                if low.size() <= 2 {
                    high
                } else {
                    C128
                }
            }
            (Kind::Float, _) => {
                if low == F64 {
                    C128
                } else {
                    high.max(C64)
                }
            }
            _ => high,
        }
    }
}

/// A Rust type that is an element of arrays.
pub trait Element: Copy + Default + Send + Sync + PartialEq + std::fmt::Debug + 'static {
    /// Its dtype.
    const DTYPE: DType;
}

/// NumPy's bool: one byte that is 0 or 1. Unlike Rust's `bool`, any byte is a valid one, and
/// what is not 0 is true.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Bool(pub u8);

impl From<bool> for Bool {
    fn from(value: bool) -> Self {
        Self(u8::from(value))
    }
}

impl Bool {
    /// Whether it is true.
    #[inline(always)]
    pub fn get(self) -> bool {
        self.0 != 0
    }
}

macro_rules! elements {
    ($($rust:ty => $dtype:ident),* $(,)?) => {
        $(impl Element for $rust { const DTYPE: DType = DType::$dtype; })*
    };
}

elements! {
    Bool => Bool, i8 => I8, i16 => I16, i32 => I32, i64 => I64, u8 => U8, u16 => U16, u32 => U32,
    u64 => U64, f16 => F16, f32 => F32, f64 => F64, Complex32 => C64, Complex64 => C128,
}

/// Runs `$body` with `$type` standing for the Rust type of a dtype.
#[macro_export]
#[doc(hidden)]
macro_rules! with_dtype {
    ($dtype:expr, $type:ident => $body:expr) => {
        match $dtype {
            $crate::DType::Bool => {
                type $type = $crate::Bool;
                $body
            }
            $crate::DType::I8 => {
                type $type = i8;
                $body
            }
            $crate::DType::I16 => {
                type $type = i16;
                $body
            }
            $crate::DType::I32 => {
                type $type = i32;
                $body
            }
            $crate::DType::I64 => {
                type $type = i64;
                $body
            }
            $crate::DType::U8 => {
                type $type = u8;
                $body
            }
            $crate::DType::U16 => {
                type $type = u16;
                $body
            }
            $crate::DType::U32 => {
                type $type = u32;
                $body
            }
            $crate::DType::U64 => {
                type $type = u64;
                $body
            }
            $crate::DType::F16 => {
                type $type = half::f16;
                $body
            }
            $crate::DType::F32 => {
                type $type = f32;
                $body
            }
            $crate::DType::F64 => {
                type $type = f64;
                $body
            }
            $crate::DType::C64 => {
                type $type = num_complex::Complex32;
                $body
            }
            $crate::DType::C128 => {
                type $type = num_complex::Complex64;
                $body
            }
        }
    };
}

/// One element of any dtype.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scalar {
    dtype: DType,
    /// The element's bytes, then zeros.
    bytes: [u8; 16],
}

impl Scalar {
    /// The scalar of an element.
    pub fn new<T: Element>(value: T) -> Self {
        let mut bytes = [0; 16];
        // SAFETY: an element is at most 16 bytes of plain data.
        unsafe {
            std::ptr::copy_nonoverlapping(
                (&raw const value).cast::<u8>(),
                bytes.as_mut_ptr(),
                size_of::<T>(),
            );
        }
        Self { dtype: T::DTYPE, bytes }
    }

    /// The scalar of a dtype whose element has these bytes; the rest of them is ignored.
    ///
    /// Returns `None` where there are too few.
    pub fn from_bytes(dtype: DType, element: &[u8]) -> Option<Self> {
        let mut bytes = [0; 16];
        bytes[..dtype.size()].copy_from_slice(element.get(..dtype.size())?);
        Some(Self { dtype, bytes })
    }

    /// Zero, or false.
    pub fn zero(dtype: DType) -> Self {
        Self { dtype, bytes: [0; 16] }
    }

    /// The dtype.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The bytes of the element.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.dtype.size()]
    }

    /// The element; `None` where the dtype is another.
    pub fn get<T: Element>(&self) -> Option<T> {
        if T::DTYPE != self.dtype {
            return None;
        }
        // SAFETY: the bytes are those of an element of this dtype, by construction, and every
        // pattern of bytes is a valid one.
        Some(unsafe { self.bytes.as_ptr().cast::<T>().read_unaligned() })
    }
}

impl std::fmt::Debug for Scalar {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        with_dtype!(self.dtype, T => match self.get::<T>() {
            Some(value) => write!(formatter, "{value:?}"),
            None => formatter.write_str("?"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promotion_is_symmetric_and_holds_both() {
        for one in DType::ALL {
            for other in DType::ALL {
                let both = one.promote(other);
                assert_eq!(both, other.promote(one));
                assert!(both.kind() >= one.kind().max(other.kind()), "{one:?} {other:?}");
                assert_eq!(both.promote(one), both);
            }
        }
        assert_eq!(DType::U64.promote(DType::I64), DType::F64);
        assert_eq!(DType::U8.promote(DType::I8), DType::I16);
        assert_eq!(DType::I32.promote(DType::F32), DType::F64);
        assert_eq!(DType::I16.promote(DType::C64), DType::C64);
        assert_eq!(DType::F64.promote(DType::C64), DType::C128);
    }
}
