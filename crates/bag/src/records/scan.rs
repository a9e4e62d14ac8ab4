//! Lines of JSON of which only some items are wanted.
//!
//! The whole line is checked, by the standard and by what Python asks for beyond it, so that a line is either JSON
//! for both or left to others. Only the values of wanted keys are made; nothing is written for the rest.

use bumpalo::Bump;
use bumpalo::collections::String as BumpString;

use super::json::Parser;
use super::value::{Deviation, Value};

/// The items of an object that are wanted, in the order of their keys.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// The keys.
    pub keys: &'a [Box<str>],
    /// Their values; `None` where the object has no such key.
    pub values: &'a [Option<Value<'a>>],
}

impl<'a> Row<'a> {
    /// The value at a key that is wanted.
    pub(crate) fn at(&self, key: &str) -> Result<Option<Value<'a>>, Deviation> {
        let place = self.keys.iter().position(|known| **known == *key);
        place.map(|place| self.values[place]).ok_or("a key that was not asked for")
    }
}

/// How deep values may be nested.
const DEEPEST: usize = 100;
/// Digits of an integer: the lowest limit that Python can be set to is 640.
const MOST_DIGITS: usize = 600;
const ENDS_EARLY: Deviation = "no JSON";

/// The wanted items of the object in a line; `None` where it is no object.
pub(crate) fn row<'a>(
    line: &'a str,
    keys: &'a [Box<str>],
    arena: &'a Bump,
    parser: &mut Parser,
) -> Result<Option<Value<'a>>, Deviation> {
    let mut scanner = Scanner { text: line, bytes: line.as_bytes(), at: 0 };
    scanner.space();
    if scanner.byte() != b'{' {
        return Ok(None);
    }
    scanner.at += 1;
    let values = arena.alloc_slice_fill_copy(keys.len(), None);
    scanner.object(0, &mut |scanner, key| {
        let wanted = match key {
            Text::Plain(key) => keys.iter().position(|known| is_same(known, key)),
            Text::Escaped(_) => {
                let key = key.read(arena)?;
                keys.iter().position(|known| **known == *key)
            }
        };
        match wanted {
            // Of equal keys the last one counts.
            Some(place) => values[place] = Some(scanner.wanted(arena, parser)?),
            None => scanner.passed_over(1)?,
        }
        Ok(())
    })?;
    scanner.space();
    if scanner.at != line.len() {
        return Err(ENDS_EARLY);
    }
    Ok(Some(Value::Row(arena.alloc(Row { keys, values }))))
}

/// Whether two short texts are equal; most are of another length or begin otherwise.
#[inline]
fn is_same(left: &str, right: &str) -> bool {
    left.len() == right.len()
        && left.as_bytes().first() == right.as_bytes().first()
        && left == right
}

