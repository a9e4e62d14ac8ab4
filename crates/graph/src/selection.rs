//! Which tasks of a layer a graph keeps.

/// A set of positions of one layer. Layers keep their numbering when tasks are culled, so that
/// references stay valid; [`Selection::place`] gives the dense position among the kept ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Selection {
    None,
    All,
    Some(Box<Bits>),
}

/// A bitmap that knows how many bits are set before each word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bits {
    words: Vec<u64>,
    before: Vec<u32>,
    count: u32,
}

impl Selection {
    pub(crate) fn contains(&self, index: u32) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Some(bits) => bits.contains(index),
        }
    }

    /// The number of kept tasks of a layer of `len`.
    pub(crate) fn count(&self, len: usize) -> usize {
        match self {
            Self::None => 0,
            Self::All => len,
            Self::Some(bits) => bits.count as usize,
        }
    }

    /// The position of a kept task among the kept ones.
    #[inline]
    pub(crate) fn place(&self, index: u32) -> Option<u32> {
        match self {
            Self::None => None,
            Self::All => Some(index),
            Self::Some(bits) if bits.contains(index) => {
                let word = (index / 64) as usize;
                let below = bits.words[word] & ((1u64 << (index % 64)) - 1);
                Some(bits.before[word] + below.count_ones())
            }
            Self::Some(_) => None,
        }
    }

    /// The kept positions of a layer of `len`, ascending.
    pub(crate) fn positions(&self, len: usize) -> impl Iterator<Item = u32> + '_ {
        let (all, words): (u32, &[u64]) = match self {
            Self::None => (0, &[]),
            Self::All => (len as u32, &[]),
            Self::Some(bits) => (0, &bits.words),
        };
        (0..all).chain(words.iter().zip(0u32..).flat_map(|(word, position)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                (left != 0).then(|| {
                    let bit = left.trailing_zeros();
                    left &= left - 1;
                    position * 64 + bit
                })
            })
        }))
    }
}

impl Bits {
    #[inline]
    fn contains(&self, index: u32) -> bool {
        let word = self.words.get((index / 64) as usize).copied().unwrap_or(0);
        word >> (index % 64) & 1 == 1
    }
}

/// A selection while it is being gathered.
#[derive(Clone, Debug, Default)]
pub(crate) enum Wanted {
    #[default]
    None,
    All,
    Some(Vec<u64>),
}

impl Wanted {
    /// Adds one position of a layer of `len`; whether it was absent.
    pub(crate) fn insert(&mut self, index: u32, len: usize) -> bool {
        match self {
            Self::All => false,
            Self::None => {
                *self = Self::Some(vec![0; len.div_ceil(64)]);
                self.insert(index, len)
            }
            Self::Some(words) => {
                let word = &mut words[(index / 64) as usize];
                let absent = *word >> (index % 64) & 1 == 0;
                *word |= 1 << (index % 64);
                absent
            }
        }
    }

    pub(crate) fn finish(self, len: usize) -> Selection {
        let words = match self {
            Self::None => return Selection::None,
            Self::All => return Selection::All,
            Self::Some(words) => words,
        };
        let mut before = Vec::with_capacity(words.len());
        let mut count = 0u32;
        for word in &words {
            before.push(count);
            count += word.count_ones();
        }
        match count as usize {
            0 => Selection::None,
            all if all == len => Selection::All,
            _ => Selection::Some(Box::new(Bits { words, before, count })),
        }
    }
}
