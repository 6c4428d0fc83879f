//! Nothing of the machine that built the image is in it, and what is in it can be listed.

use std::{env, fs, path::Path, process::Command};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use podrole_tests::project;
use serde_json::Value;
use webpki_root_certs::TLS_SERVER_ROOT_CERTS;

use crate::{BINARIES, archive};

/// Whether `part` is somewhere in `data`.
fn contains(data: &[u8], part: &str) -> bool {
    data.windows(part.len()).any(|window| window == part.as_bytes())
}

/// Two builds from two folders would differ by these.
#[test]
fn no_path_of_this_machine_is_in_a_binary() {
    let home = env::var("HOME").unwrap_or_default();
    let cargo = env::var("CARGO_HOME").unwrap_or_else(|_| format!("{home}/.cargo"));
    let root = project::root().to_str().unwrap().to_owned();
    for name in BINARIES {
        let file = archive::built().unwrap().file(name).unwrap();
        for path in [&cargo, &root] {
            assert!(!contains(&file.data, &format!("{path}/")), "{name} has {path} in it");
        }
        assert!(contains(&file.data, "/cargo/registry/src/"), "no panic of {name} names a source");
    }
}

/// It takes a whole release build, so only `./test all` has it.
#[test]
fn another_folder_gives_the_same_image() {
    let first = env::var_os("PODROLE_IMAGE");
    let Some(first) = first.filter(|_| env::var_os("PODROLE_TEST_ALL").is_some()) else {
        return;
    };
    let other = tempfile::tempdir().unwrap();
    let (tree, second) = (other.path().join("another/tree"), other.path().join("second.tar"));
    for file in project::files().unwrap() {
        fs::create_dir_all(tree.join(&file).parent().unwrap()).unwrap();
        fs::copy(project::root().join(&file), tree.join(&file)).unwrap();
    }
    let mut build = Command::new(tree.join("manifests/image/build"));
    build.arg(&second).env("CARGO_TARGET_DIR", other.path().join("built"));
    assert!(build.status().unwrap().success());
    assert!(fs::read(first).unwrap() == fs::read(second).unwrap(), "the images differ");
}

#[test]
fn it_trusts_mozillas_list_of_the_lock_file() {
    let text = archive::built().unwrap().text("etc/ssl/certs/ca-certificates.crt").unwrap();
    let mut certificates = text.split("-----BEGIN CERTIFICATE-----\n").skip(1).map(|block| {
        let (body, _) = block.split_once("-----END CERTIFICATE-----").unwrap();
        STANDARD.decode(body.replace('\n', "")).unwrap()
    });
    for expected in TLS_SERVER_ROOT_CERTS {
        assert!(certificates.next().as_deref() == Some(&**expected), "another certificate");
    }
    assert_eq!(certificates.next(), None);
}

/// As `cargo audit bin` reads it.
#[test]
fn each_binary_lists_its_packages() {
    for name in BINARIES {
        let folder = tempfile::tempdir().unwrap();
        let (binary, list) = (folder.path().join(name), folder.path().join("list"));
        fs::write(&binary, &archive::built().unwrap().file(name).unwrap().data).unwrap();
        let dump = format!(".dep-v0={}", list.display());
        let status = Command::new("objcopy").arg("--dump-section").arg(dump).arg(&binary).status();
        assert!(status.unwrap().success(), "{name} has no section .dep-v0");
        let read = "import sys, zlib; sys.stdout.buffer.write(zlib.decompress(open(sys.argv[1], 'rb').read()))";
        let json = Command::new("python3").args(["-c", read]).arg(&list).output().unwrap().stdout;
        let listed: Value = serde_json::from_slice(&json).unwrap();
        let packages = listed["packages"].as_array().unwrap();
        let root = packages.iter().find(|package| package["root"] == true).unwrap();
        assert_eq!(root["name"], name);
        let has = |wanted: &str| packages.iter().any(|package| package["name"] == wanted);
        assert!(has("rustls") && has("tokio") && !has("proptest") && !has("shuttle"), "{name}");
    }
}

#[test]
fn the_bill_of_materials_has_what_is_linked_in() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("podrole.cdx.json");
    let write = |path: &Path| {
        let mut command = Command::new(project::root().join("manifests/image/sbom"));
        command.args(["cyclonedx", "x86_64-unknown-linux-gnu"]).arg(path).args(BINARIES);
        assert!(command.status().unwrap().success());
        fs::read_to_string(path).unwrap()
    };
    let text = write(&path);
    assert_eq!(text, write(&path), "the same tree gives another text");
    let document: Value = serde_json::from_str(&text).unwrap();
    let components = document["components"].as_array().unwrap();
    let find = |name: &str| components.iter().find(|component| component["name"] == name);
    assert!(find("rustls").unwrap()["hashes"][0]["content"].as_str().unwrap().len() == 64);
    assert!(BINARIES.iter().all(|name| find(name).unwrap()["type"] == "application"));
    assert!(find("proptest").is_none() && find("shuttle").is_none(), "only tests have these");
}
