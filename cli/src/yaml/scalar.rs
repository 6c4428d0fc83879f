//! Plain scalars by the rules of YAML 1.1, as kubectl's library (go-yaml v2) implements them.

use serde_json::{Number, Value};

/// The value of a plain scalar.
pub(super) fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Value::Bool(true);
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Value::Bool(false);
        }
        _ => {}
    }
    number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number)
}

fn number(text: &str) -> Option<Number> {
    let first = text.bytes().next()?;
    if first == b'.' {
        return is_float(text).then(|| float(text)).flatten();
    }
    if !first.is_ascii_digit() && first != b'+' && first != b'-' {
        return None;
    }
    let plain = text.replace('_', "");
    integer(&plain).or_else(|| is_float(&plain).then(|| float(&plain)).flatten())
}

/// An integer of Go's `strconv.ParseInt` with base 0: `0400` is octal, as `0o400`.
fn integer(text: &str) -> Option<Number> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    if !digits.bytes().next()?.is_ascii_alphanumeric() {
        return None; // from_str_radix would accept a second sign.
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    if negative {
        return 0i64.checked_sub_unsigned(magnitude).map(Number::from);
    }
    // Go reads what exceeds an i64 as unsigned, which has no sign.
    let fits = i64::try_from(magnitude).is_ok() || !text.starts_with('+');
    fits.then(|| Number::from(magnitude))
}

/// Whether the text is `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`.
fn is_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let mantissa = match mantissa.split_once('.') {
        Some(("", fraction)) => digits(fraction),
        Some((whole, fraction)) => digits(whole) && (fraction.is_empty() || digits(fraction)),
        None => digits(mantissa),
    };
    mantissa && exponent.is_none_or(|text| digits(text.strip_prefix(['-', '+']).unwrap_or(text)))
}

/// kubectl writes a float as JSON before it reads the object, so `8.0` is the integer 8 there.
#[allow(clippy::cast_possible_truncation, reason = "only whole numbers of an i64's range")]
fn float(text: &str) -> Option<Number> {
    let float: f64 = text.parse().ok()?;
    let whole = float.fract() == 0.0 && float.abs() < 9e18;
    if whole { Some(Number::from(float as i64)) } else { Number::from_f64(float) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn plain_scalars_are_read_as_by_kubectl() {
        for (text, value) in [
            ("0400", json!(256)),
            ("0o400", json!(256)),
            ("0755", json!(493)),
            ("0x10", json!(16)),
            ("-0b11", json!(-3)),
            ("1_000", json!(1000)),
            ("08", json!(8)),
            ("0", json!(0)),
            ("+5", json!(5)),
            ("8.0", json!(8)),
            ("1e3", json!(1000)),
            (".5", json!(0.5)),
            ("1.", json!(1)),
            ("18446744073709551615", json!(18_446_744_073_709_551_615u64)),
            ("-9223372036854775808", json!(i64::MIN)),
            ("yes", json!(true)),
            ("on", json!(true)),
            ("N", json!(false)),
            ("~", json!(null)),
        ] {
            assert_eq!(resolve(text), value, "{text}");
        }
        for text in
            ["yEs", "0o8", "1:30", "2026-01-01", "-", ".", "0x", "1e", "a1", "--1", "0-1", "1.2.3"]
        {
            assert_eq!(resolve(text), json!(text));
        }
    }
}
