//! Random operands: transposed, reversed, repeated, with gaps, and not aligned.

use samite_array::kernels::evaluate::Operand;
use samite_array::{Bool, DType, Scalar, Strides};

/// A small generator of random numbers; the seed comes from proptest, which prints it.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed ^ 0x9e37_79b9_7f4a_7c15)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// An element, often a special one.
    pub(crate) fn scalar(&mut self, dtype: DType) -> Scalar {
        let special = self.below(8) == 0;
        let double = if special {
            self.pick(&[0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1.0, -1.0, 1e300])
        } else {
            (self.next() >> 11) as f64 / (1u64 << 50) as f64 - 4.0
        };
        let integer = if special {
            self.pick(&[0, 1, u64::MAX, i64::MIN as u64, i64::MAX as u64, 128, 127, 32768])
        } else {
            self.next() % 100
        };
        match dtype {
            DType::Bool => Scalar::new(Bool((integer & 1) as u8)),
            DType::I8 => Scalar::new(integer as i8),
            DType::I16 => Scalar::new(integer as i16),
            DType::I32 => Scalar::new(integer as i32),
            DType::I64 => Scalar::new(integer as i64),
            DType::U8 => Scalar::new(integer as u8),
            DType::U16 => Scalar::new(integer as u16),
            DType::U32 => Scalar::new(integer as u32),
            DType::U64 => Scalar::new(integer),
            DType::F16 => Scalar::new(half::f16::from_f64(double)),
            DType::F32 => Scalar::new(double as f32),
            DType::F64 => Scalar::new(double),
            DType::C64 => Scalar::new(num_complex::Complex32::new(double as f32, integer as f32)),
            DType::C128 => Scalar::new(num_complex::Complex64::new(double, integer as f64)),
        }
    }

    /// A shape of up to four axes; some are empty or of one element.
    pub(crate) fn shape(&mut self) -> Vec<usize> {
        let axes = self.below(5);
        let long = [0, 5000, 300, 40, 12][axes];
        let mut shape = Vec::new();
        for _ in 0..axes {
            shape.push(match self.below(12) {
                0 => 1,
                1 => 2 + self.below(3),
                2 if self.below(4) == 0 => 0,
                _ => 1 + self.below(long),
            });
        }
        shape
    }
}

/// Memory of an operand and how it is laid out.
pub(crate) struct Data {
    bytes: Vec<u8>,
    first: isize,
    pub(crate) strides: Strides,
    pub(crate) dtype: DType,
}

impl Data {
    pub(crate) fn random(random: &mut Random, dtype: DType, shape: &[usize]) -> Self {
        let size = dtype.size() as isize;
        let mut order: Vec<usize> = (0..shape.len()).collect();
        if random.below(2) == 0 {
            for place in (1..order.len()).rev() {
                order.swap(place, random.below(place + 1));
            }
        }
        let mut strides = vec![0isize; shape.len()];
        let (mut step, mut first) = (size, 0);
        for axis in order.into_iter().rev() {
            let gap = if random.below(6) == 0 { 2 } else { 1 };
            match random.below(8) {
                0 => {}
                1 => {
                    strides[axis] = -step * gap;
                    first += step * gap * (shape[axis] as isize - 1).max(0);
                    step *= gap * shape[axis].max(1) as isize;
                }
                _ => {
                    strides[axis] = step * gap;
                    step *= gap * shape[axis].max(1) as isize;
                }
            }
        }
        let shift = if random.below(4) == 0 { random.below(dtype.size() + 1) } else { 0 };
        let mut bytes = vec![0; shift];
        while bytes.len() < step as usize + shift {
            bytes.extend_from_slice(random.scalar(dtype).bytes());
        }
        Self { bytes, first: first + shift as isize, strides: strides.into(), dtype }
    }

    pub(crate) fn operand(&self) -> Operand {
        let start = self.bytes.as_ptr().wrapping_offset(self.first);
        Operand { start, strides: self.strides.clone() }
    }

    pub(crate) fn at(&self, position: &[usize]) -> Scalar {
        let offset: isize =
            position.iter().zip(&self.strides).map(|(place, step)| *place as isize * step).sum();
        let start = (self.first + offset) as usize;
        Scalar::from_bytes(self.dtype, &self.bytes[start..]).unwrap()
    }
}

/// All positions of a shape in C order.
pub(crate) fn positions(shape: &[usize]) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for len in shape {
        all = all
            .into_iter()
            .flat_map(|position| {
                (0..*len).map(move |place| {
                    let mut longer = position.clone();
                    longer.push(place);
                    longer
                })
            })
            .collect();
    }
    all
}

/// Whether two elements are the same, with all that are not numbers taken as one.
pub(crate) fn same(one: &Scalar, other: &Scalar) -> bool {
    fn parts(scalar: &Scalar) -> Option<[f64; 2]> {
        match scalar.dtype() {
            DType::F16 => Some([scalar.get::<half::f16>()?.to_f64(), 0.0]),
            DType::F32 => Some([scalar.get::<f32>()?.into(), 0.0]),
            DType::F64 => Some([scalar.get()?, 0.0]),
            DType::C64 => {
                let value = scalar.get::<num_complex::Complex32>()?;
                Some([value.re.into(), value.im.into()])
            }
            DType::C128 => {
                let value = scalar.get::<num_complex::Complex64>()?;
                Some([value.re, value.im])
            }
            _ => None,
        }
    }
    if one.dtype() != other.dtype() {
        return false;
    }
    match (parts(one), parts(other)) {
        (Some(one), Some(other)) => one.iter().zip(other).all(|(one, other)| {
            one.to_bits() == other.to_bits() || (one.is_nan() && other.is_nan())
        }),
        _ => one.bytes() == other.bytes(),
    }
}
