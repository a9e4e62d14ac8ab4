//! Fields of text as values, where there is no doubt what pandas makes of them.

/// What pandas takes for missing, by its documentation.
const MISSING: [&[u8]; 18] = [
    b"#N/A",
    b"#N/A N/A",
    b"#NA",
    b"-1.#IND",
    b"-1.#QNAN",
    b"-NaN",
    b"-nan",
    b"1.#IND",
    b"1.#QNAN",
    b"<NA>",
    b"N/A",
    b"NA",
    b"NULL",
    b"NaN",
    b"None",
    b"n/a",
    b"nan",
    b"null",
];

/// Whether a field stands for a missing value; `more` are the user's own words for that.
pub(super) fn is_missing(field: &[u8], more: &[String]) -> bool {
    let usual = match field.first() {
        None => true,
        Some(b'#' | b'-' | b'1' | b'<' | b'N' | b'n') if field.len() <= 9 => {
            MISSING.contains(&field)
        }
        _ => false,
    };
    usual || more.iter().any(|word| word.as_bytes() == field)
}

/// A whole number in digits.
pub(super) fn whole(field: &[u8]) -> Option<i64> {
    let (negative, digits) = match field.split_first()? {
        (b'-', rest) => (true, rest),
        _ => (false, field),
    };
    if digits.is_empty() || digits.len() > 18 {
        // The last of 19 digits may be too much; such numbers are rare.
        return None;
    }
    let mut value = 0_i64;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + i64::from(digit);
    }
    Some(if negative { -value } else { value })
}

/// Powers of ten that a float holds exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// The float that is nearest to a decimal number.
pub(super) fn float(field: &[u8]) -> Option<f64> {
    let (negative, rest) = match field.split_first()? {
        (b'-', rest) => (true, rest),
        _ => (false, field),
    };
    let (mut mantissa, mut digits, mut fraction) = (0_u64, 0_usize, 0_usize);
    let mut point = false;
    for byte in rest {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            digits += 1;
            fraction += usize::from(point);
            if digits > 15 {
                return slow_float(field);
            }
            mantissa = mantissa * 10 + u64::from(digit);
        } else if *byte == b'.' && !point {
            point = true;
        } else {
            return slow_float(field);
        }
    }
    if digits == 0 {
        return None;
    }
    // Both are exact, so that their quotient is rounded once (Clinger, How to read floating point
    // numbers accurately, 1990).
    let value = mantissa as f64 / POWERS[fraction];
    Some(if negative { -value } else { value })
}

/// A number with an exponent or many digits.
fn slow_float(field: &[u8]) -> Option<f64> {
    let plain =
        |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e' | b'E');
    if !field.iter().all(plain) || !field.iter().any(u8::is_ascii_digit) {
        return None;
    }
    let value: f64 = std::str::from_utf8(field).ok()?.parse().ok()?;
    value.is_finite().then_some(value)
}

pub(super) fn boolean(field: &[u8]) -> Option<bool> {
    match field {
        b"True" | b"TRUE" | b"true" => Some(true),
        b"False" | b"FALSE" | b"false" => Some(false),
        _ => None,
    }
}

/// How the moments of a column are written; all of them have to be written in one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Written {
    /// The letter between day and time; 0 for days alone.
    between: u8,
    /// Digits after the point of a second.
    fraction: u8,
}

impl Written {
    /// A number for it, which is not zero.
    pub(super) fn code(self) -> u32 {
        1 | u32::from(self.between) << 8 | u32::from(self.fraction) << 16
    }
}

/// Microseconds since 1970 of a moment by ISO 8601, and how it is written.
pub(super) fn moment(field: &[u8]) -> Option<(i64, Written)> {
    if field.len() < 10 || field[4] != b'-' || field[7] != b'-' {
        return None;
    }
    let (year, month, day) = (number(&field[..4])?, number(&field[5..7])?, number(&field[8..10])?);
    if year == 0 || !(1..=12).contains(&month) || day == 0 || day > days_of_month(year, month) {
        return None;
    }
    let midnight = days_since_1970(year, month, day) * 86_400_000_000;
    let rest = &field[10..];
    if rest.is_empty() {
        return Some((midnight, Written { between: 0, fraction: 0 }));
    }
    if rest.len() < 9 || !matches!(rest[0], b' ' | b'T') || rest[3] != b':' || rest[6] != b':' {
        return None;
    }
    let (hour, minute, second) = (number(&rest[1..3])?, number(&rest[4..6])?, number(&rest[7..9])?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (mut micros, mut digits) = (0, 0);
    if let [b'.', fraction @ ..] = &rest[9..] {
        if !matches!(fraction.len(), 3 | 6) {
            return None;
        }
        digits = fraction.len();
        micros = number(fraction)? * if digits == 3 { 1000 } else { 1 };
    } else if rest.len() != 9 {
        return None;
    }
    let seconds = (hour * 60 + minute) * 60 + second;
    let written = Written { between: rest[0], fraction: u8::try_from(digits).unwrap_or(0) };
    Some((midnight + seconds * 1_000_000 + micros, written))
}

fn number(digits: &[u8]) -> Option<i64> {
    let mut value = 0_i64;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + i64::from(digit);
    }
    Some(value)
}

fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days of the Gregorian calendar, counted from March so that the leap day is a year's last
/// (Hinnant, chrono-compatible low-level date algorithms, 2013).
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_that_the_standard_library_reads() {
        for text in ["0", "-0.0", "12.5", ".5", "5.", "123456789012345", "0.1", "1e5", "-1.5E-7"] {
            let expected: f64 = text.parse().unwrap();
            assert_eq!(float(text.as_bytes()).unwrap().to_bits(), expected.to_bits(), "{text}");
        }
        for text in ["", "-", ".", "inf", "nan", "1_0", " 1", "1e999", "0x1", "e5"] {
            assert_eq!(float(text.as_bytes()), None, "{text}");
        }
        assert_eq!(whole(b"-42"), Some(-42));
        for text in ["", "-", "+1", "1.0", "1234567890123456789", " 1"] {
            assert_eq!(whole(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn moments_are_days_of_the_calendar() {
        let day = |text: &str| moment(text.as_bytes()).map(|(value, _)| value / 86_400_000_000);
        assert_eq!(day("1970-01-01"), Some(0));
        assert_eq!(day("2000-03-01"), Some(11_017));
        assert_eq!(day("1969-12-31"), Some(-1));
        assert_eq!(day("2024-02-29"), Some(19_782));
        for text in ["2023-02-29", "2023-13-01", "2023-1-01", "2023-01-01x", "2023-01-01 24:00:00"]
        {
            assert_eq!(day(text), None, "{text}");
        }
        let (value, _) = moment(b"1970-01-02T01:02:03.004005").unwrap();
        assert_eq!(value, 86_400_000_000 + 3_723_004_005);
    }

    #[test]
    fn words_for_what_is_missing() {
        for word in ["", "NA", "nan", "#N/A N/A", "-1.#IND", "None"] {
            assert!(is_missing(word.as_bytes(), &[]), "{word}");
        }
        for word in ["na", "NaNa", "-", "1", "none", "N"] {
            assert!(!is_missing(word.as_bytes(), &[]), "{word}");
        }
        assert!(is_missing(b"?", &["?".into()]));
    }
}
