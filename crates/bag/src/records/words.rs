//! Words of lines, counted: the steps `str.lower` and `str.split` before `frequencies` or `distinct`.
//!
//! Runs of lines that are ASCII are looked at as a whole, 64 bytes at a time. Other lines go through the same functions
//! as any record.

use bumpalo::Bump;
use memchr::{memchr, memrchr};

use super::accumulate::Reduction;
use super::evaluate::Form;
use super::plan::{Operation, Stage};
use super::strings::{change_case, each_part};
use super::tally::Tally;
use super::value::Deviation;

/// Bytes that are looked at together.
const BLOCK: usize = 64;

/// What is done with the letters of words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Case {
    Same,
    Lower,
    Upper,
}

/// The words of lines.
pub(crate) struct Words {
    case: Case,
    /// A copy of some lines, with what is done with their letters.
    copy: Vec<u8>,
    arena: Bump,
}

impl Words {
    /// The words that a stage counts, if it does nothing else.
    pub(crate) fn of(stage: &Stage) -> Option<Self> {
        let counts =
            matches!(stage.reduction, Some(Reduction::Frequencies { .. } | Reduction::Distinct));
        let (Operation::Flatten, steps) = stage.steps.split_last()? else { return None };
        if !counts {
            return None;
        }
        let mut case = Case::Same;
        let mut splits = false;
        for step in steps {
            let Operation::Map(form) = step else { return None };
            let mut form = form;
            if let Form::Split(text, None, most) = form
                && *most < 0
                && !splits
            {
                splits = true;
                form = text;
            } else if splits {
                return None;
            }
            if let Form::Case(text, upper) = form
                && case == Case::Same
            {
                case = if *upper { Case::Upper } else { Case::Lower };
                form = text;
            }
            if *form != Form::Record {
                return None;
            }
        }
        splits.then(|| Self { case, copy: Vec::new(), arena: Bump::new() })
    }

    /// Counts the words of some lines.
    ///
    /// # Errors
    /// The place of a line, and what about it has no exact answer here.
    pub(crate) fn count(
        &mut self,
        lines: &str,
        tally: &mut Tally,
    ) -> Result<(), (usize, Deviation)> {
        let bytes = lines.as_bytes();
        let mut from = 0;
        while from < bytes.len() {
            let ascii = from + ascii_length(&bytes[from..]);
            if ascii == bytes.len() {
                return self.count_ascii(&bytes[from..], tally).map_err(|reason| (from, reason));
            }
            let start = memrchr(b'\n', &bytes[from..ascii]).map_or(from, |end| from + end + 1);
            self.count_ascii(&bytes[from..start], tally).map_err(|reason| (from, reason))?;
            let stop = memchr(b'\n', &bytes[ascii..]).map_or(bytes.len(), |end| ascii + end + 1);
            self.count_line(&lines[start..stop], tally).map_err(|reason| (start, reason))?;
            from = stop;
        }
        Ok(())
    }

    fn count_line(&mut self, line: &str, tally: &mut Tally) -> Result<(), Deviation> {
        let line = match self.case {
            Case::Same => line,
            case => change_case(line, case == Case::Upper, &self.arena)?,
        };
        each_part(line, None, -1, |word| tally.add(word.as_bytes(), word.len()))?;
        self.arena.reset();
        Ok(())
    }

    fn count_ascii(&mut self, bytes: &[u8], tally: &mut Tally) -> Result<(), Deviation> {
        match self.case {
            Case::Same => self.count_with(bytes, tally, |byte| byte),
            Case::Lower => self.count_with(bytes, tally, |byte| byte.to_ascii_lowercase()),
            Case::Upper => self.count_with(bytes, tally, |byte| byte.to_ascii_uppercase()),
        }
    }

    #[inline(always)]
    fn count_with(
        &mut self,
        bytes: &[u8],
        tally: &mut Tally,
        change: impl Fn(u8) -> u8,
    ) -> Result<(), Deviation> {
        // A table looks at more bytes than a short word has.
        let needed = bytes.len() + 2 * BLOCK;
        if self.copy.len() < needed {
            self.copy.resize(needed, b' ');
        }
        let mut start = 0;
        // All ones within a word.
        let mut inside = 0u64;
        let (blocks, rest) = bytes.as_chunks::<BLOCK>();
        // It has white space behind the last word.
        let mut last = [b' '; BLOCK];
        last[..rest.len()].copy_from_slice(rest);
        for (number, block) in blocks.iter().chain(std::iter::once(&last)).enumerate() {
            let at = number * BLOCK;
            let Some(copy) = self.copy[at..].first_chunk_mut::<BLOCK>() else { break };
            for (to, from) in copy.iter_mut().zip(block) {
                *to = change(*from);
            }
            let words = !spaces(block);
            let mut edges = words ^ (words << 1 | inside & 1);
            while edges != 0 {
                let place = at + edges.trailing_zeros() as usize;
                edges &= edges - 1;
                if inside == 0 {
                    start = place;
                } else {
                    tally.add(&self.copy[start..], place - start)?;
                }
                inside = !inside;
            }
        }
        Ok(())
    }
}

