//! Programs: straight lines of operations over registers that hold one tile each.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::dtype::{DType, Scalar};
use crate::error::ArrayError;
use crate::kernels::loops::Kernel;
use crate::kernels::ufunc::{Loop, Ufunc};
use crate::kernels::{cast, operators};

/// A value of a program that is being built.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Register(u32);

/// Where a value comes from.
#[derive(Clone)]
enum Origin {
    Input(usize),
    Constant(Scalar),
    Iota { axis: usize, start: Scalar, step: Scalar },
    Computed { kernel: Kernel, inputs: SmallVec<[Register; 3]> },
}

#[derive(Clone)]
struct Value {
    dtype: DType,
    origin: Origin,
}

/// Builds a [`Program`].
#[derive(Clone, Default)]
pub struct ProgramBuilder {
    values: Vec<Value>,
    inputs: Vec<DType>,
}

impl ProgramBuilder {
    /// Of an empty program.
    pub fn new() -> Self {
        Self::default()
    }

    fn push(&mut self, dtype: DType, origin: Origin) -> Register {
        self.values.push(Value { dtype, origin });
        Register(self.values.len() as u32 - 1)
    }

    /// The elements of an operand; operand `k` is that of the `k`-th call.
    pub fn input(&mut self, dtype: DType) -> Register {
        self.inputs.push(dtype);
        self.push(dtype, Origin::Input(self.inputs.len() - 1))
    }

    /// The same element everywhere.
    pub fn constant(&mut self, value: Scalar) -> Register {
        self.push(value.dtype(), Origin::Constant(value))
    }

    /// `start + step * position`, with the position along an axis of the iteration space. The dtype
    /// is that of `start`, to which `step` is converted.
    pub fn iota(&mut self, axis: usize, start: Scalar, step: Scalar) -> Register {
        let step = cast_scalar(step, start.dtype());
        self.push(start.dtype(), Origin::Iota { axis, start, step })
    }

    /// Converts elements, as NumPy's `astype` does.
    pub fn cast(&mut self, register: Register, dtype: DType) -> Register {
        if let Origin::Constant(value) = self.values[register.0 as usize].origin {
            if value.dtype() == dtype {
                return register;
            }
            return self.constant(cast_scalar(value, dtype));
        }
        let mut register = register;
        for next in cast::path(self.dtype(register), dtype) {
            // Every step of a path has a kernel.
            if let Some(kernel) = cast::kernel(self.dtype(register), *next) {
                let inputs = SmallVec::from_slice(&[register]);
                register = self.push(*next, Origin::Computed { kernel, inputs });
            }
        }
        register
    }

    /// Applies the loop that NumPy picks for the dtypes of the registers.
    ///
    /// # Errors
    /// [`ArrayError::DTypes`] where there is none.
    pub fn apply(&mut self, ufunc: Ufunc, inputs: &[Register]) -> Result<Register, ArrayError> {
        let dtypes: SmallVec<[DType; 3]> = inputs.iter().map(|input| self.dtype(*input)).collect();
        let chosen = ufunc.resolve(&dtypes).ok_or_else(|| ArrayError::DTypes {
            operation: ufunc.name(),
            dtypes: dtypes.to_vec(),
        })?;
        self.apply_loop(ufunc, &chosen, inputs)
    }

