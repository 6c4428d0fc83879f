//! How signatures, tokens and hashes are compared.

use aws_lc_rs::constant_time::verify_slices_are_equal;

/// Whether two texts are the same, in a time that does not tell where they differ.
pub(crate) fn equal(one: &str, other: &str) -> bool {
    verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()
}
