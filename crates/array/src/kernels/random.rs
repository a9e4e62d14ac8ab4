//! Random chunks. Each block has a stream of its own, which follows from the seed and the block's
//! number alone, so that an array is the same however its blocks are computed.

mod source;
mod ziggurat;

use num_complex::Complex64;
use rand_distr::{Distribution as _, Exp1};

use crate::chunk::Chunk;
use crate::dtype::{Bool, DType, Element};
use crate::error::ArrayError;
use source::{BITS, Source, by_processor};

const OPERATION: &str = "random";

/// What random numbers are drawn from; the parameters are NumPy's.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub enum Distribution {
    /// Uniform in [0, 1).
    Random,
    /// Uniform in [low, high).
    Uniform {
        /// The lower end.
        low: f64,
        /// The upper end.
        high: f64,
    },
    /// Whole numbers with equal chances, both ends included.
    Integers {
        /// The least one.
        low: i128,
        /// The greatest one.
        last: i128,
    },
    /// The normal distribution.
    Normal {
        /// The mean.
        loc: f64,
        /// The standard deviation.
        scale: f64,
    },
    /// The exponential of a normal variable.
    Lognormal {
        /// Its mean.
        mean: f64,
        /// Its standard deviation.
        sigma: f64,
    },
    /// The exponential distribution.
    Exponential {
        /// The mean.
        scale: f64,
    },
    /// The gamma distribution.
    Gamma {
        /// The shape.
        shape: f64,
        /// The scale.
        scale: f64,
    },
    /// The beta distribution.
    Beta {
        /// The first shape.
        a: f64,
        /// The second shape.
        b: f64,
    },
    /// The chi-square distribution.
    ChiSquare {
        /// Degrees of freedom.
        df: f64,
    },
    /// The F distribution.
    F {
        /// Degrees of freedom of the numerator.
        dfnum: f64,
        /// Degrees of freedom of the denominator.
        dfden: f64,
    },
    /// Student's t distribution.
    StudentT {
        /// Degrees of freedom.
        df: f64,
    },
    /// The standard Cauchy distribution.
    Cauchy,
    /// The Laplace distribution.
    Laplace {
        /// The place of the peak.
        loc: f64,
        /// The exponential decay.
        scale: f64,
    },
    /// The logistic distribution.
    Logistic {
        /// The mean.
        loc: f64,
        /// The scale.
        scale: f64,
    },
    /// The Gumbel distribution.
    Gumbel {
        /// The mode.
        loc: f64,
        /// The scale.
        scale: f64,
    },
    /// The Rayleigh distribution.
    Rayleigh {
        /// The mode.
        scale: f64,
    },
    /// The Weibull distribution of scale 1.
    Weibull {
        /// The shape.
        a: f64,
    },
    /// The Pareto distribution of the second kind, or Lomax distribution.
    Pareto {
        /// The shape.
        a: f64,
    },
    /// The power distribution on [0, 1].
    Power {
        /// The exponent and 1.
        a: f64,
    },
    /// The triangular distribution.
    Triangular {
        /// The lower end.
        left: f64,
        /// The peak.
        mode: f64,
        /// The upper end.
        right: f64,
    },
    /// The inverse Gaussian distribution.
    Wald {
        /// The mean.
        mean: f64,
        /// The scale.
        scale: f64,
    },
    /// The Poisson distribution.
    Poisson {
        /// The mean.
        lam: f64,
    },
    /// The number of successes.
    Binomial {
        /// Of so many trials.
        n: u64,
        /// With this chance each.
        p: f64,
    },
    /// The number of failures before the `n`-th success.
    NegativeBinomial {
        /// How many successes.
        n: f64,
        /// The chance of each.
        p: f64,
    },
    /// The number of trials up to the first success.
    Geometric {
        /// The chance of success.
        p: f64,
    },
    /// The number of good ones in a sample without replacement.
    Hypergeometric {
        /// The good ones.
        ngood: u64,
        /// The bad ones.
        nbad: u64,
        /// The size of the sample.
        nsample: u64,
    },
    /// The Zipf distribution without an upper end.
    Zipf {
        /// The exponent.
        a: f64,
    },
}

