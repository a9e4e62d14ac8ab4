//! Gathering between workers of a cluster: each input block is cut once into the pieces that output
//! blocks take of it, which then travel apart from one another.

use std::any::Any;
use std::sync::Arc;

use samite_runtime::{Data, Value};

use crate::chunk::Chunk;
use crate::dtype::DType;
use crate::error::ArrayError;
use crate::lower::gather::GatherPlan;

/// Blocks that are made of fewer input blocks than this are put together from whole ones.
const FEW: usize = 4;

/// The pieces of a block by the number of the output block that takes each.
pub struct Pieces {
    pieces: Vec<(u32, Chunk)>,
}

impl Pieces {
    /// Pieces by their numbers.
    pub fn new(pieces: Vec<(u32, Chunk)>) -> Self {
        Self { pieces }
    }

    /// All pieces, with the numbers of those who take them.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Chunk)> {
        self.pieces.iter().map(|(number, piece)| (*number, piece))
    }

    fn of(&self, number: u32) -> Option<&Chunk> {
        self.iter().find(|(other, _)| *other == number).map(|(_, piece)| piece)
    }
}

impl Data for Pieces {
    fn nbytes(&self) -> usize {
        self.pieces.iter().map(|(_, piece)| piece.nbytes()).sum()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Whether cutting pays off: where blocks only grow or shrink, whole ones move no more bytes.
pub(crate) fn pays_off(plan: &GatherPlan) -> bool {
    plan.widest() >= FEW && plan.most_takers() >= FEW
}

/// The pieces of an input block.
pub(crate) fn cut(plan: &GatherPlan, index: u32, input: &Chunk) -> Result<Pieces, ArrayError> {
    let mut pieces = Vec::new();
    plan.each_piece(index, input, &mut |output, _, piece| {
        pieces.push((output, piece.clone()));
        Ok(())
    })?;
    Ok(Pieces { pieces })
}

/// An output block from its pieces, or from all pieces of the blocks that it is made of, in the
/// order of its dependencies.
pub(crate) fn assemble(
    plan: &GatherPlan,
    index: u32,
    dtype: DType,
    inputs: &[Value],
) -> Result<Value, ArrayError> {
    let missing = ArrayError::Internal { what: "a piece of a block is missing" };
    let mut pieces = Vec::with_capacity(inputs.len());
    for input in inputs {
        let all = input.as_any().downcast_ref::<Pieces>();
        let piece = all.map_or_else(|| Chunk::of(input), |pieces| pieces.of(index));
        match piece.filter(|piece| piece.dtype() == dtype).map(Chunk::as_bytes) {
            Some(Some(bytes)) => pieces.push(bytes),
            _ => return Err(missing),
        }
    }
    let length: usize = pieces.iter().map(|piece| piece.len()).sum();
    let packed = Chunk::build(DType::U8, &[length], |target| {
        let mut rest = target;
        for piece in &pieces {
            let Some((place, others)) = rest.split_at_mut_checked(piece.len()) else {
                return Err(ArrayError::Internal { what: "pieces are longer than their block" });
            };
            place.copy_from_slice(piece);
            rest = others;
        }
        Ok(())
    })?;
    let block = plan.unpack(index, dtype, packed.as_bytes().unwrap_or_default())?;
    Ok(Arc::new(block))
}
