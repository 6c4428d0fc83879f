//! The comparison of signatures, tokens and hashes.

use aws_lc_rs::constant_time::verify_slices_are_equal;

/// Compares two texts in constant time.
pub(crate) fn equal(one: &str, other: &str) -> bool {
    verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()
}
