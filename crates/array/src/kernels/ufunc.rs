//! The element-wise operations, and which loop NumPy picks for which dtypes.

use smallvec::{SmallVec, smallvec};

use crate::dtype::{DType, Kind};

/// The dtypes that an operation computes in: its inputs are converted to these first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loop {
    /// The dtypes of the inputs.
    pub inputs: SmallVec<[DType; 3]>,
    /// The dtype of the result.
    pub output: DType,
}

/// Which dtypes an operation has loops for, and what they give.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    /// bool and numbers, to the same.
    All,
    /// Numbers, to the same; bool counts as int8.
    Numbers,
    /// As `Numbers`, and bool (both of them, for two) is refused.
    NumbersNotBool,
    /// As `Numbers` without complex.
    Reals,
    /// bool and real numbers, to the same.
    RealsAndBool,
    /// Integers, to the same; bool counts as int8.
    Integers,
    /// bool and integers, to the same.
    Bits,
    /// Floats, to the same.
    Floats,
    /// Floats and complex, to the same.
    Inexact,
    /// Floats and complex; integers in double precision.
    Division,
    /// Double precision, real or complex.
    Double,
    /// All, to bool; integers of both signs exactly.
    Comparison,
    /// Truth values of anything, to bool.
    Logical,
    /// All, to bool.
    Test,
    /// Floats, to bool.
    FloatTest,
    /// All, to the real dtype of a complex one.
    Part,
    /// A truth value and two of one dtype.
    Where,
}

macro_rules! ufuncs {
    ($($variant:ident $name:literal $arity:literal $family:ident),* $(,)?) => {
        /// An element-wise operation; most are NumPy's universal functions.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, serde::Serialize, serde::Deserialize)]
        #[allow(missing_docs)]
        pub enum Ufunc {
            $($variant),*
        }

        impl Ufunc {
            /// All operations.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// NumPy's name for it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name),*
                }
            }

            /// How many inputs it has.
            pub fn arity(self) -> usize {
                match self {
                    $(Self::$variant => $arity),*
                }
            }

            fn family(self) -> Family {
                match self {
                    $(Self::$variant => Family::$family),*
                }
            }
        }
    };
}

ufuncs! {
    Add "add" 2 All,
    Subtract "subtract" 2 NumbersNotBool,
    Multiply "multiply" 2 All,
    TrueDivide "true_divide" 2 Division,
    FloorDivide "floor_divide" 2 Reals,
    Remainder "remainder" 2 Reals,
    Power "power" 2 Numbers,
    FloatPower "float_power" 2 Double,
    Fmod "fmod" 2 Reals,
    Negative "negative" 1 NumbersNotBool,
    Positive "positive" 1 NumbersNotBool,
    Absolute "absolute" 1 Part,
    Fabs "fabs" 1 Floats,
    Sign "sign" 1 NumbersNotBool,
    Sqrt "sqrt" 1 Inexact,
    Cbrt "cbrt" 1 Floats,
    Square "square" 1 Numbers,
    Reciprocal "reciprocal" 1 Numbers,
    Exp "exp" 1 Inexact,
    Exp2 "exp2" 1 Inexact,
    Expm1 "expm1" 1 Inexact,
    Log "log" 1 Inexact,
    Log2 "log2" 1 Inexact,
    Log10 "log10" 1 Inexact,
    Log1p "log1p" 1 Inexact,
    Sin "sin" 1 Inexact,
    Cos "cos" 1 Inexact,
    Tan "tan" 1 Inexact,
    Arcsin "arcsin" 1 Inexact,
    Arccos "arccos" 1 Inexact,
    Arctan "arctan" 1 Inexact,
    Sinh "sinh" 1 Inexact,
    Cosh "cosh" 1 Inexact,
    Tanh "tanh" 1 Inexact,
    Arcsinh "arcsinh" 1 Inexact,
    Arccosh "arccosh" 1 Inexact,
    Arctanh "arctanh" 1 Inexact,
    Arctan2 "arctan2" 2 Floats,
    Hypot "hypot" 2 Floats,
    Degrees "degrees" 1 Floats,
    Radians "radians" 1 Floats,
    Floor "floor" 1 RealsAndBool,
    Ceil "ceil" 1 RealsAndBool,
    Trunc "trunc" 1 RealsAndBool,
    Rint "rint" 1 Inexact,
    Maximum "maximum" 2 All,
    Minimum "minimum" 2 All,
    Fmax "fmax" 2 All,
    Fmin "fmin" 2 All,
    Copysign "copysign" 2 Floats,
    Nextafter "nextafter" 2 Floats,
    Heaviside "heaviside" 2 Floats,
    Logaddexp "logaddexp" 2 Floats,
    Logaddexp2 "logaddexp2" 2 Floats,
    Equal "equal" 2 Comparison,
    NotEqual "not_equal" 2 Comparison,
    Less "less" 2 Comparison,
    LessEqual "less_equal" 2 Comparison,
    Greater "greater" 2 Comparison,
    GreaterEqual "greater_equal" 2 Comparison,
    LogicalAnd "logical_and" 2 Logical,
    LogicalOr "logical_or" 2 Logical,
    LogicalXor "logical_xor" 2 Logical,
    LogicalNot "logical_not" 1 Logical,
    BitwiseAnd "bitwise_and" 2 Bits,
    BitwiseOr "bitwise_or" 2 Bits,
    BitwiseXor "bitwise_xor" 2 Bits,
    Invert "invert" 1 Bits,
    LeftShift "left_shift" 2 Integers,
    RightShift "right_shift" 2 Integers,
    Isnan "isnan" 1 Test,
    Isinf "isinf" 1 Test,
    Isfinite "isfinite" 1 Test,
    Signbit "signbit" 1 FloatTest,
    Conjugate "conjugate" 1 Numbers,
    Real "real" 1 Part,
    Imag "imag" 1 Part,
    Where "where" 3 Where,
    Clip "clip" 3 All,
    NanToZero "nan_to_zero" 1 All,
    NanToOne "nan_to_one" 1 All,
}