    /// Applies a loop that the caller has chosen; the inputs are converted to its dtypes.
    ///
    /// # Errors
    /// [`ArrayError::DTypes`] where the operation has no such loop.
    pub fn apply_loop(
        &mut self,
        ufunc: Ufunc,
        chosen: &Loop,
        inputs: &[Register],
    ) -> Result<Register, ArrayError> {
        let refused =
            || ArrayError::DTypes { operation: ufunc.name(), dtypes: chosen.inputs.to_vec() };
        if inputs.len() != ufunc.arity() || chosen.inputs.len() != inputs.len() {
            return Err(refused());
        }
        // Half precision is computed in single precision and rounded.
        let single = |dtype: DType| if dtype == DType::F16 { DType::F32 } else { dtype };
        let native = Loop {
            inputs: chosen.inputs.iter().map(|dtype| single(*dtype)).collect(),
            output: single(chosen.output),
        };
        let kernel = operators::kernel(ufunc, &native).ok_or_else(refused)?;
        let mut converted: SmallVec<[Register; 3]> = SmallVec::new();
        for ((input, asked), computed) in inputs.iter().zip(&chosen.inputs).zip(&native.inputs) {
            let rounded = self.cast(*input, *asked);
            converted.push(self.cast(rounded, *computed));
        }
        let origin = Origin::Computed { kernel, inputs: converted };
        let result = self.push(ufunc.computed_output(&native), origin);
        Ok(self.cast(result, chosen.output))
    }

    /// The dtype of a register.
    pub fn dtype(&self, register: Register) -> DType {
        self.values[register.0 as usize].dtype
    }

    /// The program whose result is this register.
    pub fn finish(self, output: Register) -> Program {
        Program::compile(self, output)
    }
}

/// Converts one element.
pub(crate) fn cast_scalar(value: Scalar, dtype: DType) -> Scalar {
    let mut from = value.dtype();
    let (mut input, mut output) = ([0u128; 1], [0u128; 1]);
    // SAFETY: 16 bytes hold an element of any dtype, aligned for all of them; the kernels of a path
    // read one element and write one.
    unsafe {
        let bytes = value.bytes();
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), input.as_mut_ptr().cast(), bytes.len());
        for next in cast::path(from, dtype) {
            if let Some(kernel) = cast::kernel(from, *next) {
                let start = input.as_ptr().cast::<u8>();
                kernel(&raw const start, output.as_mut_ptr().cast(), 1);
                input = output;
                from = *next;
            }
        }
    }
    Scalar::from_bytes(dtype, &input[0].to_ne_bytes()).unwrap_or(Scalar::zero(dtype))
}

/// What fills a register from outside of the program.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// The elements of an operand.
    Operand(usize),
    /// A progression along an axis.
    Iota { axis: usize, start: Scalar, step: Scalar },
}

/// One step of a program.
#[derive(Clone)]
pub(super) enum Step {
    /// Makes the tile of a source readable in a slot.
    Load { source: usize, slot: usize },
    /// Computes a tile.
    Compute { kernel: Kernel, inputs: SmallVec<[usize; 3]>, slot: usize },
}

/// A straight-line program over tiles.
#[derive(Clone)]
pub struct Program {
    inner: Arc<Inner>,
}

struct Inner {
    /// What it was compiled from, to append to it.
    builder: ProgramBuilder,
    result: Register,
    sources: Vec<Source>,
    /// The slots that hold the same everywhere.
    constants: Vec<(Scalar, usize)>,
    steps: Vec<Step>,
    /// The bytes of an element of each slot.
    slots: Vec<usize>,
    output: usize,
}

