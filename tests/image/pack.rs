//! `manifests/image/pack`: the same folder gives the same bytes, and only what an image can hold goes in.

use std::{
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, SystemTime},
};

use podrole_tests::project;

use crate::{NET_BIND_SERVICE, archive};

/// A folder with a file of each kind; made in one order or in the other, by one clock or another.
fn folder(at: &Path, turned: bool) -> io::Result<PathBuf> {
    let root = at.join("root");
    let mut files = vec!["b/deep/one", "a", "b/two"];
    if turned {
        files.reverse();
    }
    for name in files {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap_or(&root))?;
        fs::write(&path, name)?;
        let age = Duration::from_secs(if turned { 100_000 } else { 200_000 });
        fs::File::options().write(true).open(&path)?.set_modified(SystemTime::UNIX_EPOCH + age)?;
    }
    symlink("b/two", root.join("link"))?;
    Ok(root)
}

fn pack(root: &Path, out: &Path, more: &[&str]) -> io::Result<Output> {
    let mut command = Command::new(project::root().join("manifests/image/pack"));
    command.args([root, out]).args(["--name", "docker.io/local/some:test"]).args(more).output()
}

#[test]
fn the_same_folder_gives_the_same_bytes() {
    let mut packed = Vec::new();
    for turned in [false, true] {
        let here = tempfile::tempdir().unwrap();
        let out = here.path().join("out.tar");
        let root = folder(here.path(), turned).unwrap();
        let said = pack(&root, &out, &["--capability", "a", "--user", "1:2"]).unwrap();
        assert!(said.status.success(), "{said:?}");
        packed.push(fs::read(&out).unwrap());
    }
    assert!(packed[0] == packed[1], "the order or the age of files is seen in the archive");
}

#[test]
fn a_container_engine_finds_all_of_it() {
    let here = tempfile::tempdir().unwrap();
    let out = here.path().join("out.tar");
    let more = "--entrypoint /a --command x --env A=1 --arch arm64 --capability a";
    let more: Vec<_> = more.split(' ').collect();
    let said = pack(&folder(here.path(), false).unwrap(), &out, &more).unwrap();
    assert!(said.status.success(), "{said:?}");
    let image = archive::read(&out).unwrap();
    assert_eq!(image.names[0], "docker.io/local/some:test");
    assert_eq!(image.config["architecture"], "arm64");
    let settings = &image.config["config"];
    assert_eq!(settings["Entrypoint"][0], "/a");
    assert_eq!(settings["Cmd"][0], "x");
    assert_eq!(settings["Env"][0], "A=1");
    let paths: Vec<_> = image.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["a", "b", "b/deep", "b/deep/one", "b/two", "link"]);
    assert_eq!(image.files[0].capability, NET_BIND_SERVICE);
    assert!(image.files[1..].iter().all(|file| file.capability.is_empty()));
}

#[test]
fn what_cannot_be_packed_is_said() {
    let here = tempfile::tempdir().unwrap();
    let (root, out) = (folder(here.path(), false).unwrap(), here.path().join("out.tar"));
    let said = pack(&root, &out, &["--capability", "agent"]).unwrap();
    assert!(String::from_utf8_lossy(&said.stderr).contains("no agent in "), "{said:?}");
    assert!(Command::new("mkfifo").arg(root.join("pipe")).status().unwrap().success());
    let said = pack(&root, &out, &[]).unwrap();
    assert!(String::from_utf8_lossy(&said.stderr).contains("no file, folder or link"), "{said:?}");
    assert!(!out.exists() && fs::read_dir(here.path()).unwrap().count() == 1, "half an archive");
}
