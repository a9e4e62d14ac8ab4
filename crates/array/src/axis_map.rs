//! Which elements of an axis stand along another: slices, cuts, repetitions, one idea for all.
//!
//! A map is a list of runs; element `i` of a run is `start + i * step` of the axis that is read.
//! Reading an axis in other chunks is the identity map; a slice is one run; a roll is two; taking
//! elements by a list of positions is as many as it needs. Maps compose, so that a slice of a
//! slice of a rechunked array is one map.

use std::sync::Arc;

use crate::grid::starts;

/// Elements at regular steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Run {
    /// The first element.
    pub start: usize,
    /// From one to the next.
    pub step: isize,
    /// How many.
    pub len: usize,
}

impl Run {
    /// Element `place` of the run.
    #[inline]
    pub fn at(&self, place: usize) -> usize {
        self.start.wrapping_add_signed(self.step * place as isize)
    }

    fn part(&self, first: usize, step: isize, len: usize) -> Self {
        Self { start: self.at(first), step: self.step * step, len }
    }
}

/// Which elements of an axis are read, in order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AxisMap {
    runs: Arc<[Run]>,
}

/// A part of an output block: where it comes from, and where it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The block of the input.
    pub block: u32,
    /// Within that block.
    pub from: Run,
    /// The first element in the output block.
    pub to: usize,
}

impl AxisMap {
    /// Every element of an axis.
    pub fn identity(len: usize) -> Self {
        Self::strided(0, 1, len)
    }

    /// Elements at regular steps.
    pub fn strided(start: usize, step: isize, len: usize) -> Self {
        // Equal maps are to have equal runs.
        Self::from_runs([Run { start, step: if len == 1 { 1 } else { step }, len }])
    }

    /// The elements at these positions.
    pub fn positions(positions: impl IntoIterator<Item = usize>) -> Self {
        let mut runs: Vec<Run> = Vec::new();
        for position in positions {
            push(&mut runs, Run { start: position, step: 1, len: 1 });
        }
        Self { runs: runs.into() }
    }

    /// These runs, one after the other.
    pub fn from_runs(runs: impl IntoIterator<Item = Run>) -> Self {
        let mut joined = Vec::new();
        for run in runs {
            push(&mut joined, run);
        }
        Self { runs: joined.into() }
    }

    /// How many elements are read.
    pub fn len(&self) -> usize {
        self.runs.iter().map(|run| run.len).sum()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.runs.iter().all(|run| run.len == 0)
    }

    /// The runs.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// The only run; `None` where there are several.
    pub fn single(&self) -> Option<Run> {
        match &*self.runs {
            [] => Some(Run { start: 0, step: 1, len: 0 }),
            [run] => Some(*run),
            _ => None,
        }
    }

    /// Whether all of an axis of this length is read in order.
    pub fn is_identity(&self, len: usize) -> bool {
        matches!(&*self.runs, [Run { start: 0, step: 1, len: all }] if *all == len)
            || len == 0 && self.is_empty()
    }

    /// The largest element that is read; `None` where none is.
    pub fn last(&self) -> Option<usize> {
        self.runs
            .iter()
            .filter(|run| run.len > 0)
            .map(|run| run.at(0).max(run.at(run.len - 1)))
            .max()
    }

    /// Whether every element that is read is one of an axis of this length, and their number can be
    /// counted.
    pub fn fits(&self, extent: usize) -> bool {
        let extent = extent as i128;
        let within = |run: &Run| {
            let first = run.start as i128;
            let way = (run.step as i128).saturating_mul(run.len as i128 - 1);
            let last = first.saturating_add(way);
            run.len == 0 || (first < extent && last >= 0 && last < extent)
        };
        let total = |sum: usize, run: &Run| sum.checked_add(run.len);
        self.runs.iter().all(within) && self.runs.iter().try_fold(0, total).is_some()
    }

    /// What `outer` reads of what this reads.
    pub fn then(&self, outer: &Self) -> Self {
        let begins = starts(&self.runs.iter().map(|run| run.len).collect::<Vec<_>>());
        let mut runs = Vec::new();
        for run in &*outer.runs {
            each_part(&begins, *run, &mut |place, first, step, len, _| {
                push(&mut runs, self.runs[place].part(first, step, len));
            });
        }
        Self { runs: runs.into() }
    }

    /// The lengths of the blocks where each ends with one of the input's: what is read of a block
    /// stays together. Runs may read a block several times.
    pub fn cut(&self, input: &[usize]) -> Vec<usize> {
        let pieces = self.pieces(input, &[self.len()]);
        let lengths: Vec<usize> = pieces.iter().flatten().map(|piece| piece.from.len).collect();
        if lengths.is_empty() { vec![0] } else { lengths }
    }

