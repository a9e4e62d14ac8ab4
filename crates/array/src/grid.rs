//! How an array is cut: the lengths of its blocks along each axis.

use std::ops::Range;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::chunk::Shape;
use crate::error::ArrayError;

/// The lengths of the blocks along one axis; shared, since most arrays are cut as their inputs.
pub type AxisChunks = Arc<[usize]>;

/// A block's coordinates.
pub(crate) type Position = SmallVec<[u32; 4]>;

/// The lengths of the blocks along each axis.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Grid {
    axes: SmallVec<[AxisChunks; 4]>,
    /// What the lengths of each axis make up: adding up a million takes a millisecond.
    shape: Shape,
}

impl Grid {
    /// A grid of these block lengths.
    pub fn new(axes: impl IntoIterator<Item = AxisChunks>) -> Self {
        let axes: SmallVec<[AxisChunks; 4]> = axes.into_iter().collect();
        let shape = axes.iter().map(|sizes| length(sizes)).collect();
        Self { axes, shape }
    }

    /// One block for an array of a shape.
    pub fn whole(shape: &[usize]) -> Self {
        Self::new(shape.iter().map(|len| Arc::from([*len].as_slice())))
    }

    /// Blocks of at most `chunks` elements along each axis.
    ///
    /// # Errors
    /// [`ArrayError::Chunks`] where a block length is zero for an axis that has elements,
    /// [`ArrayError::Shapes`] where there are not as many as axes.
    pub fn regular(shape: &[usize], chunks: &[usize]) -> Result<Self, ArrayError> {
        if shape.len() != chunks.len() {
            let shapes = vec![shape.to_vec(), chunks.to_vec()];
            return Err(ArrayError::Shapes { operation: "chunks", shapes });
        }
        let mut axes = SmallVec::new();
        for (axis, (length, chunk)) in shape.iter().zip(chunks).enumerate() {
            let (length, chunk) = (*length, *chunk);
            if length == 0 {
                axes.push(Arc::from([0].as_slice()));
                continue;
            }
            if chunk == 0 {
                let chunks = vec![0];
                return Err(ArrayError::Chunks { operation: "chunks", axis, length, chunks });
            }
            let mut sizes = vec![chunk; length / chunk];
            if !length.is_multiple_of(chunk) {
                sizes.push(length % chunk);
            }
            axes.push(AxisChunks::from(sizes));
        }
        Ok(Self { axes, shape: shape.into() })
    }

    /// The block lengths by axis.
    pub fn axes(&self) -> &[AxisChunks] {
        &self.axes
    }

    /// The block lengths of one axis.
    pub fn axis(&self, axis: usize) -> &AxisChunks {
        &self.axes[axis]
    }

    /// The number of axes.
    pub fn ndim(&self) -> usize {
        self.axes.len()
    }

    /// The shape that the blocks make up.
    pub fn shape(&self) -> Shape {
        self.shape.clone()
    }

    /// The number of blocks along each axis.
    pub fn counts(&self) -> SmallVec<[u32; 4]> {
        self.axes.iter().map(|sizes| sizes.len() as u32).collect()
    }

    /// The number of blocks; `None` where it does not fit a graph.
    pub fn blocks(&self) -> Option<u32> {
        self.axes
            .iter()
            .try_fold(1u32, |blocks, sizes| blocks.checked_mul(u32::try_from(sizes.len()).ok()?))
    }

    /// The coordinates of a block that is counted in row-major order.
    pub(crate) fn position(&self, index: u32) -> Position {
        let mut rest = index;
        let mut position: Position = SmallVec::from_elem(0, self.axes.len());
        for (place, sizes) in position.iter_mut().zip(&self.axes).rev() {
            let count = sizes.len() as u32;
            *place = rest % count;
            rest /= count;
        }
        position
    }

    /// The shape of a block.
    pub fn block_shape(&self, position: &[u32]) -> Shape {
        self.axes.iter().zip(position).map(|(sizes, place)| sizes[*place as usize]).collect()
    }

