//! The paths that a ServiceAccount's Secrets must not be mounted at, above or below. There a file of
//! a Secret would be run, loaded or trusted by programs of the image, so anyone who may write the
//! ServiceAccount could run code in its pods.

use crate::glob::matches;

/// A path, in which `*` matches any part of a name, and what is there.
const PROTECTED: [(&str, &str); 13] = [
    ("/bin", "programs"),
    ("/sbin", "programs"),
    ("/lib*", "the dynamic loader and libraries; /lib64 and /libexec too"),
    ("/usr", "programs and libraries"),
    ("/proc", "the kernel's view of processes"),
    ("/sys", "the kernel's settings"),
    ("/dev", "devices, and the terminal"),
    ("/var/run/secrets", "the pod's tokens, podrole's among them"),
    ("/run/secrets", "the same directory: most images link /var/run to /run"),
    ("/etc/ssl", "the CAs that programs trust"),
    ("/etc/pki", "the CAs that programs trust, on other distributions"),
    ("/etc/ld.so*", "ld.so.preload, ld.so.conf and ld.so.cache of the dynamic loader"),
    ("/etc/ca-certificates*", "what /etc/ssl is generated from"),
];

/// The protected path that a mount at `path` would touch: at it, above it (`/` and `/etc` are above
/// some), or below it.
pub(super) fn touched(path: &str) -> Option<&'static str> {
    let own = parts(path);
    let touches = |protected: &str| {
        let protected = parts(protected);
        own.iter().zip(protected).all(|(own, name)| matches(name.as_bytes(), own.as_bytes()))
    };
    PROTECTED.iter().map(|(path, _)| *path).find(|path| touches(path))
}

/// A path's names, as the kernel resolves them without links.
fn parts(path: &str) -> Vec<&str> {
    path.split('/').fold(Vec::new(), |mut parts, part| {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
        parts
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_above_and_below_are_touched() {
        for (path, protected) in [
            ("/", "/bin"),
            ("/etc", "/etc/ssl"),
            ("/bin", "/bin"),
            ("/sbin/init", "/sbin"),
            ("/lib", "/lib*"),
            ("/lib64/x", "/lib*"),
            ("/usr/local/share/app", "/usr"),
            ("/proc/self", "/proc"),
            ("/sys/fs", "/sys"),
            ("/dev/shm", "/dev"),
            ("/var", "/var/run/secrets"),
            ("/var/run", "/var/run/secrets"),
            ("/var/run/secrets/app", "/var/run/secrets"),
            ("/run", "/run/secrets"),
            ("/run/secrets/kubernetes.io/serviceaccount", "/run/secrets"),
            ("/etc/ssl/certs", "/etc/ssl"),
            ("/etc/pki/tls", "/etc/pki"),
            ("/etc/ld.so.preload", "/etc/ld.so*"),
            ("/etc/ld.so.conf.d/x", "/etc/ld.so*"),
            ("/etc/ca-certificates.conf", "/etc/ca-certificates*"),
            // Other spellings of the same paths.
            ("//usr//bin/", "/usr"),
            ("/./usr/.", "/usr"),
            ("/app/../usr/bin", "/usr"),
            ("/etc/app/../..", "/bin"),
            ("/../../bin", "/bin"),
        ] {
            assert_eq!(touched(path), Some(protected), "{path}");
        }
    }

    #[test]
    fn other_paths_are_not_touched() {
        for path in [
            "/etc/app",
            "/etc/ssl-app",
            "/etc/pkix",
            "/etc/db/ssl",
            "/binary",
            "/srv/app/lib",
            "/opt/app/bin",
            "/secrets",
            "/run/app",
            "/var/lib/app",
            "/var/run/app",
            "/var/run/secrets-of-app",
            "/user",
            "/procs",
            "/devices",
        ] {
            assert_eq!(touched(path), None, "{path}");
        }
    }
}
