//! The names that kubelets give cgroups. Pure.
//!
//! | driver | path |
//! |---|---|
//! | systemd | `kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod<uid>.slice`, with `_` for `-` in the UID |
//! | cgroupfs | `kubepods/burstable/pod<uid>` |
//!
//! Pods of the class Guaranteed have no level for their class. In kind, all is below `kubelet.slice`
//! (or `kubelet`), and systemd's names begin with `kubelet-`.

/// The place of a directory among the cgroups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The mount's root.
    Root,
    /// A level that kind puts above the kubelet's.
    Above,
    /// The kubelet's own, or one of its classes.
    Kubepods {
        /// What the names of those below begin with, in systemd's driver.
        prefix: String,
        is_class: bool,
    },
    /// A pod's, or one below it.
    Pod(String),
}

impl Place {
    /// The place of a child, or `None` if no pod can be below it. Only the kubelet's own names count, at their own
    /// places: a process to which cgroups are delegated may name those as it likes.
    pub(super) fn child(&self, name: &str) -> Option<Self> {
        let kubepods = |prefix: &str| Self::Kubepods { prefix: prefix.to_owned(), is_class: false };
        match (self, name) {
            // A container's, which is its pod's.
            (Self::Pod(uid), _) => Some(Self::Pod(uid.clone())),
            (Self::Root, "kubelet" | "kubelet.slice") => Some(Self::Above),
            (Self::Root | Self::Above, "kubepods" | "kubepods.slice") => Some(kubepods("kubepods")),
            (Self::Above, "kubelet-kubepods.slice") => Some(kubepods("kubelet-kubepods")),
            (Self::Root | Self::Above, _) => None,
            (Self::Kubepods { prefix, is_class }, _) => below_kubepods(prefix, *is_class, name),
        }
    }
}

fn below_kubepods(prefix: &str, is_class: bool, name: &str) -> Option<Place> {
    let slice = name.strip_suffix(".slice");
    let own = match slice {
        Some(slice) => slice.strip_prefix(prefix)?.strip_prefix('-')?,
        None => name,
    };
    if let Some(uid) = own.strip_prefix("pod").filter(|uid| is_uid(uid)) {
        let uid = if slice.is_some() { uid.replace('_', "-") } else { uid.to_owned() };
        return Some(Place::Pod(uid));
    }
    let is_new_class = !is_class && ["burstable", "besteffort"].contains(&own);
    is_new_class.then(|| Place::Kubepods { prefix: format!("{prefix}-{own}"), is_class: true })
}

fn is_uid(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    !text.is_empty() && text.bytes().all(legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(path: &str) -> Option<String> {
        let mut place = Place::Root;
        for name in path.split('/') {
            place = place.child(name)?;
        }
        match place {
            Place::Pod(uid) => Some(uid),
            _ => None,
        }
    }

    #[test]
    fn a_pods_cgroup_is_named_by_the_kubelet() {
        const UID: &str = "0a1b2c3d-0000-4000-8000-00000000000f";
        for path in [
            "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod0a1b2c3d_0000_4000_8000_00000000000f.slice",
            "kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod0a1b2c3d_0000_4000_8000_00000000000f.slice/cri-containerd-12.scope/app",
            "kubepods.slice/kubepods-pod0a1b2c3d_0000_4000_8000_00000000000f.slice",
            "kubepods/burstable/pod0a1b2c3d-0000-4000-8000-00000000000f/12",
            "kubepods/pod0a1b2c3d-0000-4000-8000-00000000000f",
            "kubelet/kubepods/besteffort/pod0a1b2c3d-0000-4000-8000-00000000000f",
            "kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod0a1b2c3d_0000_4000_8000_00000000000f.slice",
        ] {
            assert_eq!(pod(path).as_deref(), Some(UID), "{path}");
        }
    }

    #[test]
    fn a_name_that_another_process_may_choose_is_no_pods() {
        for path in [
            "system.slice/kubelet.service",
            "system.slice/kubepods.slice/kubepods-poda.slice",
            "user.slice/user-1000.slice/user@1000.service/kubepods/poda",
            "kubepods.slice/poda.slice",
            "kubepods.slice/kubepods-burstable.slice/kubepods-poda.slice",
            "kubepods/burstable/besteffort/poda",
            "kubepods/burstable/other/poda",
            "kubepods/burstable/pod",
            "kubepods/burstable/pod a",
            "poda",
        ] {
            assert_eq!(pod(path), None, "{path}");
        }
        // The outermost one counts: the others are in a container's own part.
        assert_eq!(pod("kubepods/poda/12/kubepods/podb").as_deref(), Some("a"));
        assert_eq!(pod("kubepods/poda/podb").as_deref(), Some("a"));
    }
}
