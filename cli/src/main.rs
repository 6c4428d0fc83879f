//! podrole, for people.
fn main() {}
