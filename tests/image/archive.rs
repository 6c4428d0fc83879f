//! An image's archive, as a container engine reads it.

use std::{
    collections::BTreeMap,
    env,
    io::{Cursor, Read},
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use podrole_tests::project;
use serde_json::Value;

/// An image of one layer.
pub(crate) struct Archive {
    /// Its names.
    pub(crate) names: Value,
    /// What a container of it is started with.
    pub(crate) config: Value,
    /// The layer, in the archive's order.
    pub(crate) files: Vec<File>,
}

/// A file, folder or link of a layer.
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) mode: u32,
    pub(crate) uid: u64,
    pub(crate) gid: u64,
    pub(crate) mtime: u64,
    /// The attribute `security.capability`, empty where there is none.
    pub(crate) capability: Vec<u8>,
    pub(crate) data: Vec<u8>,
}

/// The product's image: read once for all tests, and made where nobody has.
pub(crate) fn built() -> &'static Archive {
    static BUILT: OnceLock<Archive> = OnceLock::new();
    BUILT.get_or_init(|| match env::var_os("PODROLE_IMAGE") {
        Some(path) => read(Path::new(&path)),
        None => {
            let folder = tempfile::tempdir().unwrap();
            let path: PathBuf = folder.path().join("podrole.tar");
            let mut build = Command::new(project::root().join("manifests/image/build"));
            let built = build.arg(&path).env("PROFILE", "image").status().unwrap();
            assert!(built.success(), "manifests/image/build says why, above");
            read(&path)
        }
    })
}

/// The archive at `path`.
pub(crate) fn read(path: &Path) -> Archive {
    let mut members = BTreeMap::new();
    for member in tar::Archive::new(std::fs::File::open(path).unwrap()).entries().unwrap() {
        let mut member = member.unwrap();
        let mut data = Vec::new();
        member.read_to_end(&mut data).unwrap();
        members.insert(member.path().unwrap().to_str().unwrap().to_owned(), data);
    }
    let json = |name: &str| -> Value { serde_json::from_slice(&members[name]).unwrap() };
    let manifest = json("manifest.json");
    let image = &manifest[0];
    let config = json(image["Config"].as_str().unwrap());
    let layers = image["Layers"].as_array().unwrap();
    assert_eq!(layers.len(), 1, "one layer: a second one would hold a file twice");
    let layer = &members[layers[0].as_str().unwrap()];
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, layer);
    let digest: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(config["rootfs"]["diff_ids"][0], format!("sha256:{digest}"));
    Archive { names: image["RepoTags"].clone(), config, files: files(layer) }
}

fn files(layer: &[u8]) -> Vec<File> {
    let mut archive = tar::Archive::new(Cursor::new(layer));
    archive.entries().unwrap().map(|member| file(member.unwrap())).collect()
}

fn file(mut member: tar::Entry<'_, impl Read>) -> File {
    let mut capability = Vec::new();
    for extension in member.pax_extensions().unwrap().into_iter().flatten() {
        let extension = extension.unwrap();
        if extension.key() == Ok("SCHILY.xattr.security.capability") {
            capability = extension.value_bytes().to_vec();
        }
    }
    let mut data = Vec::new();
    member.read_to_end(&mut data).unwrap();
    let path = member.path().unwrap().to_str().unwrap().trim_end_matches('/').to_owned();
    let header = member.header();
    File {
        path,
        mode: header.mode().unwrap(),
        uid: header.uid().unwrap(),
        gid: header.gid().unwrap(),
        mtime: header.mtime().unwrap(),
        capability,
        data,
    }
}