/// A C-contiguous chunk of random numbers.
///
/// Continuous distributions make `float32` and `float64`, and complex numbers whose parts are drawn
/// one after the other; discrete ones make any integers (those that do not fit wrap) and bools.
///
/// # Errors
/// [`ArrayError::DTypes`] for other dtypes, [`ArrayError::Parameter`] for parameters that the
/// distribution is not defined for, [`ArrayError::OutOfMemory`].
pub fn generate(
    distribution: &Distribution,
    seed: [u64; 4],
    block: u64,
    shape: &[usize],
    dtype: DType,
) -> Result<Chunk, ArrayError> {
    let source = &mut Source::new(seed, block);
    Chunk::build(dtype, shape, |bytes| match dtype {
        DType::F32 => {
            let target = elements::<f32>(bytes);
            let mut wide = [0.0; 1024];
            for part in target.chunks_mut(wide.len()) {
                let wide = &mut wide[..part.len()];
                continuous(distribution, source, wide)?;
                for (to, from) in part.iter_mut().zip(wide) {
                    // Rounding up must not reach the end that a half-open range leaves out.
                    *to = match distribution {
                        Distribution::Random => (*from as f32).min(1.0f32.next_down()),
                        _ => *from as f32,
                    };
                }
            }
            Ok(())
        }
        DType::F64 => continuous(distribution, source, elements::<f64>(bytes)),
        DType::C128 => {
            let numbers = elements::<Complex64>(bytes);
            // SAFETY: a complex number is a pair of floats.
            let parts = unsafe {
                std::slice::from_raw_parts_mut(numbers.as_mut_ptr().cast(), 2 * numbers.len())
            };
            continuous(distribution, source, parts)
        }
        DType::Bool => whole::<Bool>(distribution, source, bytes),
        DType::I8 => whole::<i8>(distribution, source, bytes),
        DType::I16 => whole::<i16>(distribution, source, bytes),
        DType::I32 => whole::<i32>(distribution, source, bytes),
        DType::I64 => whole::<i64>(distribution, source, bytes),
        DType::U8 => whole::<u8>(distribution, source, bytes),
        DType::U16 => whole::<u16>(distribution, source, bytes),
        DType::U32 => whole::<u32>(distribution, source, bytes),
        DType::U64 => whole::<u64>(distribution, source, bytes),
        DType::F16 | DType::C64 => {
            Err(ArrayError::DTypes { operation: OPERATION, dtypes: vec![dtype] })
        }
    })
}

/// The bytes of a new chunk as its elements.
fn elements<T: Element>(bytes: &mut [u8]) -> &mut [T] {
    let len = bytes.len() / size_of::<T>();
    // SAFETY: the buffer of a chunk is aligned for every element, and any bytes are valid ones.
    unsafe { std::slice::from_raw_parts_mut(bytes.as_mut_ptr().cast(), len) }
}

fn refuse<T>(reason: &'static str) -> Result<T, ArrayError> {
    Err(ArrayError::Parameter { operation: OPERATION, reason })
}

fn not_negative(value: f64, reason: &'static str) -> Result<(), ArrayError> {
    // As in NumPy, -0.0 is negative and NaN is not a parameter.
    if value.is_nan() || value.is_sign_negative() { refuse(reason) } else { Ok(()) }
}

fn positive(value: f64, reason: &'static str) -> Result<(), ArrayError> {
    if value > 0.0 { Ok(()) } else { refuse(reason) }
}

/// Uniform in [0, 1), from the upper 53 bits.
#[inline(always)]
fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}

/// Uniform in (0, 1], whose logarithm is finite.
#[inline(always)]
fn positive_unit(bits: u64) -> f64 {
    ((bits >> 11) + 1) as f64 * (1.0 / (1u64 << 53) as f64)
}

/// Writes what `of` makes of random bits.
#[inline(always)]
fn each<T>(source: &mut Source, target: &mut [T], of: impl Fn(u64) -> T) {
    for part in target.chunks_mut(BITS) {
        let bits = source.block();
        for (to, from) in part.iter_mut().zip(bits) {
            *to = of(*from);
        }
    }
}

by_processor! {
    fn uniform(source: &mut Source, target: &mut [f64], low: f64, width: f64) {
        each(source, target, |bits| low + width * unit(bits));
    }
}

fn exponential(source: &mut Source) -> f64 {
    Exp1.sample(source)
}

fn gamma(shape: f64) -> Result<impl Fn(&mut Source) -> f64, ArrayError> {
    not_negative(shape, "shape < 0")?;
    let inner = (shape > 0.0).then(|| rand_distr::Gamma::new(shape, 1.0)).transpose();
    let Ok(inner) = inner else { return refuse("shape is not finite") };
    Ok(move |source: &mut Source| inner.map_or(0.0, |gamma| gamma.sample(source)))
}

