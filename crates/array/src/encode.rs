//! Expressions as bytes: for other processes, and for files.
//!
//! The bytes are a list of nodes, inputs before what reads them. Decoding builds every node by the
//! same checked constructors as a program does, so that bytes of any content give a valid expression
//! or an error.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::axis_map::{AxisMap, Run};
use crate::build::Operand;
use crate::chunk::Chunk;
use crate::dtype::{DType, Scalar};
use crate::error::ArrayError;
use crate::expr::{Argument, Expr, Op, ViewAxis, in_order};
use crate::grid::{AxisChunks, Grid};
use crate::kernels::random::Distribution;
use crate::kernels::reduce::Reduction;
use crate::kernels::scan::Scan;
use crate::kernels::ufunc::{Loop, Ufunc};

/// Block lengths by axis.
type Chunks = Vec<Vec<usize>>;

/// A node; inputs are positions in the list.
#[derive(Serialize, Deserialize)]
enum Node {
    Memory {
        dtype: DType,
        chunks: Chunks,
        elements: Vec<u8>,
        content: u128,
    },
    Fill {
        value: Element,
        chunks: Chunks,
    },
    Iota {
        start: Element,
        step: Element,
        chunks: Chunks,
    },
    Random {
        distribution: Distribution,
        seed: [u64; 4],
        dtype: DType,
        chunks: Chunks,
    },
    Stored {
        dtype: DType,
        chunks: Chunks,
        blocks: Vec<Vec<u8>>,
    },
    Elsewhere {
        dtype: DType,
        chunks: Chunks,
        content: u128,
    },
    Map {
        ufunc: Ufunc,
        inputs: Vec<DType>,
        output: DType,
        arguments: Vec<Given>,
    },
    Cast {
        input: usize,
        dtype: DType,
    },
    View {
        input: usize,
        axes: Vec<Option<usize>>,
        chunks: Chunks,
    },
    Gather {
        input: usize,
        runs: Vec<Vec<(usize, isize, usize)>>,
        chunks: Chunks,
    },
    Concat {
        inputs: Vec<usize>,
        axis: usize,
    },
    Reduce {
        input: usize,
        reduction: Reduction,
        axes: Vec<bool>,
        accumulator: Option<DType>,
        ddof: f64,
        split_every: Vec<u32>,
    },
    Scan {
        input: usize,
        scan: Scan,
        axis: usize,
        output: DType,
    },
    Reshape {
        input: usize,
        chunks: Chunks,
    },
    MatMul {
        one: usize,
        other: usize,
    },
}

#[derive(Serialize, Deserialize)]
struct Element {
    dtype: DType,
    bytes: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
enum Given {
    Array(usize),
    Scalar(Element),
}

impl Element {
    fn of(scalar: &Scalar) -> Self {
        Self { dtype: scalar.dtype(), bytes: scalar.bytes().to_vec() }
    }

