//! Methods of strings, with Python's meaning.

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;
use memchr::memmem;

use super::value::{Deviation, Value};

/// What `str.isspace` says of one character.
pub(crate) fn is_space(character: char) -> bool {
    matches!(character, '\u{1c}'..='\u{1f}') || character.is_whitespace()
}

fn is_ascii_space(byte: u8) -> bool {
    matches!(byte, 9..=13 | 28..=32)
}

/// `str.split`, without a separator at runs of white space; `most` splits at most, where it is
/// not negative.
pub(crate) fn split<'a>(
    text: &'a str,
    separator: Option<&str>,
    most: i32,
    arena: &'a Bump,
) -> &'a [Value<'a>] {
    let mut parts = BumpVec::new_in(arena);
    let kept: Result<(), Deviation> = each_part(text, separator, most, |part| {
        parts.push(Value::Text(part));
        Ok(())
    });
    // Nothing that is done with a part fails.
    debug_assert!(kept.is_ok());
    parts.into_bump_slice()
}

/// The parts of `str.split`, one by one.
pub(crate) fn each_part<'a, E>(
    text: &'a str,
    separator: Option<&str>,
    most: i32,
    mut each: impl FnMut(&'a str) -> Result<(), E>,
) -> Result<(), E> {
    let mut left = usize::try_from(most).unwrap_or(usize::MAX);
    match separator {
        Some(separator) => {
            let finder = memmem::find_iter(text.as_bytes(), separator.as_bytes());
            let mut from = 0;
            for found in finder {
                if left == 0 {
                    break;
                }
                left -= 1;
                each(&text[from..found])?;
                from = found + separator.len();
            }
            each(&text[from..])
        }
        None if text.is_ascii() && left == usize::MAX => {
            let bytes = text.as_bytes();
            let mut at = 0;
            while at < bytes.len() {
                if is_ascii_space(bytes[at]) {
                    at += 1;
                    continue;
                }
                let start = at;
                while at < bytes.len() && !is_ascii_space(bytes[at]) {
                    at += 1;
                }
                each(&text[start..at])?;
            }
            Ok(())
        }
        None => {
            let mut rest = text.trim_start_matches(is_space);
            while !rest.is_empty() {
                if left == 0 {
                    return each(rest);
                }
                left -= 1;
                let end = rest.find(is_space).unwrap_or(rest.len());
                each(&rest[..end])?;
                rest = rest[end..].trim_start_matches(is_space);
            }
            Ok(())
        }
    }
}

/// Which ends of a text are stripped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// Both.
    Both,
    /// The beginning.
    Start,
    /// The end.
    End,
}

/// `str.strip`, of white space or of the given characters.
pub(crate) fn strip<'a>(text: &'a str, characters: Option<&str>, ends: Ends) -> &'a str {
    let strips = |character: char| match characters {
        Some(characters) => characters.contains(character),
        None => is_space(character),
    };
    let text = if ends == Ends::End { text } else { text.trim_start_matches(strips) };
    if ends == Ends::Start { text } else { text.trim_end_matches(strips) }
}

/// Characters that got a case, or another one, after Unicode 13, which is that of the oldest Python.
fn has_new_case(character: char) -> bool {
    matches!(character,
        '\u{19b}' | '\u{264}' | '\u{1c89}'..='\u{1c8f}' | '\u{2c2f}' | '\u{2c5f}' | '\u{a7c0}'..='\u{a7ff}'
        | '\u{10570}'..='\u{105bf}' | '\u{10d50}'..='\u{10d8f}' | '\u{16ea0}'..='\u{16eff}'
        | '\u{1df00}'..='\u{1dfff}')
}

/// Characters of which all versions of Unicode say the same about the letters beside them.
fn is_settled(character: char) -> bool {
    matches!(character, '\0'..='\u{17f}' | '\u{370}'..='\u{52f}' | '\u{1f00}'..='\u{1fff}'
        | '\u{2000}'..='\u{206f}' | '\u{4e00}'..='\u{9fff}')
}

/// `str.lower` or `str.upper`.
pub(crate) fn change_case<'a>(
    text: &'a str,
    upper: bool,
    arena: &'a Bump,
) -> Result<&'a str, Deviation> {
    if text.is_ascii() {
        let changes = |byte: &u8| match upper {
            true => byte.is_ascii_lowercase(),
            false => byte.is_ascii_uppercase(),
        };
        if !text.as_bytes().iter().any(changes) {
            return Ok(text);
        }
        let copy = arena.alloc_str(text);
        if upper {
            copy.make_ascii_uppercase()
        } else {
            copy.make_ascii_lowercase()
        }
        return Ok(copy);
    }
    // What a small sigma looks like depends on the letters beside it.
    let sigma = !upper && text.contains('\u{3a3}');
    if text.chars().any(|one| has_new_case(one) || sigma && !is_settled(one)) {
        return Err("letters whose case depends on the version of Unicode");
    }
    let changed = if upper { text.to_uppercase() } else { text.to_lowercase() };
    Ok(arena.alloc_str(&changed))
}
