//! What can go wrong with arrays.

use crate::dtype::DType;

/// Why an array was not made, or a chunk not computed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArrayError {
    /// Shapes that do not fit together.
    #[error("{operation}: shapes {shapes:?} do not fit together")]
    Shapes {
        /// The operation.
        operation: &'static str,
        /// The shapes.
        shapes: Vec<Vec<usize>>,
    },
    /// Chunks that do not add up to the shape.
    #[error(
        "{operation}: the chunks {chunks:?} of axis {axis} do not add up to its length {length}"
    )]
    Chunks {
        /// The operation.
        operation: &'static str,
        /// The axis.
        axis: usize,
        /// Its length.
        length: usize,
        /// The chunks.
        chunks: Vec<usize>,
    },
    /// An axis that the array does not have.
    #[error("{operation}: axis {axis} is out of bounds for an array of {ndim} dimensions")]
    Axis {
        /// The operation.
        operation: &'static str,
        /// The axis.
        axis: usize,
        /// The number of axes.
        ndim: usize,
    },
    /// An operation that has no native form for the dtypes.
    #[error("{operation} has no native form for {dtypes:?}")]
    DTypes {
        /// The operation.
        operation: &'static str,
        /// The dtypes of the arguments.
        dtypes: Vec<DType>,
    },
    /// More elements than can be counted, or more blocks than can be numbered.
    #[error("{operation}: an array of shape {shape:?} is too large")]
    TooLarge {
        /// The operation.
        operation: &'static str,
        /// The shape.
        shape: Vec<usize>,
    },
    /// Memory that the system did not give.
    #[error("{bytes} bytes of memory are not to be had")]
    OutOfMemory {
        /// The bytes.
        bytes: usize,
    },
    /// A reduction without an identity over no elements.
    #[error("zero-size array to reduction operation {operation} which has no identity")]
    EmptyReduction {
        /// The reduction.
        operation: &'static str,
    },
    /// A NaN-ignoring position of a slice that has nothing but NaN.
    #[error("All-NaN slice encountered")]
    AllNan,
    /// A chunk that is not what its expression promises.
    #[error("{operation}: a chunk is {found}, where {wanted} was promised")]
    WrongChunk {
        /// The operation.
        operation: &'static str,
        /// What it is.
        found: String,
        /// What it should be.
        wanted: String,
    },
    /// A matrix that a factorization does not work for.
    #[error("{reason}")]
    LinearAlgebra {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A file that could not be written or read.
    #[error("{operation}: a temporary file could not be written or read: {source}")]
    Io {
        /// The operation.
        operation: &'static str,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Bytes that are no expression, or an expression that has no bytes.
    #[error("an array expression cannot be written or read: {reason}")]
    Encoding {
        /// What is wrong.
        reason: &'static str,
    },
    /// Something that cannot be, and is a bug where it is.
    #[error("internal error: {what}")]
    Internal {
        /// What was found.
        what: &'static str,
    },
    /// A parameter that an operation is not defined for.
    #[error("{operation}: {reason}")]
    Parameter {
        /// The operation.
        operation: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A graph that could not be built or planned.
    #[error(transparent)]
    Graph(#[from] samite_graph::GraphError),
    /// A run that failed.
    #[error(transparent)]
    Runtime(#[from] samite_runtime::RuntimeError),
}
