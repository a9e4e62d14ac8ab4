//! Names of expressions: equal for equal expressions, in every process.

use twox_hash::XxHash3_128;

use crate::axis_map::AxisMap;
use crate::chunk::Chunk;
use crate::expr::{Argument, Expr, Op, ViewAxis, in_order};
use crate::grid::Grid;

/// Bytes that stand for an expression, and what they hash to.
#[derive(Default)]
pub(crate) struct Fingerprint {
    bytes: Vec<u8>,
}

impl Fingerprint {
    pub(crate) fn text(&mut self, text: &str) {
        self.number(text.len() as u128);
        self.bytes.extend_from_slice(text.as_bytes());
    }

    pub(crate) fn number(&mut self, number: u128) {
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    pub(crate) fn numbers<'list>(&mut self, numbers: impl IntoIterator<Item = &'list usize>) {
        for number in numbers {
            self.bytes.extend_from_slice(&(*number as u64).to_le_bytes());
        }
        self.number(u128::MAX);
    }

    pub(crate) fn finish(&self) -> u128 {
        XxHash3_128::oneshot(&self.bytes)
    }

    fn grid(&mut self, grid: &Grid) {
        for sizes in grid.axes() {
            self.numbers(sizes.iter());
        }
    }

    fn maps(&mut self, maps: &[AxisMap]) {
        for map in maps {
            for run in map.runs() {
                self.numbers([&run.start, &(run.step as usize), &run.len]);
            }
            self.number(0);
        }
    }

    fn view(&mut self, axes: &[ViewAxis]) {
        for axis in axes {
            self.number(match axis {
                ViewAxis::Input(axis) => *axis as u128,
                ViewAxis::New => u128::MAX,
            });
        }
    }

    /// Everything about an operation but its inputs and where data comes from.
    pub(crate) fn operation(&mut self, expr: &Expr) {
        let node = expr.node();
        self.text(&node.op.name());
        self.text(node.dtype.name());
        self.grid(&node.grid);
        match &node.op {
            Op::Memory { .. } | Op::Stored(_) | Op::Cast(_) | Op::Reshape(_) | Op::MatMul(..) => {}
            Op::Random { distribution, seed } => {
                self.text(&format!("{distribution:?}"));
                seed.iter().for_each(|word| self.number(u128::from(*word)));
            }
            Op::Elsewhere(content) => self.number(*content),
            Op::Fill(scalar) => self.bytes.extend_from_slice(scalar.bytes()),
            Op::Iota { start, step } => {
                self.bytes.extend_from_slice(start.bytes());
                self.bytes.extend_from_slice(step.bytes());
            }
            Op::Call { function, inputs, labels } => {
                self.number(function.token());
                for labels in inputs.iter().map(|(_, labels)| labels).chain([labels]) {
                    labels.iter().for_each(|label| self.number(u128::from(*label)));
                    self.number(u128::MAX);
                }
            }
            Op::Map { types, arguments, .. } => {
                types.inputs.iter().for_each(|dtype| self.text(dtype.name()));
                for argument in arguments {
                    match argument {
                        Argument::Array(_) => self.text("array"),
                        Argument::Scalar(scalar) => {
                            self.text(scalar.dtype().name());
                            self.bytes.extend_from_slice(scalar.bytes());
                        }
                    }
                }
            }
            Op::View { axes, .. } => self.view(axes),
            Op::Gather { axes, .. } => self.maps(axes),
            Op::Concat { axis, .. } | Op::Scan { axis, .. } => self.number(*axis as u128),
            Op::Reduce(reduce) => {
                reduce.axes.iter().for_each(|axis| self.number(u128::from(*axis)));
                self.text(reduce.accumulator.map_or("", |dtype| dtype.name()));
                self.number(u128::from(reduce.ddof.to_bits()));
                reduce.split_every.iter().for_each(|split| self.number(u128::from(*split)));
            }
        }
    }
}

/// The token of a chunk's elements.
pub(crate) fn of_chunk(chunk: &Chunk) -> u128 {
    let mut fingerprint = Fingerprint::default();
    fingerprint.text(chunk.dtype().name());
    fingerprint.numbers(chunk.shape());
    let whole = chunk.contiguous();
    if let Some(bytes) = whole.as_ref().ok().and_then(Chunk::as_bytes) {
        fingerprint.number(XxHash3_128::oneshot(bytes));
    }
    fingerprint.finish()
}

impl Expr {
    /// A token of what the expression computes: equal for equal expressions, whichever process
    /// makes them. Asks arrays in memory for their content, once.
    pub fn token(&self) -> u128 {
        if let Some(token) = self.node().token.get() {
            return *token;
        }
        for expr in in_order(std::slice::from_ref(self)) {
            expr.node().token.get_or_init(|| {
                let mut fingerprint = Fingerprint::default();
                fingerprint.operation(&expr);
                match expr.op() {
                    Op::Memory { content, .. } => fingerprint.number(content()),
                    Op::Stored(blocks) => {
                        blocks.iter().for_each(|block| fingerprint.number(of_chunk(block)));
                    }
                    _ => {}
                }
                for input in expr.op().inputs() {
                    // Inputs come first in the order, so theirs is known.
                    fingerprint.number(input.node().token.get().copied().unwrap_or(0));
                }
                fingerprint.finish()
            });
        }
        self.node().token.get().copied().unwrap_or(0)
    }
}
