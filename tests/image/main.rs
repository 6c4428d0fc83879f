//! The image: what `manifests/image/build` made of this tree (in `$PODROLE_IMAGE`, else made here),
//! read back from the archive; and that the Dockerfile says the same.
#![forbid(unsafe_code)]

mod archive;
mod pack;
mod reproducible;

use std::{fs, process::Command};

use podrole_node::host_dir::USER;
use podrole_tests::project;

use crate::archive::Member;

const BINARIES: [&str; 4] = ["podrole-agent", "podrole-node", "podrole-sandbox", "podrole-webhook"];
/// `cap_net_bind_service=ep`: revision 2, effective; bit 10 permitted, nothing inheritable.
const NET_BIND_SERVICE: [u8; 20] = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// Bytes of all its files: as a registry hands them out, and unpacked on a node. podrole-node takes 4 MB, so that the agent
/// needs no capability.
const MOST: [usize; 2] = [25_000_000, 57_000_000];

#[test]
fn four_binaries_and_what_they_read_are_all_that_is_in_it() {
    let image = archive::built().unwrap();
    let listed: Vec<_> = image.files.iter().map(|file| (file.path.as_str(), file.mode)).collect();
    // No shell, no library, no package manager; nothing that a user other than root may change.
    assert_eq!(
        listed,
        [
            ("LICENSE", 0o644),
            ("NOTICE", 0o644),
            ("etc", 0o755),
            ("etc/group", 0o644),
            ("etc/nsswitch.conf", 0o644),
            ("etc/passwd", 0o644),
            ("etc/ssl", 0o755),
            ("etc/ssl/certs", 0o755),
            ("etc/ssl/certs/ca-certificates.crt", 0o644),
            ("podrole-agent", 0o755),
            ("podrole-node", 0o755),
            ("podrole-sandbox", 0o755),
            ("podrole-webhook", 0o755),
            ("tmp", 0o1777),
        ]
    );
    assert!(image.files.iter().all(|file| (file.uid, file.gid, file.mtime) == (0, 0, 0)));
}

#[test]
fn only_the_agents_parent_process_may_bind_a_low_port() {
    for file in &archive::built().unwrap().files {
        let expected: &[u8] = if file.path == "podrole-node" { &NET_BIND_SERVICE } else { &[] };
        assert_eq!(file.capability, expected, "{}", file.path);
    }
}

#[test]
fn it_runs_as_a_user_of_its_own() {
    let image = archive::built().unwrap();
    // What the chart counts on: a pod that runs as another user cannot bind its low port.
    assert_eq!(image.config["config"]["User"], format!("{USER}:{USER}"));
    let has = |file: &str, line: String| image.text(file).unwrap().contains(&line);
    assert!(has("etc/passwd", format!("podrole:x:{USER}:{USER}:")));
    assert!(has("etc/group", format!("podrole:x:{USER}:")));
    assert!(image.text("etc/passwd").unwrap().lines().all(|user| user.ends_with(":/sbin/nologin")));
    assert_eq!(image.config["architecture"], "amd64");
}

#[test]
fn the_binaries_need_nothing_beside_them_and_start() {
    let folder = tempfile::tempdir().unwrap();
    for name in BINARIES {
        let file = archive::built().unwrap().file(name).unwrap();
        assert!(!names_an_interpreter(file), "{name} is linked to libraries that are not there");
        let path = folder.path().join(name);
        fs::write(&path, &file.data).unwrap();
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let help = Command::new(&path).arg("--help").env_clear().output().unwrap();
        assert!(help.status.success(), "{name} --help: {help:?}");
        assert!(String::from_utf8_lossy(&help.stdout).contains(name));
    }
}

#[test]
fn it_is_small() {
    let files = &archive::built().unwrap().files;
    let each: Vec<_> = files.iter().map(|file| (&file.path, file.data.len())).collect();
    let unpacked: usize = files.iter().map(|file| file.data.len()).sum();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("all");
    fs::write(&path, files.iter().flat_map(|file| file.data.clone()).collect::<Vec<_>>()).unwrap();
    let packed = Command::new("gzip").arg("-6c").arg(&path).output().unwrap().stdout.len();
    println!("{packed} bytes packed, {unpacked} unpacked: {each:?}");
    assert!(packed < MOST[0] && unpacked < MOST[1], "{packed} and {unpacked}: {each:?}");
}

#[test]
fn the_dockerfile_makes_the_same() {
    let read = |path: &str| fs::read_to_string(project::root().join(path)).unwrap();
    let dockerfile = read("manifests/image/Dockerfile");
    let toolchain: toml::Table = read("rust-toolchain.toml").parse().unwrap();
    let rust = toolchain["toolchain"]["channel"].as_str().unwrap();
    for line in [
        &format!("/rust:{rust}-bookworm@sha256:"),
        "manifests/image/rootfs /rootfs",
        "setcap cap_net_bind_service=ep /rootfs/podrole-node",
        "FROM scratch\nCOPY --from=build /rootfs /\n",
        &format!("USER {USER}:{USER}\n"),
    ] {
        assert!(dockerfile.contains(line), "the Dockerfile lacks {line:?}");
    }
    let ours = archive::built().unwrap().config["config"]["Labels"].as_object().unwrap();
    assert!(!ours.is_empty());
    for (name, value) in ours {
        let label = format!("{name}={}", value.as_str().unwrap());
        assert!(dockerfile.contains(&label), "the Dockerfile lacks {label}");
    }
    // What it copies is enough to build: each member of the workspace.
    let wanted = read("manifests/image/Dockerfile.dockerignore");
    let workspace: toml::Table = read("Cargo.toml").parse().unwrap();
    for member in workspace["workspace"]["members"].as_array().unwrap() {
        let folder = member.as_str().unwrap().split('/').next().unwrap();
        assert!(wanted.contains(&format!("\n!{folder}\n")), "the ignore file leaves {folder} out");
    }
}

/// Whether the kernel would start another program, ld.so, that then looks for libraries.
fn names_an_interpreter(file: &Member) -> bool {
    let number = |at: usize, bytes: usize| {
        let part = file.data[at..at + bytes].iter().rev();
        part.fold(0, |number, byte| (number << 8) | usize::from(*byte))
    };
    assert_eq!(&file.data[..5], b"\x7fELF\x02", "{} is no 64-bit program", file.path);
    let (table, size, count) = (number(32, 8), number(54, 2), number(56, 2));
    (0..count).any(|row| number(table + row * size, 4) == 3) // PT_INTERP
}
