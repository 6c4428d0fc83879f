//! Randomness that keeps many agents from doing the same at the same time.

/// From 0 to 1. If there is no randomness it is 0, and agents merely do the same at the same time.
pub(crate) fn jitter() -> f64 {
    let mut bytes = [0; 4];
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
}
