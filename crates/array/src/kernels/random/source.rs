//! The stream of random bits of a block: eight generators side by side, which fill vectors of any
//! width with the same numbers, and one more for what is drawn out of turn.

use std::convert::Infallible;

use rand::TryRng;
use twox_hash::XxHash3_128;

const LANES: usize = 8;
/// Words that are made at a time; they stay in the first level of caches.
pub(super) const BITS: usize = 256;

/// Runs a function with the widest vectors that the processor has.
macro_rules! by_processor {
    ($visibility:vis fn $name:ident($($argument:ident: $type:ty),* $(,)?) $body:block) => {
        $visibility fn $name($($argument: $type),*) {
            #[inline(always)]
            fn body($($argument: $type),*) $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2")]
                fn avx2($($argument: $type),*) {
                    body($($argument),*)
                }
                #[target_feature(enable = "avx512f,avx512dq,avx512vl")]
                fn avx512($($argument: $type),*) {
                    body($($argument),*)
                }
                if is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
                {
                    // SAFETY: the processor has what is enabled.
                    return unsafe { avx512($($argument),*) };
                }
                if is_x86_feature_detected!("avx2") {
                    // SAFETY: the processor has what is enabled.
                    return unsafe { avx2($($argument),*) };
                }
            }
            body($($argument),*)
        }
    };
}
pub(super) use by_processor;

/// One step of xoshiro256++ on one of its lanes.
#[inline(always)]
fn step(state: [&mut u64; 4]) -> u64 {
    let [a, b, c, d] = state;
    let result = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
    let shifted = *b << 17;
    *c ^= *a;
    *d ^= *b;
    *b ^= *c;
    *a ^= *d;
    *c ^= shifted;
    *d = d.rotate_left(45);
    result
}

/// A single generator.
pub(super) struct Single([u64; 4]);

impl Single {
    #[inline]
    pub(super) fn bits(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.0;
        step([a, b, c, d])
    }
}

pub(super) struct Source {
    lanes: [[u64; LANES]; 4],
    words: [u64; BITS],
    rest: Single,
}

/// The state of a generator, which is a hash of seed, block and lane.
fn state(seed: [u64; 4], block: u64, lane: u64) -> [u64; 4] {
    let mut input = [0; 56];
    for (place, word) in seed.into_iter().chain([block, lane]).enumerate() {
        input[8 * place..8 * place + 8].copy_from_slice(&word.to_le_bytes());
    }
    let half = |input: &mut [u8; 56], which: u8| {
        input[48] = which;
        XxHash3_128::oneshot(input)
    };
    let (low, high) = (half(&mut input, 0), half(&mut input, 1));
    let state = [low as u64, (low >> 64) as u64, high as u64, (high >> 64) as u64];
    // The one state that the generator never leaves.
    if state == [0; 4] { [1; 4] } else { state }
}

impl Source {
    pub(super) fn new(seed: [u64; 4], block: u64) -> Self {
        let states: [[u64; 4]; LANES] = std::array::from_fn(|lane| state(seed, block, lane as u64));
        let lanes = std::array::from_fn(|word| states.map(|state| state[word]));
        let rest = Single(state(seed, block, LANES as u64));
        Self { lanes, words: [0; BITS], rest }
    }

    /// The next words of the lanes.
    #[inline(always)]
    pub(super) fn block(&mut self) -> &[u64; BITS] {
        self.block_and_rest().0
    }

    /// The next words of the lanes, and the generator for draws out of turn.
    #[inline(always)]
    pub(super) fn block_and_rest(&mut self) -> (&[u64; BITS], &mut Single) {
        let [mut a, mut b, mut c, mut d] = self.lanes;
        for words in self.words.as_chunks_mut::<LANES>().0 {
            for (lane, word) in words.iter_mut().enumerate() {
                *word = step([&mut a[lane], &mut b[lane], &mut c[lane], &mut d[lane]]);
            }
        }
        self.lanes = [a, b, c, d];
        (&self.words, &mut self.rest)
    }

    /// The generator for draws out of turn.
    pub(super) fn rest(&mut self) -> &mut Single {
        &mut self.rest
    }

    /// A word drawn out of turn.
    #[inline]
    pub(super) fn bits(&mut self) -> u64 {
        self.rest.bits()
    }
}

impl TryRng for Source {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.bits() >> 32) as u32)
    }

    #[inline]
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.bits())
    }

    fn try_fill_bytes(&mut self, target: &mut [u8]) -> Result<(), Infallible> {
        for part in target.chunks_mut(8) {
            part.copy_from_slice(&self.bits().to_le_bytes()[..part.len()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_xoshiro::Xoshiro256PlusPlus;

    use super::*;

    #[test]
    fn the_lanes_are_xoshiro() {
        let (seed, block) = ([1, 2, 3, 4], 5);
        let mut source = Source::new(seed, block);
        let mut reference: Vec<Xoshiro256PlusPlus> = (0..=LANES as u64)
            .map(|lane| {
                let mut bytes = [0; 32];
                for (place, word) in state(seed, block, lane).into_iter().enumerate() {
                    bytes[8 * place..8 * place + 8].copy_from_slice(&word.to_le_bytes());
                }
                Xoshiro256PlusPlus::from_seed(bytes)
            })
            .collect();
        for _ in 0..3 {
            for (place, word) in source.block().iter().enumerate() {
                assert_eq!(*word, reference[place % LANES].try_next_u64().unwrap());
            }
            assert_eq!(source.bits(), reference[LANES].try_next_u64().unwrap());
        }
    }
}