fn continuous(
    distribution: &Distribution,
    source: &mut Source,
    target: &mut [f64],
) -> Result<(), ArrayError> {
    let mut draw = |of: &mut dyn FnMut(&mut Source) -> f64| {
        for to in &mut *target {
            *to = of(source);
        }
    };
    match *distribution {
        Distribution::Random => uniform(source, target, 0.0, 1.0),
        Distribution::Uniform { low, high } => {
            if !(high - low).is_finite() {
                return refuse("the range is not finite");
            }
            uniform(source, target, low, high - low);
        }
        Distribution::Normal { loc, scale } => {
            not_negative(scale, "scale < 0")?;
            ziggurat::normal(source, target, loc, scale);
        }
        Distribution::Lognormal { mean, sigma } => {
            not_negative(sigma, "sigma < 0")?;
            ziggurat::normal(source, target, mean, sigma);
            for to in target {
                *to = to.exp();
            }
        }
        Distribution::Exponential { scale } => {
            not_negative(scale, "scale < 0")?;
            draw(&mut |source| scale * exponential(source));
        }
        Distribution::Gamma { shape, scale } => {
            not_negative(scale, "scale < 0")?;
            let gamma = gamma(shape)?;
            draw(&mut |source| scale * gamma(source));
        }
        Distribution::Beta { a, b } => {
            positive(a, "a <= 0")?;
            positive(b, "b <= 0")?;
            let Ok(beta) = rand_distr::Beta::new(a, b) else { return refuse("not finite") };
            draw(&mut |source| beta.sample(source));
        }
        Distribution::ChiSquare { df } => {
            positive(df, "df <= 0")?;
            let gamma = gamma(df / 2.0)?;
            draw(&mut |source| 2.0 * gamma(source));
        }
        Distribution::F { dfnum, dfden } => {
            positive(dfnum, "dfnum <= 0")?;
            positive(dfden, "dfden <= 0")?;
            let (upper, lower) = (gamma(dfnum / 2.0)?, gamma(dfden / 2.0)?);
            draw(&mut |source| (upper(source) * dfden) / (lower(source) * dfnum));
        }
        Distribution::StudentT { df } => {
            positive(df, "df <= 0")?;
            let gamma = gamma(df / 2.0)?;
            draw(&mut |source| ziggurat::one(source) * (df / 2.0).sqrt() / gamma(source).sqrt());
        }
        Distribution::Cauchy => {
            draw(&mut |source| (std::f64::consts::PI * (unit(source.bits()) - 0.5)).tan())
        }
        Distribution::Laplace { loc, scale } => {
            not_negative(scale, "scale < 0")?;
            draw(&mut |source| {
                let sign = if source.bits() >> 63 == 0 { 1.0 } else { -1.0 };
                loc + sign * scale * exponential(source)
            });
        }
        Distribution::Logistic { loc, scale } => {
            not_negative(scale, "scale < 0")?;
            draw(&mut |source| {
                // An open interval: the middles of 2^52 parts.
                let part = ((source.bits() >> 12) as f64 + 0.5) / (1u64 << 52) as f64;
                loc + scale * (part.ln() - (-part).ln_1p())
            });
        }
        Distribution::Gumbel { loc, scale } => {
            not_negative(scale, "scale < 0")?;
            draw(&mut |source| loc - scale * exponential(source).ln());
        }
        Distribution::Rayleigh { scale } => {
            not_negative(scale, "scale < 0")?;
            draw(&mut |source| scale * (2.0 * exponential(source)).sqrt());
        }
        Distribution::Weibull { a } => {
            not_negative(a, "a < 0")?;
            draw(&mut |source| if a == 0.0 { 0.0 } else { exponential(source).powf(1.0 / a) });
        }
        Distribution::Pareto { a } => {
            positive(a, "a <= 0")?;
            draw(&mut |source| (exponential(source) / a).exp_m1());
        }
        Distribution::Power { a } => {
            positive(a, "a <= 0")?;
            draw(&mut |source| positive_unit(source.bits()).powf(1.0 / a));
        }
        Distribution::Triangular { left, mode, right } => {
            if !(left <= mode && mode <= right && left < right) {
                return refuse("left <= mode <= right and left < right do not hold");
            }
            let (width, rise) = (right - left, mode - left);
            draw(&mut |source| {
                let part = unit(source.bits());
                if part * width <= rise {
                    left + (part * width * rise).sqrt()
                } else {
                    right - ((1.0 - part) * width * (right - mode)).sqrt()
                }
            });
        }
        Distribution::Wald { mean, scale } => {
            positive(mean, "mean <= 0")?;
            positive(scale, "scale <= 0")?;
            draw(&mut |source| {
                let normal = ziggurat::one(source);
                let half = mean * normal * normal / (2.0 * scale);
                // The lesser root in a form that does not cancel.
                let root = (half * (half + 2.0)).sqrt();
                let low = mean / (1.0 + half + root);
                if unit(source.bits()) * (mean + low) <= mean { low } else { mean * mean / low }
            });
        }
        _ => {
            let mut draw = counts(distribution)?;
            for to in target {
                *to = draw(source) as f64;
            }
        }
    }
    Ok(())
}

type Counts = Box<dyn FnMut(&mut Source) -> i64>;

