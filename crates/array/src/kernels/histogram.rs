//! Counts of elements by value.

use half::f16;

use super::order::{elements, whole};
use crate::chunk::Chunk;
use crate::dtype::{Bool, DType, Element};
use crate::error::ArrayError;

/// Elements that are real numbers.
pub(super) trait Number: Element {
    fn float(self) -> f64;
}

macro_rules! numbers {
    ($($type:ty => $of:expr),* $(,)?) => {
        $(impl Number for $type {
            #[inline(always)]
            fn float(self) -> f64 {
                let of: fn($type) -> f64 = $of;
                of(self)
            }
        })*
    };
}

numbers! {
    Bool => |value| f64::from(u8::from(value.get())), f16 => |value| value.to_f64(),
    i8 => f64::from, i16 => f64::from, i32 => f64::from, i64 => |value| value as f64,
    u8 => f64::from, u16 => f64::from, u32 => f64::from, u64 => |value| value as f64,
    f32 => f64::from, f64 => |value| value,
}

/// Runs `$body` with `$type` standing for the Rust type of a dtype of real numbers.
macro_rules! with_number {
    ($operation:expr, $dtype:expr, $type:ident => $body:expr) => {
        match $dtype {
            $crate::DType::C64 | $crate::DType::C128 => {
                Err($crate::ArrayError::DTypes { operation: $operation, dtypes: vec![$dtype] })
            }
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
        }
    };
}
pub(super) use with_number;

/// How many elements lie between each edge and the next (`int64`), the last edge included; with
/// `weights` the sums of these (`float64`). What lies outside and NaN count nowhere.
///
/// # Errors
/// [`ArrayError::Parameter`] for edges that are fewer than two or do not ascend,
/// [`ArrayError::Shapes`] for weights of another shape, [`ArrayError::DTypes`] for complex numbers
/// and for weights other than `float64`, [`ArrayError::OutOfMemory`].
pub fn histogram(
    chunk: &Chunk,
    edges: &[f64],
    weights: Option<&Chunk>,
) -> Result<Chunk, ArrayError> {
    let operation = "histogram";
    if edges.len() < 2 || !edges.windows(2).all(|pair| pair[0] <= pair[1]) {
        let reason = "bins must increase monotonically";
        return Err(ArrayError::Parameter { operation, reason });
    }
    let bins = Bins::new(edges);
    let values = chunk.contiguous()?;
    let Some(weights) = weights else {
        let mut counts = vec![0i64; edges.len() - 1];
        with_number!(operation, chunk.dtype(), T => {
            for value in whole::<T>(&values) {
                if let Some(bin) = bins.of(value.float()) {
                    counts[bin] += 1;
                }
            }
            Ok(())
        })?;
        return Chunk::from_slice(&[counts.len()], &counts);
    };
    if weights.dtype() != DType::F64 {
        return Err(ArrayError::DTypes { operation, dtypes: vec![weights.dtype()] });
    }
    if weights.shape() != chunk.shape() {
        let shapes = vec![chunk.shape().to_vec(), weights.shape().to_vec()];
        return Err(ArrayError::Shapes { operation, shapes });
    }
    let weights = weights.contiguous()?;
    let mut sums = vec![0f64; edges.len() - 1];
    with_number!(operation, chunk.dtype(), T => {
        for (value, weight) in whole::<T>(&values).iter().zip(whole::<f64>(&weights)) {
            if let Some(bin) = bins.of(value.float()) {
                sums[bin] += weight;
            }
        }
        Ok(())
    })?;
    Chunk::from_slice(&[sums.len()], &sums)
}

/// Edges, with the bins to a unit where they are about equally far apart.
struct Bins<'a> {
    edges: &'a [f64],
    density: Option<f64>,
}

impl<'a> Bins<'a> {
    fn new(edges: &'a [f64]) -> Self {
        let (first, last) = (edges[0], edges[edges.len() - 1]);
        let width = (last - first) / (edges.len() - 1) as f64;
        let even = edges
            .iter()
            .enumerate()
            .all(|(place, edge)| (edge - (first + place as f64 * width)).abs() <= 0.25 * width);
        let density = (even && width > 0.0 && width.is_finite()).then_some(1.0 / width);
        Self { edges, density: density.filter(|density| density.is_finite()) }
    }

