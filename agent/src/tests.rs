//! The crate as a whole, and what its tests share.

mod again;
pub(crate) mod fixture;
pub(crate) mod full_path;
mod leaks;
mod newcomers;
pub(crate) mod own_power;
pub(crate) mod sts;
mod wiped;