/// Draws of a discrete distribution other than that of equal chances.
fn counts(distribution: &Distribution) -> Result<Counts, ArrayError> {
    let chance = |p: f64| {
        if (0.0..=1.0).contains(&p) { Ok(()) } else { refuse("p is not between 0 and 1") }
    };
    Ok(match *distribution {
        Distribution::Poisson { lam } => {
            not_negative(lam, "lam < 0")?;
            // As in NumPy: greater counts might not fit.
            if lam > 9.223_372_006_484_771e18 {
                return refuse("lam value too large");
            }
            poisson(lam)
        }
        Distribution::Binomial { n, p } => {
            chance(p)?;
            let Ok(binomial) = rand_distr::Binomial::new(n, p) else { return refuse("p") };
            Box::new(move |source| binomial.sample(source) as i64)
        }
        Distribution::NegativeBinomial { n, p } => {
            positive(n, "n <= 0")?;
            chance(p)?;
            positive(p, "p <= 0")?;
            let (gamma, scale) = (gamma(n)?, (1.0 - p) / p);
            Box::new(move |source| {
                let lam = scale * gamma(source);
                poisson(lam)(source)
            })
        }
        Distribution::Geometric { p } => {
            chance(p)?;
            positive(p, "p <= 0")?;
            let scale = -(-p).ln_1p();
            Box::new(move |source| {
                // The cast saturates where the count does not fit.
                ((exponential(source) / scale).ceil() as i64).max(1)
            })
        }
        Distribution::Hypergeometric { ngood, nbad, nsample } => {
            let Some(total) = ngood.checked_add(nbad) else { return refuse("ngood + nbad") };
            if nsample > total {
                return refuse("ngood + nbad < nsample");
            }
            let Ok(inner) = rand_distr::Hypergeometric::new(total, ngood, nsample) else {
                return refuse("the population is too large");
            };
            Box::new(move |source| inner.sample(source) as i64)
        }
        Distribution::Zipf { a } => {
            if a.is_nan() || a <= 1.0 {
                return refuse("a <= 1 or a is NaN");
            }
            let Ok(zeta) = rand_distr::Zeta::new(a) else { return refuse("a") };
            Box::new(move |source| {
                // As in NumPy, values that do not fit are drawn anew.
                loop {
                    let value: f64 = zeta.sample(source);
                    if value < i64::MAX as f64 {
                        return value as i64;
                    }
                }
            })
        }
        _ => {
            return refuse("a continuous distribution makes no integers");
        }
    })
}

fn poisson(lam: f64) -> Counts {
    match rand_distr::Poisson::new(lam) {
        Ok(poisson) => Box::new(move |source| {
            let count: f64 = poisson.sample(source);
            count as i64
        }),
        Err(_) => Box::new(|_| 0),
    }
}

/// Elements that discrete distributions make.
trait Number: Element {
    /// The lowest bits of a whole number.
    fn wrapped(value: u64) -> Self;
}

impl Number for Bool {
    #[inline(always)]
    fn wrapped(value: u64) -> Self {
        Self::from(value != 0)
    }
}

macro_rules! numbers {
    ($($type:ty),*) => {
        $(impl Number for $type {
            #[inline(always)]
            fn wrapped(value: u64) -> Self {
                value as Self
            }
        })*
    };
}

numbers!(i8, i16, i32, i64, u8, u16, u32, u64);

fn whole<T: Number>(
    distribution: &Distribution,
    source: &mut Source,
    bytes: &mut [u8],
) -> Result<(), ArrayError> {
    let target = elements::<T>(bytes);
    let Distribution::Integers { low, last } = *distribution else {
        let mut draw = counts(distribution)?;
        for to in target {
            *to = T::wrapped(draw(source) as u64);
        }
        return Ok(());
    };
    if low > last {
        return refuse("low >= high");
    }
    let from = low as u64;
    let Some(range) = last.checked_sub(low).and_then(|less| u64::try_from(less).ok()) else {
        return refuse("the range has more than 2**64 numbers");
    };
    let Some(range) = range.checked_add(1) else {
        each(source, target, |bits| T::wrapped(from.wrapping_add(bits)));
        return Ok(());
    };
    // Lemire's method: the upper half of the product has equal chances once the lower halves under
    // 2^64 mod range are drawn anew.
    let threshold = range.wrapping_neg() % range;
    for part in target.chunks_mut(BITS) {
        let (bits, rest) = source.block_and_rest();
        for (to, bits) in part.iter_mut().zip(bits) {
            let mut product = u128::from(*bits) * u128::from(range);
            while (product as u64) < threshold {
                product = u128::from(rest.bits()) * u128::from(range);
            }
            *to = T::wrapped(from.wrapping_add((product >> 64) as u64));
        }
    }
    Ok(())
}