/// The number of bytes before the first one that is not ASCII.
fn ascii_length(bytes: &[u8]) -> usize {
    let (blocks, _) = bytes.as_chunks::<BLOCK>();
    let whole =
        blocks.iter().take_while(|block| block.iter().fold(0, |all, byte| all | byte) < 0x80);
    let from = whole.count() * BLOCK;
    let rest = &bytes[from..];
    from + rest.iter().position(|byte| *byte >= 0x80).unwrap_or(rest.len())
}

/// A bit for each byte of ASCII that `str.split` takes for white space.
#[inline(always)]
fn spaces(block: &[u8; BLOCK]) -> u64 {
    let mut flags = [0u8; BLOCK];
    for (flag, byte) in flags.iter_mut().zip(block) {
        *flag = u8::from(byte.wrapping_sub(9) < 5) | u8::from(byte.wrapping_sub(28) < 5);
    }
    let (groups, _) = flags.as_chunks::<8>();
    let mut bits = 0;
    for (group, number) in groups.iter().zip(0..) {
        // The product moves the lowest bit of each byte to the highest byte.
        let eight = u64::from_le_bytes(*group).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        bits |= eight << (8 * number);
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(case: Case, lines: &str) -> Result<Vec<(String, u64)>, (usize, Deviation)> {
        let mut words = Words { case, copy: Vec::new(), arena: Bump::new() };
        let mut tally = Tally::default();
        tally.begin_piece(0);
        words.count(lines, &mut tally)?;
        Ok(tally.iter().map(|(word, count)| (word.to_owned(), count)).collect())
    }

    fn expected(case: Case, lines: &str) -> Vec<(String, u64)> {
        let mut found: Vec<(String, u64)> = Vec::new();
        for line in lines.split_inclusive('\n') {
            let line = match case {
                Case::Same => line.to_owned(),
                Case::Lower => line.to_lowercase(),
                Case::Upper => line.to_uppercase(),
            };
            let ends = |one: char| matches!(one, '\x1c'..='\x1f') || one.is_whitespace();
            for word in line.split(ends).filter(|word| !word.is_empty()) {
                match found.iter_mut().find(|(known, _)| known == word) {
                    Some((_, count)) => *count += 1,
                    None => found.push((word.to_owned(), 1)),
                }
            }
        }
        found
    }

    #[test]
    fn words_end_where_each_kind_of_line_ends_them() {
        let mut lines = vec![String::new(), "\n".into(), "a".into(), " a \n\tA\x1cb\x0bB\n".into()];
        // Words of all lengths at all places of a block, and at its end.
        for length in [1, 7, 8, 9, 15, 16, 17, 63, 64, 65, 200] {
            for before in 0..70 {
                let word = "Wo\0rdé".chars().cycle().filter(char::is_ascii).take(length);
                let word: String = word.collect();
                lines.push(format!("{}{word}", " ".repeat(before)));
                lines.push(format!("{}{word} {word}x\n{word}", "\n".repeat(before)));
            }
        }
        lines.push(
            "one\u{2003}two\u{85}three four\u{a0}one\nONE KÖLN Köln two\nİ ß Straße\n".into(),
        );
        lines.push(format!(
            "{}é\n{}",
            "plain words\n".repeat(20),
            "plain Words again\n".repeat(20)
        ));
        for case in [Case::Same, Case::Lower, Case::Upper] {
            for lines in &lines {
                assert_eq!(counted(case, lines).unwrap(), expected(case, lines), "{lines:?}");
            }
        }
    }

    #[test]
    fn spaces_are_those_of_python() {
        for byte in 0..128 {
            let mut block = [b'a'; BLOCK];
            block[usize::from(byte) % BLOCK] = byte;
            let is_space = (9..14).contains(&byte) || (28..33).contains(&byte);
            let expected = if is_space { 1 << (byte % 64) } else { 0 };
            assert_eq!(spaces(&block), expected, "{byte}");
        }
    }

    #[test]
    fn a_line_without_an_answer_is_named() {
        assert_eq!(counted(Case::Lower, "a\nb c\nd \u{1c89}\n").unwrap_err().0, 6);
    }
}
