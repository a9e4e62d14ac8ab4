//! Normal variables by the ziggurat method of Marsaglia and Tsang, as Doornik (2005) has it: 256
//! layers of equal area, of which all but one draw in a hundred need one comparison.

use std::sync::LazyLock;

use super::source::{BITS, Single, Source, by_processor};
use super::{positive_unit, unit};

/// Where the tail begins, and the area of each layer.
const TAIL: f64 = 3.654_152_885_361_009;
const AREA: f64 = 0.004_928_673_233_992_336;
const LAYERS: usize = 256;

struct Tables {
    /// The right ends of the layers; the first one is that of a box as large as base and tail.
    ends: [f64; LAYERS + 1],
    /// The density at these ends.
    heights: [f64; LAYERS + 1],
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let density = |x: f64| (-0.5 * x * x).exp();
    let mut ends = [0.0; LAYERS + 1];
    ends[0] = AREA / density(TAIL);
    ends[1] = TAIL;
    for layer in 1..LAYERS - 1 {
        let height = AREA / ends[layer] + density(ends[layer]);
        ends[layer + 1] = (-2.0 * height.ln()).sqrt();
    }
    Tables { ends, heights: ends.map(density) }
});

/// The layer that a word falls into, and the place inside: the lowest bits and the highest ones.
#[inline(always)]
fn candidate(tables: &Tables, bits: u64) -> (usize, f64) {
    let layer = (bits & 0xff) as usize;
    // 52 bits as a float in [2, 4), and so in [-1, 1).
    let signed = f64::from_bits((bits >> 12) | 0x4000_0000_0000_0000) - 3.0;
    (layer, signed * tables.ends[layer])
}

/// What becomes of a word that the fast comparison does not accept.
#[cold]
#[inline(never)]
fn settle(tables: &Tables, mut bits: u64, rest: &mut Single) -> f64 {
    loop {
        let (layer, x) = candidate(tables, bits);
        if x.abs() < tables.ends[layer + 1] {
            return x;
        }
        if layer == 0 {
            loop {
                let over = -positive_unit(rest.bits()).ln() / TAIL;
                let other = -positive_unit(rest.bits()).ln();
                if 2.0 * other >= over * over {
                    return if x < 0.0 { -TAIL - over } else { TAIL + over };
                }
            }
        }
        let (low, high) = (tables.heights[layer], tables.heights[layer + 1]);
        if high + (low - high) * unit(rest.bits()) < (-0.5 * x * x).exp() {
            return x;
        }
        bits = rest.bits();
    }
}

by_processor! {
    pub(super) fn normal(source: &mut Source, target: &mut [f64], loc: f64, scale: f64) {
        let tables = &*TABLES;
        for part in target.chunks_mut(BITS) {
            let (bits, rest) = source.block_and_rest();
            let mut left = [0u64; BITS / 64];
            for (group, (part, bits)) in part.chunks_mut(64).zip(bits.chunks(64)).enumerate() {
                let mut refused = 0;
                for (place, (to, bits)) in part.iter_mut().zip(bits).enumerate() {
                    let (layer, x) = candidate(tables, *bits);
                    refused |= u64::from(x.abs() >= tables.ends[layer + 1]) << place;
                    *to = loc + scale * x;
                }
                left[group] = refused;
            }
            for (group, mut refused) in left.into_iter().enumerate() {
                while refused != 0 {
                    let place = 64 * group + refused.trailing_zeros() as usize;
                    refused &= refused - 1;
                    part[place] = loc + scale * settle(tables, bits[place], rest);
                }
            }
        }
    }
}

/// One normal variable, drawn out of turn.
pub(super) fn one(source: &mut Source) -> f64 {
    let (tables, bits) = (&*TABLES, source.bits());
    let (layer, x) = candidate(tables, bits);
    if x.abs() < tables.ends[layer + 1] { x } else { settle(tables, bits, source.rest()) }
}
