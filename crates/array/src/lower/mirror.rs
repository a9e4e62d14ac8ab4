//! Layers whose tasks compute blocks at both sides of a diagonal.

use samite_graph::{Call, Input, LayerKind, OperationId, TaskRef};
use smallvec::SmallVec;

use crate::kernels::mirror::Mirror;
use crate::lower::position_in;

/// The number of the block at the mirrored place.
pub(crate) fn image_of(counts: &[u32], mirror: Mirror, index: u32) -> u32 {
    let position = mirror.swapped(&position_in(counts, index));
    counts.iter().zip(position).fold(0, |number, (count, place)| number * count + place)
}

/// One task for each block, without inputs: the first of two blocks that are mirror images computes
/// both, and the second takes what is its own from there.
#[derive(Debug)]
pub(crate) struct MirrorLayer {
    pub(crate) operation: OperationId,
    pub(crate) counts: SmallVec<[u32; 4]>,
    pub(crate) mirror: Mirror,
}

impl LayerKind for MirrorLayer {
    fn len(&self) -> usize {
        self.counts.iter().product::<u32>() as usize
    }

    fn inputs(&self, _inputs: &mut Vec<Input>) {}

    fn dependencies(&self, index: u32, dependencies: &mut Vec<TaskRef>) {
        let image = image_of(&self.counts, self.mirror, index);
        if image < index {
            dependencies.push(TaskRef::own(image));
        }
    }

    fn operation(&self, index: u32) -> Call {
        Call { operation: self.operation, index }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_of_two_images_waits_for_the_first() {
        let (counts, mirror) = (SmallVec::from_slice(&[3, 2, 3]), Mirror::new(2, 0));
        let layer = MirrorLayer { operation: OperationId(0), counts, mirror };
        let mut alone = 0;
        for index in 0..layer.len() as u32 {
            let image = image_of(&layer.counts, mirror, index);
            assert_eq!(image_of(&layer.counts, mirror, image), index);
            let mut needed = Vec::new();
            layer.dependencies(index, &mut needed);
            assert_eq!(needed.len(), usize::from(image < index));
            alone += usize::from(image == index);
        }
        assert_eq!(alone, 3 * 2);
        assert_eq!(image_of(&layer.counts, mirror, 1), 6);
    }
}
