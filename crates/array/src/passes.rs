//! Passes over expressions: each takes expressions and returns equal ones that cost less.
//!
//! [`optimize`] is the list of them in order.

mod push;
mod share;

pub(crate) use push::with_inputs;

use crate::error::ArrayError;
use crate::expr::Expr;

/// Runs all passes in order: what is read is pushed towards the sources, then equal expressions
/// become one.
///
/// # Errors
/// None that valid expressions cause; building the new ones is checked as any building is.
pub fn optimize(roots: &[Expr]) -> Result<Vec<Expr>, ArrayError> {
    let roots = push::push(roots)?;
    Ok(share::share(&roots))
}