    /// The pieces that make up each block of the result, where it is cut into `output` and the
    /// axis that is read into `input`.
    pub fn pieces(&self, input: &[usize], output: &[usize]) -> Vec<Vec<Piece>> {
        let begins = starts(input);
        let mut blocks = Vec::with_capacity(output.len());
        let mut runs = self.runs.iter().copied();
        let mut rest: Option<Run> = runs.next();
        for size in output {
            let mut pieces = Vec::new();
            let mut filled = 0;
            while filled < *size {
                let Some(run) = rest else { break };
                let len = run.len.min(size - filled);
                let part = run.part(0, 1, len);
                each_part(&begins, part, &mut |block, first, step, len, offset| {
                    let from = Run { start: first, step, len };
                    pieces.push(Piece { block: block as u32, from, to: filled + offset });
                });
                filled += len;
                rest = match run.len - len {
                    0 => runs.next(),
                    left => Some(run.part(len, 1, left)),
                };
            }
            blocks.push(pieces);
        }
        blocks
    }
}

/// Appends a run, to the last one where it goes on in the same step.
fn push(runs: &mut Vec<Run>, run: Run) {
    if run.len == 0 {
        return;
    }
    if let Some(last) = runs.last_mut() {
        let step = run.start as isize - last.at(last.len - 1) as isize;
        let fits = (last.len == 1 || last.step == step) && (run.len == 1 || run.step == step);
        // A single element joins the one before it only where that is its neighbour: positions
        // that are far apart are no run.
        if fits && (last.len > 1 || run.len > 1 || step.abs() == 1) {
            *last = Run { start: last.start, step, len: last.len + run.len };
            return;
        }
    }
    runs.push(run);
}

/// Cuts a run where it goes over from one interval to another. `visit` is told the interval, the
/// first element within it, the step, the number of elements, and how many of the run came before.
fn each_part(begins: &[usize], run: Run, visit: &mut dyn FnMut(usize, usize, isize, usize, usize)) {
    let mut done = 0;
    while done < run.len {
        let at = run.at(done);
        // The last interval that begins at or before the element; empty ones end where they begin.
        let place = begins.partition_point(|begin| *begin <= at) - 1;
        if place + 1 >= begins.len() {
            return;
        }
        let left = run.len - done;
        let len = match run.step {
            0 => left,
            step if step > 0 => (begins[place + 1] - 1 - at) / step as usize + 1,
            step => (at - begins[place]) / step.unsigned_abs() + 1,
        };
        let len = len.min(left);
        visit(place, at - begins[place], run.step, len, done);
        done += len;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn listed(map: &AxisMap) -> Vec<usize> {
        map.runs().iter().flat_map(|run| (0..run.len).map(|place| run.at(place))).collect()
    }

    fn maps(len: usize) -> impl Strategy<Value = AxisMap> {
        prop_oneof![
            Just(AxisMap::identity(len)),
            proptest::collection::vec(0..len, 0..12).prop_map(AxisMap::positions),
            (0..len).prop_map(move |start| AxisMap::strided(start, -1, start + 1)),
            (0..len, 1..4usize).prop_map(move |(start, step)| AxisMap::strided(
                start,
                step as isize,
                (len - start).div_ceil(step)
            )),
        ]
    }

    proptest! {
        #[test]
        fn composing_is_reading_twice(inner in maps(17), picks in proptest::collection::vec(0..1000usize, 0..9)) {
            let read = listed(&inner);
            let picks: Vec<usize> = if read.is_empty() { vec![] } else { picks.iter().map(|at| at % read.len()).collect() };
            let outer = AxisMap::positions(picks.iter().copied());
            let wanted: Vec<usize> = picks.iter().map(|at| read[*at]).collect();
            prop_assert_eq!(listed(&inner.then(&outer)), wanted);
        }

        #[test]
        fn pieces_make_up_the_blocks(map in maps(17), cut in 1..9usize, size in 1..6usize) {
            let input = [0, cut, 0, 17 - cut];
            let begins = starts(&input);
            let len = map.len();
            let mut output = vec![size; len / size];
            output.push(len % size);
            let mut found = Vec::new();
            for (pieces, size) in map.pieces(&input, &output).iter().zip(&output) {
                let mut block = vec![usize::MAX; *size];
                for piece in pieces {
                    for place in 0..piece.from.len {
                        block[piece.to + place] = begins[piece.block as usize] + piece.from.at(place);
                    }
                }
                found.extend(block);
            }
            prop_assert_eq!(found, listed(&map));
        }
    }
}
