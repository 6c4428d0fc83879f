//! The volume of a Secret. Its name follows from what is in it, so that mounts of the same share
//! one, and a second pass knows it again.

use podrole_identity::DesiredSecret;
use serde_json::{Value, json};

use super::placeholders::Places;

/// What stands before the hash in the volumes' names.
pub(in crate::mutate) const PREFIX: &str = "podrole-secret-";
/// The longest key and the longest path that the API server takes.
const MAX_KEY: usize = 253;

/// A volume of a Secret.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SecretVolume {
    name: String,
    source: Value,
}

impl SecretVolume {
    pub(super) fn new(wish: &DesiredSecret, places: &Places<'_>) -> Result<Self, String> {
        let mut source = json!({ "secretName": wish.secret_name });
        if !wish.items.is_empty() {
            let items = wish.items.iter().map(|item| {
                let (key, path) = (places.fill(&item.key)?, places.fill(&item.path)?);
                if key.len() > MAX_KEY {
                    return Err(format!("an item's key is over {MAX_KEY} characters"));
                }
                let mut file = json!({ "key": key, "path": path });
                if let Some(mode) = item.mode {
                    file["mode"] = json!(mode);
                }
                Ok(file)
            });
            source["items"] = items.collect::<Result<_, String>>()?;
        }
        if let Some(mode) = wish.mode {
            source["defaultMode"] = json!(mode);
        }
        if wish.optional {
            source["optional"] = json!(true);
        }
        let name = format!("{PREFIX}{:016x}", fnv1a(&source.to_string()));
        Ok(Self { name, source })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn json(&self) -> Value {
        json!({ "name": self.name, "secret": self.source })
    }
}

/// FNV-1a: the same in every release and on every machine, which the standard library's hashers
/// do not promise. Nothing is guarded by it.
fn fnv1a(text: &str) -> u64 {
    let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, fold)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_published_one() {
        assert_eq!(fnv1a(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a("a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a("foobar"), 0x8594_4171_f739_67e8);
    }
}
