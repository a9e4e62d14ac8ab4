//! Expressions without the elements of the arrays in memory that they read: what travels to other
//! processes, while the blocks of those arrays go only where a task needs them.

use rustc_hash::FxHashMap;

use crate::chunk::Chunk;
use crate::error::ArrayError;
use crate::expr::{Expr, Op, in_order};
use crate::passes::optimize;
use crate::passes::with_inputs;

/// An expression, and the blocks that were taken out of it.
pub struct Detached {
    /// What is left. It can be prepared, encoded and named, and not computed by itself.
    pub expr: Expr,
    /// The blocks of each source that was taken out, in row-major order, by its token.
    pub sources: FxHashMap<u128, Vec<Chunk>>,
}

/// Takes arrays of more than `smallest` bytes out of an expression, once selections have been
/// pushed to them, so that what nobody reads is not among the blocks.
///
/// # Errors
/// Those of the passes.
pub fn detach(root: &Expr, smallest: usize) -> Result<Detached, ArrayError> {
    let optimized = optimize(std::slice::from_ref(root))?;
    let root = optimized.first().unwrap_or(root);
    let order = in_order(std::slice::from_ref(root));
    let mut sources = FxHashMap::default();
    let mut became: FxHashMap<usize, Expr> = FxHashMap::default();
    for expr in &order {
        let inputs = expr.op().inputs();
        let now: Vec<Expr> = inputs
            .iter()
            .map(|input| became.get(&input.address()).unwrap_or(input).clone())
            .collect();
        let same = inputs.iter().zip(&now).all(|(old, new)| old.address() == new.address());
        let held = matches!(expr.op(), Op::Memory { .. } | Op::Stored(_));
        let taken = if held && expr.nbytes() > smallest as u128 { expr.blocks() } else { None };
        let rebuilt = match taken {
            Some(blocks) => {
                let content = expr.token();
                let placeholder = Expr::elsewhere(content, expr.dtype(), expr.grid().clone())?;
                sources.insert(content, blocks);
                placeholder
            }
            None if same => continue,
            None => with_inputs(expr, now),
        };
        became.insert(expr.address(), rebuilt);
    }
    let expr = became.get(&root.address()).unwrap_or(root).clone();
    Ok(Detached { expr, sources })
}
