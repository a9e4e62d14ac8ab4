//! Partials on their way to another process of the same program.

use super::{Bundle, Folding, Header, Partial, Reduction};
use crate::dtype::DType;
use crate::error::ArrayError;
use crate::kernels::program::ProgramBuilder;

/// What a partial is besides its states, in a form that can travel: how a state is folded is told
/// by a dtype for which a reduction folds so.
#[derive(serde::Serialize, serde::Deserialize)]
struct Encoded<'states> {
    reduction: Reduction,
    input: DType,
    accumulator: Option<DType>,
    shape: Vec<usize>,
    count: u64,
    states: &'states [u8],
}

fn folding(
    reduction: Reduction,
    input: DType,
    accumulator: Option<DType>,
) -> Result<&'static Folding, ArrayError> {
    let mut builder = ProgramBuilder::new();
    let value = builder.input(input);
    Ok(reduction.plan(&builder.finish(value), accumulator)?.1)
}

impl Header {
    /// A dtype of elements, and one that they are taken in, for which the states are these.
    fn origin(&self) -> Option<(DType, Option<DType>)> {
        let taken_in = std::iter::once(None).chain(DType::ALL.into_iter().map(Some));
        taken_in
            .flat_map(|accumulator| DType::ALL.into_iter().map(move |input| (input, accumulator)))
            .find(|(input, accumulator)| {
                folding(self.reduction, *input, *accumulator)
                    .is_ok_and(|found| std::ptr::eq(found, self.folding))
            })
    }
}

fn broken() -> ArrayError {
    ArrayError::Parameter {
        operation: "a partial reduction",
        reason: "the bytes are no encoding of one",
    }
}

impl Partial {
    /// The partial as bytes, for another process that runs the same program on the same kind of
    /// processor.
    ///
    /// # Errors
    /// [`ArrayError::Internal`] where the states are of no dtype that can be told.
    pub fn encode(&self) -> Result<Vec<u8>, ArrayError> {
        let Header { reduction, shape, count, .. } = &self.header;
        let (input, accumulator) = self
            .header
            .origin()
            .ok_or(ArrayError::Internal { what: "a partial has states of no known dtype" })?;
        let encoded = Encoded {
            reduction: *reduction,
            input,
            accumulator,
            shape: shape.to_vec(),
            count: *count,
            states: self.bytes(),
        };
        postcard::to_allocvec(&encoded)
            .map_err(|_refused| ArrayError::Internal { what: "a partial cannot be encoded" })
    }

    /// What [`encode`](Self::encode) wrote. The bytes must come from a peer that is trusted: they
    /// are taken as the states of the reduction.
    ///
    /// # Errors
    /// [`ArrayError::Parameter`] for bytes that are no encoding.
    pub fn decode(bytes: &[u8]) -> Result<Self, ArrayError> {
        let encoded: Encoded<'_> = postcard::from_bytes(bytes).map_err(|_wrong| broken())?;
        let Encoded { reduction, input, accumulator, shape, count, states } = encoded;
        let folding = folding(reduction, input, accumulator)?;
        let len = crate::chunk::checked_len(&shape).ok_or_else(broken)?;
        if len.checked_mul(folding.state_bytes) != Some(states.len()) {
            return Err(broken());
        }
        let mut partial = Self::begin(reduction, folding, &shape, count)?;
        partial.states.bytes_mut()[..states.len()].copy_from_slice(states);
        Ok(partial)
    }
}

impl Bundle {
    /// The partials as bytes, as [`Partial::encode`].
    ///
    /// # Errors
    /// As [`Partial::encode`].
    pub fn encode(&self) -> Result<Vec<u8>, ArrayError> {
        let parts = self.parts.iter().map(|part| part.encode()).collect::<Result<Vec<_>, _>>()?;
        postcard::to_allocvec(&parts)
            .map_err(|_refused| ArrayError::Internal { what: "partials cannot be encoded" })
    }

    /// What [`encode`](Self::encode) wrote, as [`Partial::decode`].
    ///
    /// # Errors
    /// As [`Partial::decode`].
    pub fn decode(bytes: &[u8]) -> Result<Self, ArrayError> {
        let parts: Vec<Vec<u8>> = postcard::from_bytes(bytes).map_err(|_wrong| broken())?;
        let parts = parts.iter().map(|part| Partial::decode(part)).collect::<Result<_, _>>()?;
        Ok(Self::new(parts))
    }
}
