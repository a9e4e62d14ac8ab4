//! Common subexpressions: equal operations on the same inputs become one.

use rustc_hash::FxHashMap;

use crate::expr::{Expr, Op, in_order};
use crate::passes::push::with_inputs;
use crate::token::Fingerprint;

/// The expressions with every subexpression once.
pub(crate) fn share(roots: &[Expr]) -> Vec<Expr> {
    let mut known: FxHashMap<u128, Expr> = FxHashMap::default();
    let mut became: FxHashMap<usize, Expr> = FxHashMap::default();
    for expr in in_order(roots) {
        let inputs = expr.op().inputs();
        let replaced: Vec<Expr> = inputs
            .iter()
            .map(|input| became.get(&input.address()).cloned().unwrap_or_else(|| (*input).clone()))
            .collect();
        let mut fingerprint = Fingerprint::default();
        fingerprint.operation(&expr);
        match expr.op() {
            Op::Memory { chunk, .. } => {
                fingerprint.numbers([&(chunk.as_ptr() as usize)]);
                fingerprint.numbers(
                    chunk
                        .strides()
                        .iter()
                        .map(|stride| *stride as usize)
                        .collect::<Vec<_>>()
                        .iter(),
                );
            }
            Op::Stored(blocks) => fingerprint.numbers([&(blocks.as_ptr() as usize)]),
            _ => {}
        }
        fingerprint.numbers(replaced.iter().map(Expr::address).collect::<Vec<_>>().iter());
        let same = inputs.iter().zip(&replaced).all(|(old, new)| old.address() == new.address());
        let shared = known
            .entry(fingerprint.finish())
            .or_insert_with(|| if same { expr.clone() } else { with_inputs(&expr, replaced) });
        became.insert(expr.address(), shared.clone());
    }
    roots.iter().map(|root| became.get(&root.address()).unwrap_or(root).clone()).collect()
}