    fn scalar(&self) -> Result<Scalar, ArrayError> {
        Scalar::from_bytes(self.dtype, &self.bytes)
            .ok_or(ArrayError::Encoding { reason: "an element has too few bytes" })
    }
}

fn chunks_of(grid: &Grid) -> Chunks {
    grid.axes().iter().map(|sizes| sizes.to_vec()).collect()
}

fn grid_of(chunks: Chunks) -> Grid {
    Grid::new(chunks.into_iter().map(AxisChunks::from))
}

fn bytes_of(chunk: &Chunk) -> Result<Vec<u8>, ArrayError> {
    let whole = chunk.contiguous()?;
    Ok(whole.as_bytes().unwrap_or_default().to_vec())
}

fn chunk_of(dtype: DType, shape: &[usize], elements: &[u8]) -> Result<Chunk, ArrayError> {
    Chunk::build(dtype, shape, |bytes| {
        if bytes.len() != elements.len() {
            return Err(ArrayError::Encoding {
                reason: "an array has not as many bytes as its shape",
            });
        }
        bytes.copy_from_slice(elements);
        Ok(())
    })
}

impl Expr {
    /// The expression as bytes, with the elements of arrays in memory.
    ///
    /// # Errors
    /// [`ArrayError::Encoding`] where it holds functions that the engine does not know,
    /// [`ArrayError::OutOfMemory`].
    pub fn encode(&self) -> Result<Vec<u8>, ArrayError> {
        let order = in_order(std::slice::from_ref(self));
        let places: rustc_hash::FxHashMap<usize, usize> =
            order.iter().enumerate().map(|(place, expr)| (expr.address(), place)).collect();
        let at = |expr: &Self| places.get(&expr.address()).copied().unwrap_or(usize::MAX);
        let nodes: Vec<Node> = order
            .iter()
            .map(|expr| {
                let (dtype, chunks) = (expr.dtype(), chunks_of(expr.grid()));
                Ok(match expr.op() {
                    Op::Memory { chunk, content } => {
                        let (elements, content) = (bytes_of(chunk)?, content());
                        Node::Memory { dtype, chunks, elements, content }
                    }
                    Op::Fill(value) => Node::Fill { value: Element::of(value), chunks },
                    Op::Iota { start, step } => {
                        Node::Iota { start: Element::of(start), step: Element::of(step), chunks }
                    }
                    Op::Random { distribution, seed } => {
                        Node::Random { distribution: *distribution, seed: *seed, dtype, chunks }
                    }
                    Op::Stored(blocks) => {
                        let blocks = blocks.iter().map(bytes_of).collect::<Result<_, _>>()?;
                        Node::Stored { dtype, chunks, blocks }
                    }
                    Op::Elsewhere(content) => Node::Elsewhere { dtype, chunks, content: *content },
                    Op::Call { .. } => {
                        let reason = "a function that the engine does not look into";
                        return Err(ArrayError::Encoding { reason });
                    }
                    Op::Map { ufunc, types, arguments } => Node::Map {
                        ufunc: *ufunc,
                        inputs: types.inputs.to_vec(),
                        output: types.output,
                        arguments: arguments
                            .iter()
                            .map(|argument| match argument {
                                Argument::Array(array) => Given::Array(at(array)),
                                Argument::Scalar(value) => Given::Scalar(Element::of(value)),
                            })
                            .collect(),
                    },
                    Op::Cast(input) => Node::Cast { input: at(input), dtype },
                    Op::View { input, axes } => Node::View {
                        input: at(input),
                        axes: axes
                            .iter()
                            .map(|axis| match axis {
                                ViewAxis::Input(axis) => Some(*axis),
                                ViewAxis::New => None,
                            })
                            .collect(),
                        chunks,
                    },
                    Op::Gather { input, axes } => {
                        let runs = axes
                            .iter()
                            .map(|map| {
                                map.runs()
                                    .iter()
                                    .map(|run| (run.start, run.step, run.len))
                                    .collect()
                            })
                            .collect();
                        Node::Gather { input: at(input), runs, chunks }
                    }
                    Op::Concat { inputs, axis } => {
                        Node::Concat { inputs: inputs.iter().map(at).collect(), axis: *axis }
                    }
                    Op::Reduce(reduce) => Node::Reduce {
                        input: at(&reduce.input),
                        reduction: reduce.reduction,
                        axes: reduce.axes.to_vec(),
                        accumulator: reduce.accumulator,
                        ddof: reduce.ddof,
                        split_every: reduce.split_every.to_vec(),
                    },
                    Op::Scan { input, scan, axis } => {
                        Node::Scan { input: at(input), scan: *scan, axis: *axis, output: dtype }
                    }
                    Op::Reshape(input) => Node::Reshape { input: at(input), chunks },
                    Op::MatMul(one, other) => Node::MatMul { one: at(one), other: at(other) },
                })
            })
            .collect::<Result<_, ArrayError>>()?;
        postcard::to_allocvec(&nodes)
            .map_err(|_| ArrayError::Encoding { reason: "the expression could not be written" })
    }

