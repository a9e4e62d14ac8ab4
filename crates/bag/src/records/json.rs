//! Lines of JSON as tapes.

use bumpalo::Bump;
use simd_json::{Buffers, Tape, fill_tape};

use super::value::{Deviation, Value};

/// What a partition's lines are parsed with; its memory is used again for each.
pub(crate) struct Parser {
    buffers: Buffers,
    tape: Option<Tape<'static>>,
}

impl Default for Parser {
    fn default() -> Self {
        Self { buffers: Buffers::new(1 << 12), tape: None }
    }
}

impl Parser {
    /// The value of a text, which is one by the standard and by nothing more.
    pub(crate) fn parse<'a>(
        &mut self,
        text: &str,
        arena: &'a Bump,
    ) -> Result<Value<'a>, Deviation> {
        // The parser writes strings back to where they were; what is read must stay.
        let copy = arena.alloc_slice_copy(text.as_bytes());
        let mut tape: Tape<'a> = self.tape.take().unwrap_or_else(|| Tape(Vec::new())).reset();
        let parsed = fill_tape(copy, &mut self.buffers, &mut tape);
        let nodes: &'a [simd_json::Node<'a>] = arena.alloc_slice_copy(&tape.0);
        self.tape = Some(tape.reset());
        parsed.map_err(|_| "no JSON")?;
        let (value, rest) = Value::of_nodes(nodes)?;
        if rest.is_empty() { Ok(value) } else { Err("more than one JSON value") }
    }
}
