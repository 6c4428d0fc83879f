//! An image's archive, as a container engine reads it.

use std::{
    collections::BTreeMap,
    env,
    fs::File,
    io::{Cursor, Read},
    path::Path,
    process::Command,
    sync::OnceLock,
};

use anyhow::{Context as _, ensure};
use podrole_tests::project;
use serde_json::Value;

/// An image of one layer.
pub(crate) struct Archive {
    /// Its names.
    pub(crate) names: Value,
    /// What a container of it is started with.
    pub(crate) config: Value,
    /// The layer, in the archive's order.
    pub(crate) files: Vec<Member>,
}

/// A file, folder or link of a layer.
pub(crate) struct Member {
    pub(crate) path: String,
    pub(crate) mode: u32,
    pub(crate) uid: u64,
    pub(crate) gid: u64,
    pub(crate) mtime: u64,
    /// The attribute `security.capability`, empty where there is none.
    pub(crate) capability: Vec<u8>,
    pub(crate) data: Vec<u8>,
}

/// The product's image: read once for all tests, and built if it does not exist yet.
///
/// # Errors
/// When it cannot be made or read.
pub(crate) fn built() -> Result<&'static Archive, &'static String> {
    static BUILT: OnceLock<Result<Archive, String>> = OnceLock::new();
    let made = || match env::var_os("PODROLE_IMAGE") {
        Some(path) => read(Path::new(&path)),
        None => make(),
    };
    BUILT.get_or_init(|| made().map_err(|error| format!("{error:#}"))).as_ref()
}

fn make() -> anyhow::Result<Archive> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("podrole.tar");
    let mut build = Command::new(project::root().join("manifests/image/build"));
    let status = build.arg(&path).status()?;
    ensure!(status.success(), "manifests/image/build says why, above");
    read(&path)
}

/// The archive at `path`.
///
/// # Errors
/// When a container engine could not read it either.
pub(crate) fn read(path: &Path) -> anyhow::Result<Archive> {
    let mut members = BTreeMap::new();
    for member in tar::Archive::new(File::open(path)?).entries()? {
        let mut member = member?;
        let mut data = Vec::new();
        member.read_to_end(&mut data)?;
        members.insert(member.path()?.display().to_string(), data);
    }
    let member = |name: &Value| {
        let name = name.as_str().unwrap_or("manifest.json");
        members.get(name).with_context(|| format!("no {name} in the archive"))
    };
    let manifest: Value = serde_json::from_slice(member(&Value::Null)?)?;
    let image = &manifest[0];
    let config: Value = serde_json::from_slice(member(&image["Config"])?)?;
    // A second one would hold a file twice.
    ensure!(image["Layers"].as_array().is_some_and(|layers| layers.len() == 1), "not one layer");
    let layer = member(&image["Layers"][0])?;
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, layer);
    let digest = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    ensure!(config["rootfs"]["diff_ids"][0] == format!("sha256:{digest}"), "another digest");
    Ok(Archive { names: image["RepoTags"].clone(), config, files: files(layer)? })
}

fn files(layer: &[u8]) -> anyhow::Result<Vec<Member>> {
    let mut archive = tar::Archive::new(Cursor::new(layer));
    archive.entries()?.map(|member| file(member?)).collect()
}

fn file(mut member: tar::Entry<'_, impl Read>) -> anyhow::Result<Member> {
    let mut capability = Vec::new();
    for extension in member.pax_extensions()?.into_iter().flatten() {
        let extension = extension?;
        if extension.key() == Ok("SCHILY.xattr.security.capability") {
            capability = extension.value_bytes().to_vec();
        }
    }
    let mut data = Vec::new();
    member.read_to_end(&mut data)?;
    let path = member.path()?.display().to_string().trim_end_matches('/').to_owned();
    let header = member.header();
    Ok(Member {
        path,
        mode: header.mode()?,
        uid: header.uid()?,
        gid: header.gid()?,
        mtime: header.mtime()?,
        capability,
        data,
    })
}

impl Archive {
    /// The file at `path`.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn file(&self, path: &str) -> anyhow::Result<&Member> {
        let found = self.files.iter().find(|file| file.path == path);
        found.with_context(|| format!("no {path} in the image"))
    }

    /// The text of the file at `path`.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn text(&self, path: &str) -> anyhow::Result<&str> {
        Ok(std::str::from_utf8(&self.file(path)?.data)?)
    }
}