    /// Whether both cut axes of the same lengths at the same places.
    pub fn same_as(&self, other: &Self) -> bool {
        self.axes.len() == other.axes.len()
            && self
                .axes
                .iter()
                .zip(&other.axes)
                .all(|(one, two)| Arc::ptr_eq(one, two) || one == two)
    }

    /// The grid with another axis in the place of one.
    pub fn with_axis(&self, axis: usize, sizes: AxisChunks) -> Self {
        let mut grid = self.clone();
        grid.shape[axis] = length(&sizes);
        grid.axes[axis] = sizes;
        grid
    }
}

/// What block lengths make up; the greatest number where that is too much.
fn length(sizes: &[usize]) -> usize {
    sizes.iter().fold(0, |sum, size| sum.saturating_add(*size))
}

/// Where each block of a grid begins, by axis: what turns a block's coordinates into a region.
#[derive(Clone, Debug)]
pub struct Offsets {
    axes: SmallVec<[Arc<[usize]>; 4]>,
}

impl Offsets {
    /// The offsets of a grid.
    pub fn of(grid: &Grid) -> Self {
        Self { axes: grid.axes.iter().map(|sizes| starts(sizes)).collect() }
    }

    /// The ranges that a block covers.
    pub fn region(&self, position: &[u32]) -> SmallVec<[Range<usize>; 4]> {
        self.axes
            .iter()
            .zip(position)
            .map(|(starts, place)| starts[*place as usize]..starts[*place as usize + 1])
            .collect()
    }

    /// Where a block begins.
    pub fn origin(&self, position: &[u32]) -> Shape {
        self.axes.iter().zip(position).map(|(starts, place)| starts[*place as usize]).collect()
    }
}

/// Where blocks of these lengths begin, and where the last one ends.
pub(crate) fn starts(sizes: &[usize]) -> Arc<[usize]> {
    let mut at = 0;
    std::iter::once(0)
        .chain(sizes.iter().map(|size| {
            at += size;
            at
        }))
        .collect()
}

/// The block lengths that cut an axis wherever one of several does.
///
/// # Errors
/// [`ArrayError::Shapes`] where they make up different lengths.
pub fn unify(operation: &'static str, several: &[&AxisChunks]) -> Result<AxisChunks, ArrayError> {
    let Some((first, others)) = several.split_first() else { return Ok(Arc::from([])) };
    if others.iter().all(|other| Arc::ptr_eq(first, other) || first == other) {
        return Ok(Arc::clone(first));
    }
    let length = |sizes: &AxisChunks| sizes.iter().sum::<usize>();
    if others.iter().any(|other| length(other) != length(first)) {
        let shapes = several.iter().map(|sizes| vec![length(sizes)]).collect();
        return Err(ArrayError::Shapes { operation, shapes });
    }
    let mut cuts: Vec<usize> = several.iter().flat_map(|sizes| starts(sizes).to_vec()).collect();
    cuts.sort_unstable();
    cuts.dedup();
    Ok(match cuts.len() {
        1 => Arc::from([0].as_slice()),
        _ => cuts.windows(2).map(|pair| pair[1] - pair[0]).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_of_both() {
        let (one, other) = (AxisChunks::from([4, 2]), AxisChunks::from([3, 3]));
        assert_eq!(&*unify("add", &[&one, &other]).unwrap(), &[3, 1, 2]);
        assert!(unify("add", &[&one, &AxisChunks::from([5])]).is_err());
    }

    #[test]
    fn positions_are_row_major() {
        let grid = Grid::regular(&[5, 4], &[2, 3]).unwrap();
        assert_eq!(grid.blocks(), Some(6));
        assert_eq!(&*grid.position(3), &[1, 1]);
        assert_eq!(&*grid.block_shape(&[2, 1]), &[1, 1]);
        assert_eq!(&*Offsets::of(&grid).region(&[2, 1]), &[4..5, 3..4]);
    }
}
