//! A part of the webhook's path that only its configurations name.
//!
//! An answer to a review tells roles, Secrets and guard-rails of any namespace. The API server has
//! no client certificate unless an administrator gives it one, but it calls the path that the
//! configuration names, and pods cannot read that.

use std::{fmt, sync::Arc};

use arc_swap::ArcSwapOption;
use aws_lc_rs::{constant_time::verify_slices_are_equal, rand};

use crate::MintError;

/// 160 bits: nothing can be found by trying.
const BYTES: usize = 20;
/// A shorter one may be found by trying.
const SHORTEST: usize = 16;

/// The segment, once it is known. Clones share it. `Debug` omits it.
#[derive(Clone, Default)]
pub struct PathSegment(Arc<ArcSwapOption<String>>);

impl PathSegment {
    /// A segment that is known from the start.
    #[must_use]
    pub fn known(segment: &str) -> Self {
        let known = Self::default();
        known.set(segment);
        known
    }

    /// Whether a text can be a segment: long enough not to be found by trying, and a part of a URL's path as it is.
    #[must_use]
    pub fn is_usable(text: &str) -> bool {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        text.len() >= SHORTEST && text.bytes().all(allowed)
    }

    pub(crate) fn set(&self, segment: &str) {
        self.0.store(Some(Arc::new(segment.to_owned())));
    }

    /// The rest of a path that begins with the segment: `/mutate` of `/<segment>/mutate`.
    #[must_use]
    pub fn strip<'a>(&self, path: &'a str) -> Option<&'a str> {
        let known = self.0.load();
        let segment = known.as_deref()?;
        let after_slash = path.strip_prefix('/')?;
        let (first, rest) = after_slash.split_at(after_slash.find('/')?);
        verify_slices_are_equal(first.as_bytes(), segment.as_bytes()).ok().map(|()| rest)
    }
}

impl fmt::Debug for PathSegment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PathSegment").field(&self.0.load().is_some()).finish()
    }
}

/// Makes a new segment.
pub(crate) fn generate() -> Result<String, MintError> {
    let mut bytes = [0; BYTES];
    rand::fill(&mut bytes).map_err(|_| MintError::Random)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_path_that_begins_with_the_segment_has_a_rest() {
        let segment = PathSegment::known("s3cret");
        for (path, rest) in [
            ("/s3cret/mutate", Some("/mutate")),
            ("/s3cret/mutate/required", Some("/mutate/required")),
            ("/s3cret/", Some("/")),
            ("/s3cret", None),
            ("/mutate", None),
            ("/s3cre/mutate", None),
            ("/s3crets/mutate", None),
            ("//s3cret/mutate", None),
            ("/mutate/s3cret/mutate", None),
            ("", None),
        ] {
            assert_eq!(segment.strip(path), rest, "{path}");
        }
        for path in ["//mutate", "/mutate", "/"] {
            assert_eq!(PathSegment::default().strip(path), None, "unknown: {path}");
        }
        assert!(!format!("{segment:?}").contains("s3cret"));
    }

    #[test]
    fn each_segment_is_new_and_has_160_bits() {
        let (one, two) = (generate().unwrap(), generate().unwrap());
        assert_ne!(one, two);
        assert_eq!(one.len(), 40);
        let is_usable = PathSegment::is_usable;
        assert!(is_usable(&one) && !is_usable("short") && !is_usable(&"a/".repeat(20)));
    }
}