/// What is between quotes.
#[derive(Clone, Copy)]
enum Text<'a> {
    Plain(&'a str),
    /// With escapes, each of which is one.
    Escaped(&'a str),
}

impl<'a> Text<'a> {
    fn read(self, arena: &'a Bump) -> Result<&'a str, Deviation> {
        match self {
            Self::Plain(text) => Ok(text),
            Self::Escaped(text) => unescaped(text, arena),
        }
    }
}

struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

type Item<'s, 'a> = &'s mut dyn FnMut(&mut Scanner<'a>, Text<'a>) -> Result<(), Deviation>;

impl<'a> Scanner<'a> {
    /// The byte here; behind the end a zero, which is JSON nowhere.
    #[inline]
    fn byte(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    #[inline]
    fn space(&mut self) {
        while matches!(self.byte(), b' ' | b'\n' | b'\t' | b'\r') {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), Deviation> {
        if self.byte() != byte {
            return Err(ENDS_EARLY);
        }
        self.at += 1;
        Ok(())
    }

    /// The rest of an object, behind its brace; `item` reads the value of a key.
    fn object(&mut self, depth: usize, item: Item<'_, 'a>) -> Result<(), Deviation> {
        if depth > DEEPEST {
            return Err("JSON that is nested very deeply");
        }
        self.space();
        if self.byte() == b'}' {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.space();
            self.expect(b'"')?;
            let key = self.string()?;
            self.space();
            self.expect(b':')?;
            self.space();
            item(self, key)?;
            self.space();
            match self.byte() {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(ENDS_EARLY),
            }
        }
    }

    /// A value of any kind that nobody wants.
    fn passed_over(&mut self, depth: usize) -> Result<(), Deviation> {
        match self.byte() {
            b'"' => {
                self.at += 1;
                self.string().map(|_| ())
            }
            b'{' => {
                self.at += 1;
                self.object(depth, &mut |scanner, _| scanner.passed_over(depth + 1))
            }
            b'[' => {
                self.at += 1;
                self.array(depth)
            }
            b'-' | b'0'..=b'9' => self.number().map(|_| ()),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'n' => self.word("null"),
            _ => Err(ENDS_EARLY),
        }
    }

    /// The rest of an array, behind its bracket.
    fn array(&mut self, depth: usize) -> Result<(), Deviation> {
        if depth > DEEPEST {
            return Err("JSON that is nested very deeply");
        }
        self.space();
        if self.byte() == b']' {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.space();
            self.passed_over(depth + 1)?;
            self.space();
            match self.byte() {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(ENDS_EARLY),
            }
        }
    }

    fn word(&mut self, word: &str) -> Result<(), Deviation> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return Err(ENDS_EARLY);
        }
        self.at += word.len();
        Ok(())
    }

    /// A value.
    fn wanted(&mut self, arena: &'a Bump, parser: &mut Parser) -> Result<Value<'a>, Deviation> {
        let start = self.at;
        Ok(match self.byte() {
            b'"' => {
                self.at += 1;
                Value::Text(self.string()?.read(arena)?)
            }
            b'-' | b'0'..=b'9' => {
                let is_whole = self.number()?;
                number_in(self.part(start, self.at)?, is_whole)?
            }
            b'{' | b'[' => {
                self.passed_over(1)?;
                parser.parse(self.part(start, self.at)?, arena)?
            }
            first => {
                self.passed_over(1)?;
                match first {
                    b't' => Value::Bool(true),
                    b'f' => Value::Bool(false),
                    _ => Value::Null,
                }
            }
        })
    }

    fn part(&self, start: usize, stop: usize) -> Result<&'a str, Deviation> {
        self.text.get(start..stop).ok_or(ENDS_EARLY)
    }

    /// A string, from behind its first quote to behind its last.
    #[inline]
    fn string(&mut self) -> Result<Text<'a>, Deviation> {
        let start = self.at;
        let mut escaped = false;
        loop {
            while let Some(eight) = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk::<8>) {
                let found = special(u64::from_le_bytes(*eight));
                if found != 0 {
                    self.at += (found.trailing_zeros() / 8) as usize;
                    break;
                }
                self.at += 8;
            }
            match self.byte() {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    self.escape()?;
                }
                // Python too refuses control characters.
                0..=31 => return Err(ENDS_EARLY),
                _ => self.at += 1,
            }
        }
        let text = self.part(start, self.at)?;
        self.at += 1;
        Ok(if escaped { Text::Escaped(text) } else { Text::Plain(text) })
    }

    fn escape(&mut self) -> Result<(), Deviation> {
        self.at += 1;
        match self.byte() {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {
                self.at += 1;
                Ok(())
            }
            b'u' => {
                let digits = self.bytes.get(self.at + 1..self.at + 5).ok_or(ENDS_EARLY)?;
                if !digits.iter().all(u8::is_ascii_hexdigit) {
                    return Err(ENDS_EARLY);
                }
                self.at += 5;
                Ok(())
            }
            _ => Err(ENDS_EARLY),
        }
    }

    /// A number; whether it is an integer in Python.
    fn number(&mut self) -> Result<bool, Deviation> {
        if self.byte() == b'-' {
            self.at += 1;
        }
        if self.byte() == b'0' {
            self.at += 1;
        } else if self.digits()? > MOST_DIGITS {
            return Err("an integer of very many digits");
        }
        let mut is_whole = true;
        if self.byte() == b'.' {
            is_whole = false;
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.byte(), b'e' | b'E') {
            is_whole = false;
            self.at += 1;
            if matches!(self.byte(), b'+' | b'-') {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(is_whole)
    }

    fn digits(&mut self) -> Result<usize, Deviation> {
        let start = self.at;
        while let Some(eight) = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk::<8>) {
            if !are_digits(u64::from_le_bytes(*eight)) {
                break;
            }
            self.at += 8;
        }
        while self.byte().is_ascii_digit() {
            self.at += 1;
        }
        if self.at == start { Err(ENDS_EARLY) } else { Ok(self.at - start) }
    }
}

/// The highest bit of each byte that is a quote, a backslash or a control character: exact up to the first such
/// byte, and zero where there is none.
#[inline]
fn special(word: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
    let quotes = word ^ (ONES * b'"' as u64);
    let backslashes = word ^ (ONES * b'\\' as u64);
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    let is_zero = |word: u64| word.wrapping_sub(ONES) & !word;
    (is_zero(quotes) | is_zero(backslashes) | control) & HIGH
}

/// Whether all eight bytes are digits.
#[inline]
fn are_digits(word: u64) -> bool {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    // A digit has 3 as its upper half, and 6 more does not change that.
    let upper = ONES * 0xf0;
    word & upper == ONES * 0x30 && word.wrapping_add(ONES * 6) & upper == ONES * 0x30
}

/// The value of a number of JSON.
fn number_in(text: &str, is_whole: bool) -> Result<Value<'_>, Deviation> {
    if is_whole {
        let value = text.parse().map_err(|_| "an integer of more than 64 bits")?;
        return Ok(Value::Int(value));
    }
    // Both round to the nearest float.
    text.parse().map(Value::Float).map_err(|_| "a number of another form")
}

/// A text without its escapes, which have been checked.
fn unescaped<'a>(text: &str, arena: &'a Bump) -> Result<&'a str, Deviation> {
    let mut made = BumpString::with_capacity_in(text.len(), arena);
    let mut rest = text;
    while let Some(place) = memchr::memchr(b'\\', rest.as_bytes()) {
        made.push_str(&rest[..place]);
        let kind = rest.as_bytes().get(place + 1).copied().unwrap_or(0);
        rest = rest.get(place + 2..).ok_or(ENDS_EARLY)?;
        made.push(match kind {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let (mut code, behind) = unit(rest)?;
                rest = behind;
                if (0xd800..0xdc00).contains(&code) {
                    let low = rest.strip_prefix("\\u").ok_or("half of a surrogate pair")?;
                    let (second, behind) = unit(low)?;
                    if !(0xdc00..0xe000).contains(&second) {
                        return Err("half of a surrogate pair");
                    }
                    code = 0x10000 + ((code - 0xd800) << 10) + (second - 0xdc00);
                    rest = behind;
                }
                char::from_u32(code).ok_or("half of a surrogate pair")?
            }
            plain => char::from(plain),
        });
    }
    made.push_str(rest);
    Ok(made.into_bump_str())
}

/// Four hexadecimal digits, and the text behind them.
fn unit(text: &str) -> Result<(u32, &str), Deviation> {
    let digits = text.get(..4).ok_or(ENDS_EARLY)?;
    let code = u32::from_str_radix(digits, 16).map_err(|_| ENDS_EARLY)?;
    Ok((code, &text[4..]))
}