    /// The expression that [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// [`ArrayError::Encoding`] where the bytes are no expression, and what building one fails with.
    pub fn decode(bytes: &[u8]) -> Result<Self, ArrayError> {
        let nodes: Vec<Node> = postcard::from_bytes(bytes)
            .map_err(|_| ArrayError::Encoding { reason: "the bytes are no expression" })?;
        let mut made: Vec<Self> = Vec::with_capacity(nodes.len());
        for node in nodes {
            let expr = Self::decoded(node, &made)?;
            made.push(expr);
        }
        made.pop().ok_or(ArrayError::Encoding { reason: "there is no expression" })
    }

    fn decoded(node: Node, made: &[Self]) -> Result<Self, ArrayError> {
        let input = |place: usize| {
            made.get(place)
                .cloned()
                .ok_or(ArrayError::Encoding { reason: "an input comes after what reads it" })
        };
        match node {
            Node::Memory { dtype, chunks, elements, content } => {
                let grid = grid_of(chunks);
                let chunk = chunk_of(dtype, &grid.shape(), &elements)?;
                Self::from_memory(chunk, grid, Arc::new(move || content))
            }
            Node::Fill { value, chunks } => Self::full(value.scalar()?, grid_of(chunks)),
            Node::Iota { start, step, chunks } => {
                Self::iota(start.scalar()?, step.scalar()?, grid_of(chunks))
            }
            Node::Random { distribution, seed, dtype, chunks } => {
                Self::random(distribution, seed, dtype, grid_of(chunks))
            }
            Node::Stored { dtype, chunks, blocks } => {
                let grid = grid_of(chunks);
                let blocks = blocks
                    .iter()
                    .enumerate()
                    .map(|(index, bytes)| {
                        if grid.blocks().is_none_or(|count| index as u32 >= count) {
                            return Err(ArrayError::Encoding {
                                reason: "there are too many blocks",
                            });
                        }
                        let shape = grid.block_shape(&grid.position(index as u32));
                        chunk_of(dtype, &shape, bytes)
                    })
                    .collect::<Result<_, _>>()?;
                Self::stored(blocks, dtype, grid)
            }
            Node::Elsewhere { dtype, chunks, content } => {
                Self::elsewhere(content, dtype, grid_of(chunks))
            }
            Node::Map { ufunc, inputs, output, arguments } => {
                let operands = arguments
                    .iter()
                    .map(|argument| match argument {
                        Given::Array(place) => input(*place).map(Operand::Array),
                        Given::Scalar(value) => value.scalar().map(Operand::Scalar),
                    })
                    .collect::<Result<_, _>>()?;
                let types = Loop { inputs: inputs.into_iter().collect(), output };
                Self::map(ufunc, Some(types), operands)
            }
            Node::Cast { input: place, dtype } => Ok(input(place)?.cast(dtype)),
            Node::View { input: place, axes, chunks } => {
                let axes: Vec<_> = axes
                    .into_iter()
                    .zip(chunks)
                    .map(|(axis, sizes)| match axis {
                        Some(axis) => (ViewAxis::Input(axis), None),
                        None => (ViewAxis::New, Some(AxisChunks::from(sizes))),
                    })
                    .collect();
                input(place)?.view(&axes)
            }
            Node::Gather { input: place, runs, chunks } => {
                let maps: SmallVec<[AxisMap; 4]> = runs
                    .into_iter()
                    .map(|runs| {
                        let run = |(start, step, len)| Run { start, step, len };
                        AxisMap::from_runs(runs.into_iter().map(run))
                    })
                    .collect();
                input(place)?.gather(maps, grid_of(chunks))
            }
            Node::Concat { inputs, axis } => {
                Self::concatenate(inputs.into_iter().map(input).collect::<Result<_, _>>()?, axis)
            }
            Node::Reduce { input: place, reduction, axes, accumulator, ddof, split_every } => {
                input(place)?.reduce(reduction, &axes, accumulator, ddof, &split_every)
            }
            Node::Scan { input: place, scan, axis, output } => {
                input(place)?.scan(scan, axis, output)
            }
            Node::Reshape { input: place, chunks } => input(place)?.reshape(grid_of(chunks)),
            Node::MatMul { one, other } => input(one)?.matmul(&input(other)?),
        }
    }
}
