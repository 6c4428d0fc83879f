//! Identifiers and secrets in AWS's formats.

use aws_lc_rs::{digest, rand};
use base64::{Engine as _, engine::general_purpose::STANDARD};

/// The alphabet of AWS's key and role ids.
const ID_LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The system's random number generator failed.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the system's random number generator failed")]
pub(crate) struct NoRandom;

/// Random bytes.
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], NoRandom> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| NoRandom)?;
    Ok(bytes)
}

fn letters(bytes: &[u8]) -> String {
    let letter = |byte: &u8| char::from(ID_LETTERS[usize::from(byte % 32)]);
    bytes.iter().map(letter).collect()
}

/// The key id of temporary credentials from 16 or more bytes: `ASIA` and 16 letters.
pub(crate) fn key_id_of(bytes: &[u8]) -> String {
    format!("ASIA{}", letters(bytes.get(..16).unwrap_or(bytes)))
}

/// A secret key from 30 or more bytes: 40 characters.
pub(crate) fn secret_of(bytes: &[u8]) -> String {
    STANDARD.encode(bytes.get(..30).unwrap_or(bytes))
}

/// A version 4 UUID.
pub(crate) fn uuid() -> Result<String, NoRandom> {
    Ok(uuid_of(bytes::<16>()?, 4))
}

/// A UUID that is derived from the name (version 8: custom).
pub(crate) fn fixed_uuid(name: &str) -> String {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest::digest(&digest::SHA256, name.as_bytes()).as_ref()[..16]);
    uuid_of(bytes, 8)
}

fn uuid_of(mut bytes: [u8; 16], version: u8) -> String {
    bytes[6] = (bytes[6] & 0x0f) | (version << 4);
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = hex(&bytes);
    let (a, b, c, d, e) = (&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]);
    format!("{a}-{b}-{c}-{d}-{e}")
}

/// The id of a role: `AROA` and 17 letters, derived from the ARN.
pub(crate) fn role_id(arn: &str) -> String {
    let hash = digest::digest(&digest::SHA256, arn.as_bytes());
    format!("AROA{}", letters(&hash.as_ref()[..17]))
}

/// SHA-256 in lower-case hexadecimal digits.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_have_awss_formats() {
        let (some, other) = (bytes::<32>().unwrap(), bytes::<32>().unwrap());
        let id = key_id_of(&some);
        assert!(id.starts_with("ASIA") && id.len() == 20, "{id}");
        assert_ne!(id, key_id_of(&other));
        assert_eq!(secret_of(&some).len(), 40);
        assert_ne!(secret_of(&some), secret_of(&other));
        let uuid = uuid().unwrap();
        assert_eq!((uuid.len(), &uuid[14..15]), (36, "4"));
        assert_eq!(fixed_uuid("a"), fixed_uuid("a"));
        assert_ne!(fixed_uuid("a"), fixed_uuid("b"));
        assert_eq!(&fixed_uuid("a")[14..15], "8");
        assert_eq!(role_id("a"), role_id("a"));
        assert_ne!(role_id("a"), role_id("b"));
        assert_eq!(sha256_hex(b"").get(..8), Some("e3b0c442"));
    }
}
