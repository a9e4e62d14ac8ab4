//! Expressions as text: what they are made of, before and after the passes.

use std::fmt::Write;

use rustc_hash::FxHashMap;

use crate::error::ArrayError;
use crate::expr::{Argument, Expr, Op, ViewAxis};
use crate::passes::optimize;

/// How many lines a picture has at most.
const LINES: usize = 400;

impl Expr {
    /// The tree of the expression, a line an operation, with shapes, chunks and bytes. A part that
    /// stands several times is written out once.
    pub fn tree(&self) -> String {
        let mut text = String::new();
        let mut seen: FxHashMap<usize, usize> = FxHashMap::default();
        let mut stack = vec![(self.clone(), 0usize)];
        let mut lines = 0;
        while let Some((expr, depth)) = stack.pop() {
            if lines == LINES {
                text.push_str("…\n");
                break;
            }
            lines += 1;
            let known = seen.get(&expr.address()).copied();
            let _ = write!(text, "{:indent$}{}", "", described(&expr), indent = 2 * depth);
            if let Some(known) = known {
                let _ = writeln!(text, "  (as line {known})");
                continue;
            }
            text.push('\n');
            seen.insert(expr.address(), lines);
            for input in expr.op().inputs().into_iter().rev() {
                stack.push((input.clone(), depth + 1));
            }
        }
        text
    }

    /// The trees before and after the passes.
    ///
    /// # Errors
    /// As [`optimize`].
    pub fn explain(&self) -> Result<String, ArrayError> {
        let better = optimize(std::slice::from_ref(self))?;
        let after = better.first().map(Self::tree).unwrap_or_default();
        Ok(format!("as written\n{}\noptimized\n{after}", self.tree()))
    }
}

fn described(expr: &Expr) -> String {
    let mut text = expr.op().name();
    match expr.op() {
        Op::Map { arguments, .. } => {
            for argument in arguments {
                if let Argument::Scalar(value) = argument {
                    let _ = write!(text, " {value:?}");
                }
            }
        }
        Op::Fill(value) => {
            let _ = write!(text, " {value:?}");
        }
        Op::View { axes, .. } => {
            let axes: Vec<String> = axes
                .iter()
                .map(|axis| match axis {
                    ViewAxis::Input(axis) => axis.to_string(),
                    ViewAxis::New => "+".to_owned(),
                })
                .collect();
            let _ = write!(text, " ({})", axes.join(", "));
        }
        Op::Reduce(reduce) => {
            let axes: Vec<usize> =
                (0..reduce.axes.len()).filter(|axis| reduce.axes[*axis]).collect();
            let _ = write!(text, " axes {axes:?}");
        }
        Op::Concat { axis, .. } | Op::Scan { axis, .. } => {
            let _ = write!(text, " axis {axis}");
        }
        _ => {}
    }
    let _ = write!(
        text,
        ": {} {:?} in {:?} blocks, {}",
        expr.dtype().name(),
        expr.shape(),
        &*expr.grid().counts(),
        bytes(expr.nbytes())
    );
    text
}

fn bytes(count: u128) -> String {
    let units = ["B", "kiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut size = count as f64;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < units.len() {
        size /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{count} B") } else { format!("{size:.2} {}", units[unit]) }
}