/// The order in which NumPy tries loops.
const ORDER: [DType; 14] = [
    DType::Bool,
    DType::I8,
    DType::U8,
    DType::I16,
    DType::U16,
    DType::I32,
    DType::U32,
    DType::I64,
    DType::U64,
    DType::F16,
    DType::F32,
    DType::F64,
    DType::C64,
    DType::C128,
];

impl Ufunc {
    /// The operation that NumPy calls so.
    pub fn from_name(name: &str) -> Option<Self> {
        let name = match name {
            "deg2rad" => "radians",
            "rad2deg" => "degrees",
            "divide" => "true_divide",
            "mod" => "remainder",
            "abs" => "absolute",
            "conj" => "conjugate",
            "bitwise_not" | "bitwise_invert" => "invert",
            "pow" => "power",
            "acos" => "arccos",
            "acosh" => "arccosh",
            "asin" => "arcsin",
            "asinh" => "arcsinh",
            "atan" => "arctan",
            "atan2" => "arctan2",
            "atanh" => "arctanh",
            "bitwise_left_shift" => "left_shift",
            "bitwise_right_shift" => "right_shift",
            name => name,
        };
        Self::ALL.iter().copied().find(|ufunc| ufunc.name() == name)
    }

    /// The loop that NumPy picks for arrays of these dtypes; `None` where NumPy raises or there is
    /// no native form.
    pub fn resolve(self, inputs: &[DType]) -> Option<Loop> {
        if inputs.len() != self.arity() {
            return None;
        }
        let family = self.family();
        match family {
            Family::Where => {
                let both = inputs[1].promote(inputs[2]);
                return Some(Loop { inputs: smallvec![DType::Bool, both, both], output: both });
            }
            Family::Logical => return Some(Loop::uniform(DType::Bool, inputs.len(), DType::Bool)),
            Family::Comparison => {
                let signed = |dtype: DType| dtype.kind() == Kind::Signed;
                let (left, right) = (inputs[0], inputs[1]);
                if left == DType::U64 && signed(right) {
                    let inputs = smallvec![DType::U64, DType::I64];
                    return Some(Loop { inputs, output: DType::Bool });
                }
                if right == DType::U64 && signed(left) {
                    let inputs = smallvec![DType::I64, DType::U64];
                    return Some(Loop { inputs, output: DType::Bool });
                }
            }
            Family::NumbersNotBool if inputs.iter().all(|dtype| *dtype == DType::Bool) => {
                return None;
            }
            Family::Division if inputs.iter().all(|dtype| dtype.kind() < Kind::Float) => {
                return Some(Loop::uniform(DType::F64, inputs.len(), DType::F64));
            }
            _ => {}
        }
        let found = ORDER.into_iter().find(|dtype| {
            family.has(*dtype) && inputs.iter().all(|input| input.promote(*dtype) == *dtype)
        })?;
        // The neighbour of a number is not found in a wider precision.
        if self == Self::Nextafter && found == DType::F16 {
            return None;
        }
        let chosen = Loop::uniform(found, inputs.len(), found);
        Some(Loop { output: self.computed_output(&chosen), ..chosen })
    }
}

impl Ufunc {
    /// The dtype that the loop's kernel writes, whatever the caller calls its output.
    pub(super) fn computed_output(self, chosen: &Loop) -> DType {
        let input = chosen.inputs.last().copied().unwrap_or(chosen.output);
        match self.family() {
            Family::Comparison | Family::Test | Family::FloatTest | Family::Logical => DType::Bool,
            Family::Part => match input {
                DType::C64 => DType::F32,
                DType::C128 => DType::F64,
                real => real,
            },
            _ => input,
        }
    }
}

impl Loop {
    fn uniform(input: DType, arity: usize, output: DType) -> Self {
        Self { inputs: SmallVec::from_elem(input, arity), output }
    }
}

impl Family {
    /// Whether there is a loop whose inputs are of the dtype.
    fn has(self, dtype: DType) -> bool {
        let kind = dtype.kind();
        match self {
            Self::All | Self::Comparison | Self::Test | Self::Part | Self::Where => true,
            Self::Numbers | Self::NumbersNotBool => kind != Kind::Bool,
            Self::Reals => kind != Kind::Bool && kind != Kind::Complex,
            Self::RealsAndBool => kind != Kind::Complex,
            Self::Integers => matches!(kind, Kind::Signed | Kind::Unsigned),
            Self::Bits => kind < Kind::Float,
            Self::Floats | Self::FloatTest => kind == Kind::Float,
            Self::Inexact | Self::Division => kind >= Kind::Float,
            Self::Double => matches!(dtype, DType::F64 | DType::C128),
            Self::Logical => dtype == DType::Bool,
        }
    }
}
