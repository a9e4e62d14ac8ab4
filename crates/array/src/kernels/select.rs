//! Quantiles along an axis, by selection rather than sorting.

use super::histogram::{Number, with_number};
use super::order::{Ordered, axis_last, elements, whole};
use crate::chunk::{Chunk, Shape};
use crate::dtype::DType;
use crate::error::ArrayError;

/// What a quantile is that falls between two elements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Between {
    /// The point between both that divides as the quantile does.
    #[default]
    Linear,
    /// The lower one.
    Lower,
    /// The higher one.
    Higher,
    /// The middle of both.
    Midpoint,
    /// The nearer one, that of even position where both are as near.
    Nearest,
}

/// The quantiles `q` (0 to 1) along `axis`, which is the first axis of the result. They are
/// `float32` for `float32` and `float64` for others; NaN where there is a NaN, or no element.
///
/// # Errors
/// [`ArrayError::Axis`], [`ArrayError::DTypes`] for complex numbers, [`ArrayError::Parameter`] for
/// quantiles out of range, [`ArrayError::OutOfMemory`].
pub fn quantiles(
    chunk: &Chunk,
    axis: usize,
    q: &[f64],
    between: Between,
) -> Result<Chunk, ArrayError> {
    let operation = "quantile";
    if !q.iter().all(|part| (0.0..=1.0).contains(part)) {
        let reason = "Quantiles must be in the range [0, 1]";
        return Err(ArrayError::Parameter { operation, reason });
    }
    let (lines, _) = axis_last(chunk, axis, operation)?;
    let length = chunk.shape()[axis];
    let outer = &lines.shape()[..lines.ndim() - 1];
    let count: usize = outer.iter().product();
    let mut shape: Shape = [q.len()].as_slice().into();
    shape.extend_from_slice(outer);
    let mut found = vec![f64::NAN; q.len() * count];
    // In ascending order each selection works on what the one before left over.
    let mut ascending: Vec<usize> = (0..q.len()).collect();
    ascending.sort_by(|one, other| q[*one].total_cmp(&q[*other]));
    with_number!(operation, chunk.dtype(), T => {
        if length > 0 {
            let mut line: Vec<T> = Vec::with_capacity(length);
            for (place, source) in whole::<T>(&lines).chunks_exact(length).enumerate() {
                if source.iter().any(|element| element.float().is_nan()) {
                    continue;
                }
                line.clear();
                line.extend_from_slice(source);
                let mut done = 0;
                for which in &ascending {
                    found[which * count + place] = select(&mut line, &mut done, q[*which], between);
                }
            }
        }
        Ok(())
    })?;
    if chunk.dtype() != DType::F32 {
        return Chunk::from_slice(&shape, &found);
    }
    Chunk::build(DType::F32, &shape, |bytes| {
        elements::<f32>(bytes).iter_mut().zip(&found).for_each(|(to, value)| *to = *value as f32);
        Ok(())
    })
}

/// The medians along `axis`, which goes.
///
/// # Errors
/// As for [`quantiles`].
pub fn median(chunk: &Chunk, axis: usize) -> Result<Chunk, ArrayError> {
    let medians = quantiles(chunk, axis, &[0.5], Between::Midpoint)?;
    let shape = &medians.shape()[1..];
    // SAFETY: the first axis has one element.
    Ok(unsafe { medians.with_layout(0, shape, &medians.strides()[1..]) })
}

/// One quantile of a line of which those up to `done` stand in their sorted places already.
fn select<T: Number + Ordered>(line: &mut [T], done: &mut usize, q: f64, between: Between) -> f64 {
    let last = line.len() - 1;
    let position = q * last as f64;
    let mut at = |place: usize| -> f64 {
        let place = place.min(last);
        if place >= *done {
            line[*done..].select_nth_unstable_by(place - *done, Ordered::order);
            *done = place;
        }
        line[place].float()
    };
    let (low, part) = (position.floor() as usize, position.fract());
    match between {
        Between::Lower => at(low),
        Between::Higher => at(position.ceil() as usize),
        Between::Nearest => at(position.round_ties_even() as usize),
        _ if part == 0.0 => at(low),
        Between::Midpoint => {
            let (one, other) = (at(low), at(low + 1));
            // Infinities have no difference.
            if one == other { one } else { one + (other - one) * 0.5 }
        }
        Between::Linear => {
            let (one, other) = (at(low), at(low + 1));
            let width = other - one;
            if one == other {
                return one;
            }
            if part < 0.5 { one + width * part } else { other - width * (1.0 - part) }
        }
    }
}