    #[inline(always)]
    fn of(&self, value: f64) -> Option<usize> {
        let (first, last) = (self.edges[0], self.edges[self.edges.len() - 1]);
        if !(value >= first && value <= last) {
            return None;
        }
        let bins = self.edges.len() - 1;
        if value == last {
            return Some(bins - 1);
        }
        let Some(density) = self.density else {
            return Some(self.edges.partition_point(|edge| *edge <= value) - 1);
        };
        // A guess that is off by one at most; the edges decide.
        let mut bin = (((value - first) * density) as usize).min(bins - 1);
        bin -= usize::from(value < self.edges[bin]);
        bin += usize::from(value >= self.edges[bin + 1]);
        Some(bin)
    }
}

/// How often each whole number from zero on occurs (`int64`), or the sums of their `weights`
/// (`float64`), in as many elements as are needed, `minlength` at least.
///
/// # Errors
/// [`ArrayError::Parameter`] for negative numbers, [`ArrayError::Shapes`] for weights of another
/// shape, [`ArrayError::DTypes`] for what are not integers and for weights other than `float64`,
/// [`ArrayError::TooLarge`], [`ArrayError::OutOfMemory`].
pub fn bincount(
    chunk: &Chunk,
    weights: Option<&Chunk>,
    minlength: usize,
) -> Result<Chunk, ArrayError> {
    let operation = "bincount";
    let values = chunk.contiguous()?;
    let weights = match weights {
        Some(weights) if weights.dtype() != DType::F64 => {
            return Err(ArrayError::DTypes { operation, dtypes: vec![weights.dtype()] });
        }
        Some(weights) if weights.shape() != chunk.shape() => {
            let shapes = vec![chunk.shape().to_vec(), weights.shape().to_vec()];
            return Err(ArrayError::Shapes { operation, shapes });
        }
        Some(weights) => Some(weights.contiguous()?),
        None => None,
    };
    let weights = weights.as_ref().map(whole::<f64>);
    match chunk.dtype() {
        DType::Bool => counted(&values, weights, minlength, |value: Bool| Some(value.get().into())),
        DType::I8 => counted(&values, weights, minlength, |value: i8| value.try_into().ok()),
        DType::I16 => counted(&values, weights, minlength, |value: i16| value.try_into().ok()),
        DType::I32 => counted(&values, weights, minlength, |value: i32| value.try_into().ok()),
        DType::I64 => counted(&values, weights, minlength, |value: i64| value.try_into().ok()),
        DType::U8 => counted(&values, weights, minlength, |value: u8| Some(value.into())),
        DType::U16 => counted(&values, weights, minlength, |value: u16| Some(value.into())),
        DType::U32 => counted(&values, weights, minlength, |value: u32| value.try_into().ok()),
        DType::U64 => counted(&values, weights, minlength, |value: u64| value.try_into().ok()),
        dtype => Err(ArrayError::DTypes { operation, dtypes: vec![dtype] }),
    }
}

fn counted<T: Element>(
    values: &Chunk,
    weights: Option<&[f64]>,
    minlength: usize,
    place: impl Fn(T) -> Option<usize>,
) -> Result<Chunk, ArrayError> {
    let operation = "bincount";
    let values = whole::<T>(values);
    let (mut top, mut negative) = (0, false);
    for value in values {
        let found = place(*value);
        negative |= found.is_none();
        top = top.max(found.unwrap_or_default());
    }
    if negative {
        let reason = "negative numbers cannot be counted";
        return Err(ArrayError::Parameter { operation, reason });
    }
    let length = if values.is_empty() {
        minlength
    } else {
        let too_large = || ArrayError::TooLarge { operation, shape: vec![top] };
        minlength.max(top.checked_add(1).ok_or_else(too_large)?)
    };
    let places = || values.iter().map(|value| place(*value).unwrap_or_default());
    let dtype = if weights.is_some() { DType::F64 } else { DType::I64 };
    Chunk::build(dtype, &[length], |bytes| {
        bytes.fill(0);
        if let Some(weights) = weights {
            let sums = elements::<f64>(bytes);
            places().zip(weights).for_each(|(place, weight)| sums[place] += weight);
        } else {
            let counts = elements::<i64>(bytes);
            places().for_each(|place| counts[place] += 1);
        }
        Ok(())
    })
}