impl Program {
    /// Leaves out what the result does not need, and gives slots to values for as long as they are
    /// needed. What is filled from outside keeps its slot: most of it is read in place.
    fn compile(builder: ProgramBuilder, result: Register) -> Self {
        let count = builder.values.len();
        let mut last_use = vec![None; count];
        last_use[result.0 as usize] = Some(usize::MAX);
        for place in (0..count).rev() {
            if last_use[place].is_none() {
                continue;
            }
            if let Origin::Computed { inputs, .. } = &builder.values[place].origin {
                for input in inputs {
                    last_use[input.0 as usize].get_or_insert(place);
                }
            }
        }
        let mut slot_of = vec![None; count];
        let (mut slots, mut free): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
        let (mut sources, mut constants, mut steps) = (Vec::new(), Vec::new(), Vec::new());
        let fill = |place: usize,
                    slots: &mut Vec<usize>,
                    sources: &mut Vec<Source>,
                    constants: &mut Vec<(Scalar, usize)>,
                    steps: &mut Vec<Step>| {
            let value: &Value = &builder.values[place];
            let slot = slots.len();
            let source = match &value.origin {
                Origin::Computed { .. } => return slot,
                Origin::Constant(scalar) => {
                    slots.push(value.dtype.size());
                    constants.push((*scalar, slot));
                    return slot;
                }
                Origin::Input(operand) => Source::Operand(*operand),
                Origin::Iota { axis, start, step } => {
                    Source::Iota { axis: *axis, start: *start, step: *step }
                }
            };
            slots.push(value.dtype.size());
            sources.push(source);
            steps.push(Step::Load { source: sources.len() - 1, slot });
            slot
        };
        for place in 0..count {
            let Some(_needed) = last_use[place] else { continue };
            let Origin::Computed { kernel, inputs } = &builder.values[place].origin else {
                continue;
            };
            let mut arguments: SmallVec<[usize; 3]> = SmallVec::new();
            for input in inputs {
                let input = input.0 as usize;
                let slot = *slot_of[input].get_or_insert_with(|| {
                    fill(input, &mut slots, &mut sources, &mut constants, &mut steps)
                });
                arguments.push(slot);
            }
            let size = builder.values[place].dtype.size();
            let slot = match free.iter().rposition(|slot| slots[*slot] == size) {
                Some(found) => free.swap_remove(found),
                None => {
                    slots.push(size);
                    slots.len() - 1
                }
            };
            slot_of[place] = Some(slot);
            for (index, input) in inputs.iter().enumerate() {
                let computed =
                    matches!(builder.values[input.0 as usize].origin, Origin::Computed { .. });
                let first = !inputs[..index].contains(input);
                if computed && first && last_use[input.0 as usize] == Some(place) {
                    free.push(arguments[index]);
                }
            }
            steps.push(Step::Compute { kernel: *kernel, inputs: arguments, slot });
        }
        let place = result.0 as usize;
        let output = *slot_of[place].get_or_insert_with(|| {
            fill(place, &mut slots, &mut sources, &mut constants, &mut steps)
        });
        let inner = Inner { builder, result, sources, constants, steps, slots, output };
        Self { inner: Arc::new(inner) }
    }

    /// The dtype of the result.
    pub fn output(&self) -> DType {
        self.inner.builder.dtype(self.inner.result)
    }

    /// The dtypes of the operands.
    pub fn inputs(&self) -> &[DType] {
        &self.inner.builder.inputs
    }

    /// The operand that the result is a copy of, if that is all.
    pub fn is_copy_of_input(&self) -> Option<usize> {
        match self.inner.builder.values[self.inner.result.0 as usize].origin {
            Origin::Input(operand) => Some(operand),
            _ => None,
        }
    }

    /// The program whose result is this one's, converted.
    pub fn then_cast(&self, dtype: DType) -> Self {
        if self.output() == dtype {
            return self.clone();
        }
        let mut builder = self.inner.builder.clone();
        let result = builder.cast(self.inner.result, dtype);
        builder.finish(result)
    }

    /// The program that applies an operation of one input to this one's result.
    ///
    /// # Errors
    /// As for [`ProgramBuilder::apply`].
    pub fn then(&self, ufunc: Ufunc) -> Result<Self, ArrayError> {
        let mut builder = self.inner.builder.clone();
        let result = builder.apply(ufunc, &[self.inner.result])?;
        Ok(builder.finish(result))
    }

    pub(super) fn sources(&self) -> &[Source] {
        &self.inner.sources
    }

    pub(super) fn constants(&self) -> &[(Scalar, usize)] {
        &self.inner.constants
    }

    pub(super) fn steps(&self) -> &[Step] {
        &self.inner.steps
    }

    pub(super) fn slots(&self) -> &[usize] {
        &self.inner.slots
    }

    pub(super) fn output_slot(&self) -> usize {
        self.inner.output
    }
}

impl std::fmt::Debug for Program {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Program")
            .field("inputs", &self.inputs())
            .field("output", &self.output())
            .field("steps", &self.inner.steps.len())
            .finish_non_exhaustive()
    }
}
