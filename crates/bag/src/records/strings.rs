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
                parts.push(Value::Text(&text[from..found]));
                from = found + separator.len();
            }
            parts.push(Value::Text(&text[from..]));
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
                parts.push(Value::Text(&text[start..at]));
            }
        }
        None => {
            let mut rest = text.trim_start_matches(is_space);
            while !rest.is_empty() {
                if left == 0 {
                    parts.push(Value::Text(rest));
                    break;
                }
                left -= 1;
                let end = rest.find(is_space).unwrap_or(rest.len());
                parts.push(Value::Text(&rest[..end]));
                rest = rest[end..].trim_start_matches(is_space);
            }
        }
    }
    parts.into_bump_slice()
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

/// Characters whose case has been the same in all versions of Unicode that Python knows of: Latin,
/// Greek and Cyrillic letters, and scripts without case.
fn has_settled_case(character: char) -> bool {
    matches!(character,
        '\0'..='\u{17f}' | '\u{370}'..='\u{52f}' | '\u{1e00}'..='\u{1fff}' | '\u{2000}'..='\u{206f}' | '\u{20a0}'..='\u{20cf}'
        | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' | '\u{1f300}'..='\u{1faff}')
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
    if !text.chars().all(has_settled_case) {
        return Err("letters whose case depends on the version of Unicode");
    }
    let changed = if upper { text.to_uppercase() } else { text.to_lowercase() };
    Ok(arena.alloc_str(&changed))
}
