//! The volume of a Secret. Its name is derived from its content, so that equal mounts share one
//! volume and a second pass recognizes it.

use podrole_identity::{DesiredSecret, SECRET_VOLUME_PREFIX};
use serde_json::{Value, json};

use super::{error::SecretError, placeholders::Placeholders};

/// The longest key that the API server accepts, in characters.
const MAX_KEY: usize = 253;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct SecretVolume {
    name: String,
    source: Value,
}

impl SecretVolume {
    pub(super) fn new(
        desired: &DesiredSecret,
        placeholders: &Placeholders<'_>,
    ) -> Result<Self, SecretError> {
        let mut source = json!({ "secretName": desired.secret_name });
        if !desired.items.is_empty() {
            let items = desired.items.iter().map(|item| {
                let key = placeholders.fill(&item.key)?;
                let path = placeholders.fill(&item.path)?;
                if key.len() > MAX_KEY {
                    return Err(SecretError::KeyTooLong(MAX_KEY));
                }
                let mut file = json!({ "key": key, "path": path });
                if let Some(mode) = item.mode {
                    file["mode"] = json!(mode);
                }
                Ok(file)
            });
            source["items"] = items.collect::<Result<_, SecretError>>()?;
        }
        if let Some(mode) = desired.mode {
            source["defaultMode"] = json!(mode);
        }
        if desired.optional {
            source["optional"] = json!(true);
        }
        let name = format!("{SECRET_VOLUME_PREFIX}{:016x}", fnv1a(&source.to_string()));
        Ok(Self { name, source })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn json(&self) -> Value {
        json!({ "name": self.name, "secret": self.source })
    }
}

/// FNV-1a. The hash must be the same in every release, or a second pass by a newer replica would
/// add the volume again; the standard library's hashers do not promise that. It need not resist
/// collisions, because a volume of the same name and another source is an error.
fn fnv1a(text: &str) -> u64 {
    let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, fold)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_matches_the_published_test_vectors() {
        assert_eq!(fnv1a(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a("a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a("foobar"), 0x8594_4171_f739_67e8);
    }
}
