//! Whether a key is probably meant to be another one.

/// How many keys of an object are compared with the known ones. Annotations may have 256 KiB, so that
/// a hostile object could have ten thousand keys.
pub(crate) const MOST_KEYS: usize = 64;

/// Whether a key has to be compared at all. It is cheap and errs on the side of yes; most objects have
/// no such key, and for them nothing else has to be read. `prefix` is that of EKS's annotations.
pub(crate) fn is_suspect(key: &str, prefix: &str) -> bool {
    ["podrol", "pod-role", "amazon", "role"].iter().any(|word| key.contains(word))
        || key.starts_with(prefix)
}

/// Whether `key` is not `known`, but probably meant to be: at most two letters differ, whatever their
/// case, or the whole name is right and the domain is almost AWS's.
pub(crate) fn is_near(key: &str, known: &str) -> bool {
    if key == known {
        return false;
    }
    let (lower, known) = (key.to_ascii_lowercase(), known.to_ascii_lowercase());
    let same_length = lower.len().abs_diff(known.len()) <= 2;
    if same_length && strsim::osa_distance(&lower, &known) <= 2 {
        return true;
    }
    let (Some((domain, name)), Some((_, known_name))) =
        (lower.split_once('/'), known.split_once('/'))
    else {
        return false;
    };
    domain.contains("amazon")
        && known_name == "role-arn"
        && strsim::osa_distance(name, known_name) <= 1
}
